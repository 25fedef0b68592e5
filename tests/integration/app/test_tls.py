"""The trigger's port over TLS: settings of the server, options of the commands."""

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.certificates import Pair, issue
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import WITHIN_S, Product
from tests.ports import free_port
from tests.waiting import until


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """An authority, what it signed for the server and for a client, and another authority."""
    folder = tmp_path_factory.mktemp("papers")
    authority = issue(folder, "authority")
    signed = {name: issue(folder, name, authority) for name in ("server", "client")}
    return {"authority": authority, "stranger": issue(folder, "stranger"), **signed}


def serve(home: Path, papers: dict[str, Pair], **settings: object) -> Product:
    own = papers["server"]
    return Product(f"sqlite:///{home / 'sms.db'}", home, tls_cert=own.cert_file, tls_key=own.key_file, **settings)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, papers: dict[str, Pair]) -> Iterator[Product]:
    """A running server that speaks TLS; its commands are told nothing of that."""
    home = tmp_path_factory.mktemp("product")
    with with_tables(f"sqlite:///{home / 'sms.db'}"), serve(home, papers) as product:
        move_in(product.database, crowd(5))
        product.start()
        for name in ("SMS_TLS_CERT", "SMS_TLS_KEY"):
            del product.environment[name]
        yield product


def test_a_command_that_is_given_the_authority_speaks_tls(secure, papers):
    ended = secure.run("trigger", "有证书", "--watch", "--ca", papers["authority"].cert_file)

    assert ended.returncode == 0, ended.stderr
    assert "5 sent" in ended.stdout


def test_the_authority_may_be_a_setting(secure, papers):
    secure.environment["SMS_TLS_CA"] = papers["authority"].cert_file
    try:
        ended = secure.run("trigger", "设置")
    finally:
        del secure.environment["SMS_TLS_CA"]

    assert ended.returncode == 0, ended.stderr


def refused(product: Product, *options: str, **settings: str) -> str:
    """What a trigger says that starts nothing."""
    before = dict(product.environment)
    product.environment |= settings
    try:
        ended = product.run("trigger", "没有", *options)
    finally:
        product.environment = before
    assert (ended.returncode, ended.stdout) == (1, "")
    assert (ended.stderr[:7], ended.stderr.count("\n")) == ("error: ", 1)
    assert product.state("没有") == ""
    return ended.stderr


def test_a_certificate_that_no_authority_of_ours_signed_is_refused(secure, papers):
    said = [refused(secure, "--tls"), refused(secure, "--ca", papers["stranger"].cert_file)]

    assert all("is not trusted" in each and "--ca" in each for each in said)


def test_a_certificate_for_another_name_is_refused(secure, papers):
    said = refused(secure, "--ca", papers["authority"].cert_file, SMS_HOST="localhost")

    assert "is not trusted" in said
    assert "'localhost'" in said


def test_a_command_without_tls_is_told_that_the_server_may_want_it(secure):
    assert "--tls" in refused(secure)


def test_a_server_without_tls_is_not_spoken_to_in_the_clear(server, papers):
    said = refused(server, "--ca", papers["authority"].cert_file)

    assert "see whether the server speaks TLS" in said or "no answer" in said


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_holds_no_certificates_is_named(app, tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)

    app("trigger", "a", "--ca", str(path)).assert_refused(str(path))


def test_clients_must_show_a_certificate_where_the_server_says_so(tmp_path, papers):
    own, authority = papers["client"], papers["authority"].cert_file
    url = f"sqlite:///{tmp_path / 'sms.db'}"
    with with_tables(url), serve(tmp_path, papers, tls_client_ca=authority, tls_ca=authority) as product:
        move_in(product.database, crowd(5))
        product.start()

        without = refused(product)
        by_a_stranger = refused(
            product, SMS_TLS_CLIENT_CERT=papers["stranger"].cert_file, SMS_TLS_CLIENT_KEY=papers["stranger"].key_file
        )
        product.environment |= {"SMS_TLS_CLIENT_CERT": own.cert_file, "SMS_TLS_CLIENT_KEY": own.key_file}
        shown = product.run("trigger", "有")

    assert "SMS_TLS_CLIENT_CERT" in without
    assert "SMS_TLS_CLIENT_CERT" in by_a_stranger
    assert shown.returncode == 0, shown.stderr


def test_files_that_cannot_be_used_stop_the_server_by_the_names_of_the_settings(app, monkeypatch, papers, tmp_path):
    monkeypatch.setenv("SMS_TLS_CERT", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SMS_TLS_KEY", papers["server"].key_file)
    app("serve").assert_refused(f"SMS_TLS_CERT {tmp_path / 'none.pem'} cannot be read")

    monkeypatch.setenv("SMS_TLS_CERT", papers["stranger"].cert_file)
    app("serve").assert_refused("SMS_TLS_KEY", "does not belong to SMS_TLS_CERT")


def test_a_port_where_nobody_listens_is_said_over_tls_too(app, monkeypatch, papers):
    monkeypatch.setenv("SMS_PORT", str(free_port()))

    app("trigger", "a", "--ca", papers["authority"].cert_file).assert_refused("no answer from", "python -m app serve")


def test_a_renewed_certificate_is_taken_on_by_sigusr1(tmp_path, papers):
    own = {"tls_cert": tmp_path / "own.crt", "tls_key": tmp_path / "own.key"}

    def install(pair: Pair) -> None:
        own["tls_cert"].write_bytes(Path(pair.cert_file).read_bytes())
        own["tls_key"].write_bytes(Path(pair.key_file).read_bytes())

    def is_shown(product: Product, pair: Pair) -> bool:
        context = ssl.create_default_context(cafile=papers["authority"].cert_file)
        with (
            suppress(ConnectionError, ssl.SSLError),  # an event worker that leaves may let go of who comes
            socket.create_connection(("127.0.0.1", product.port), timeout=WITHIN_S) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
        ):
            return int(wrapped.getpeercert()["serialNumber"], 16) == pair.certificate.serial_number
        return False

    url = f"sqlite:///{tmp_path / 'sms.db'}"
    new = issue(tmp_path, "renewed", papers["authority"])
    install(papers["server"])
    with with_tables(url), Product(url, tmp_path, **own) as product:
        product.start()
        assert is_shown(product, papers["server"])

        install(new)
        product.server.send_signal(signal.SIGUSR1)

        until(lambda: is_shown(product, new), what="the new certificate is shown")
