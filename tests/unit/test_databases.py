"""Which server program of this machine the tests would start, and what is said when it cannot be."""

from pathlib import Path

import pytest

from tests import databases
from tests.databases import NoServer, find_server

COMPLETE = ("mariadbd", "mariadb-install-db", "my_print_defaults")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no programs but those that the test installs."""
    monkeypatch.setattr(databases, "_FOLDERS", [])
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def install(machine: Path, *names: str, version: str = "15.1 Distrib 10.11-MariaDB") -> None:
    for name in names:
        program = machine / name
        program.write_text(f"#!/bin/sh\necho '{name} Ver {version}'\n")
        program.chmod(0o755)


def test_a_machine_without_a_server_says_so(machine):
    with pytest.raises(NoServer, match="no mysqld or mariadbd on this machine"):
        find_server("mysqld", "mariadbd")


@pytest.mark.parametrize(
    ("missing", "package"),
    [("mariadb-install-db", "mariadb-server-core"), ("my_print_defaults", "mariadb-client-core")],
)
def test_a_mariadb_that_cannot_make_its_first_data_is_none_and_the_package_is_named(machine, missing, package):
    install(machine, *(set(COMPLETE) - {missing}))

    with pytest.raises(NoServer) as reason:
        find_server("mariadbd")

    program = machine / "mariadbd"
    assert str(reason.value) == f"{program} is here, but {missing} is not; it is in the package {package}"


def test_a_complete_mariadb_is_taken(machine):
    install(machine, *COMPLETE)

    assert find_server("mysqld", "mariadbd") == str(machine / "mariadbd")


def test_a_mysql_needs_nothing_beside_itself(machine):
    install(machine, "mysqld", version="9.7.0 for Linux on x86_64 (MySQL Community Server - GPL)")

    assert find_server("mysqld", "mariadbd") == str(machine / "mysqld")


def test_each_server_has_a_folder_of_its_own_for_temporary_tables(tmp_path):
    """One that starts removes those of all others that share it."""
    folders = [option for option in databases._common(tmp_path) if option.startswith("--tmpdir=")]

    assert folders == [f"--tmpdir={tmp_path / 'tmp'}"]
    assert (tmp_path / "tmp").is_dir()
