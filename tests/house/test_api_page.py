"""What docs/api.md says of operations is what the code says."""

import pytest

from tests.house.api_page import PAGE, renewed


def test_the_operations_in_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text()

    if text != renewed(text):
        pytest.fail("docs/api.md is not what the code says; run: python -m tests.house.api_page")
