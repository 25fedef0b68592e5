"""Which tests stay together where several processes run them."""

import pytest

from tests.sharing import piece_of


@pytest.mark.parametrize(
    "file",
    [
        "tests/acceptance/test_docker.py",
        "tests/integration/app/test_logs.py",
        "tests/integration/engine/test_package.py",
        "tests/unit/engine/test_settings.py",
        "tests/house/test_rules.py",
    ],
)
def test_what_shares_a_server_or_is_small_stays_together(file):
    assert piece_of(f"{file}::test_one") == piece_of(f"{file}::TestOther::test_two[x::y]") == file


@pytest.mark.parametrize("file", ["tests/integration/app/test_pause.py", "tests/unit/engine/test_recovery.py"])
def test_what_is_long_or_has_a_server_of_its_own_goes_to_who_is_free(file):
    assert piece_of(f"{file}::test_one[a]") != piece_of(f"{file}::test_one[b]")
