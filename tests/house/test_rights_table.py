"""What docs/access.md says of rights is what the code says."""

import pytest

from tests.house.rights_table import PAGE, renewed


def test_the_table_of_rights_is_that_of_the_code() -> None:
    text = PAGE.read_text()

    if text != renewed(text):
        pytest.fail("docs/access.md is not what the code says; run: python -m tests.house.rights_table")
