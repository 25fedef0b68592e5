"""The way to MySQL: encrypted where that is asked for, and only to whom it is meant for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from app.campaigns.census import count_audiences
from app.config import Config, DatabaseTls
from app.errors import CertificateUnusable
from app.runners.work import open_patiently
from app.store.database import open_database
from tests import databases
from tests.certificates import issue
from tests.databases import NoServer, private_server
from tests.integration.app.campaigns import with_tables
from tests.words import refused


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`authority.crt`, which signed the server's certificate for 127.0.0.1, and `stranger.crt`, which did not."""
    folder = tmp_path_factory.mktemp("certificates")
    issue(folder, "server", issue(folder, "authority"))
    issue(folder, "stranger")
    return folder


def serve(*options: str) -> Iterator[URL]:
    try:
        program = databases.find_server("mariadbd")
    except NoServer as reason:
        pytest.skip(str(reason))
    with private_server(program, *options) as server, server.schema() as url:
        yield server.admin.set(database=url.rpartition("/")[2])


@pytest.fixture(scope="module")
def with_tls(home: Path) -> Iterator[URL]:
    yield from serve(f"--ssl-cert={home / 'server.crt'}", f"--ssl-key={home / 'server.key'}")


@pytest.fixture(scope="module")
def without_tls() -> Iterator[URL]:
    yield from serve("--skip-ssl")


@pytest.fixture(params=["pymysql", "mysqldb"])
def driver(request: pytest.FixtureRequest) -> str:
    if request.param == "mysqldb":
        pytest.importorskip("MySQLdb")
    return str(request.param)


def cipher(url: URL, driver: str, tls: DatabaseTls, ca: Path | None = None) -> str:
    """What a connection is encrypted with, '' where it is not."""
    address = url.set(drivername=f"mysql+{driver}").render_as_string(hide_password=False)
    database = open_database(address, tls=tls, tls_ca=ca)
    try:
        with database.connect() as connection:
            return str(connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'").one()[1])
    finally:
        database.dispose()


def test_a_server_that_its_authority_vouches_for_is_spoken_to_encrypted(with_tls, home, driver):
    assert cipher(with_tls, driver, "required")
    assert cipher(with_tls, driver, "verify_ca", home / "authority.crt")
    assert cipher(with_tls, driver, "verify_identity", home / "authority.crt")


@pytest.mark.parametrize("tls", ["verify_ca", "verify_identity"])
@pytest.mark.parametrize("ca", ["stranger.crt", ""])
def test_a_server_that_nobody_we_trust_vouches_for_is_not_spoken_to(with_tls, home, driver, tls, ca):
    with pytest.raises(DBAPIError, match=r"(?i)certificate|ssl"):
        cipher(with_tls, driver, tls, home / ca if ca else None)


def test_who_counts_the_audience_asks_for_the_same_certificate_as_everybody_else(with_tls, home):
    address = with_tls.set(drivername="mysql+pymysql").render_as_string(hide_password=False)
    trusts = {
        name: Config(database_url=SecretStr(address), database_tls_ca=home / f"{name}.crt")
        for name in ("authority", "stranger")
    }

    with with_tables(address):
        assert count_customers(trusts["authority"]) == 0
    with pytest.raises(DBAPIError, match=r"(?i)certificate"):
        count_customers(trusts["stranger"])


def count_customers(config: Config) -> int:
    database = open_patiently(config)
    try:
        return count_audiences(database)
    finally:
        database.dispose()


def test_a_server_of_another_name_is_not_spoken_to_where_the_name_counts(with_tls, home, driver):
    named = with_tls.set(host="localhost")
    if driver == "mysqldb":
        pytest.skip("it takes localhost for a socket")

    assert cipher(named, driver, "verify_ca", home / "authority.crt")
    with pytest.raises(DBAPIError, match=r"(?i)certificate|hostname"):
        cipher(named, driver, "verify_identity", home / "authority.crt")


@pytest.mark.parametrize("tls", ["required", "verify_ca", "verify_identity"])
def test_a_server_without_tls_is_not_worked_with_where_tls_is_asked_for(without_tls, home, driver, tls):
    with pytest.raises(DBAPIError, match=r"(?i)tls|ssl"):
        cipher(without_tls, driver, tls, None if tls == "required" else home / "authority.crt")
    assert cipher(without_tls, driver, "preferred") == ""


def test_a_file_that_holds_no_certificates_is_named(home, driver):
    url = URL.create("mysql", "sms", "sms", "127.0.0.1", 1, "sms")
    for name, why in (("missing.crt", "No such file"), ("server.key", "no certificate")):
        with refused(CertificateUnusable, match=f"DATABASE_TLS_CA .*{name} cannot be used: .*{why}"):
            cipher(url, driver, "verify_ca", home / name)
