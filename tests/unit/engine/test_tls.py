"""engine/wire/tls.py: a file that cannot be used is named, with the reason, before anything starts."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from engine.errors import StartError
from engine.settings import Settings
from engine.wire.tls import Certificates, server_context
from tests.certificates import Pair, issue


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return issue(tmp_path_factory.mktemp("certificates"), "server")


def context_with(pair: Pair, **settings: Any) -> ssl.SSLContext | None:
    return server_context(Settings(**{"ssl_cert_file": pair.cert_file, "ssl_key_file": pair.key_file} | settings))


def test_without_a_certificate_there_is_no_tls() -> None:
    assert server_context(Settings()) is None


def test_it_speaks_tls_1_2_and_up_and_asks_nobody_for_a_certificate(pair: Pair) -> None:
    context = context_with(pair)

    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_with_verify_peer_every_client_needs_a_certificate(pair: Pair) -> None:
    context = context_with(pair, ssl_verify_peer=True, ssl_client_cert_file=pair.cert_file)

    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1


def refusal(pair: Pair, **settings: Any) -> str:
    with pytest.raises(StartError) as caught:
        context_with(pair, **settings)
    return str(caught.value)


@pytest.mark.parametrize("name", ["ssl_cert_file", "ssl_key_file", "ssl_client_cert_file"])
def test_a_file_that_is_missing_or_of_another_kind_is_named(pair: Pair, tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    verify = {"ssl_verify_peer": True, "ssl_client_cert_file": pair.cert_file}

    assert refusal(pair, **verify | {name: str(path)}) == f"{name} {path} cannot be read: No such file or directory"
    assert refusal(pair, **verify | {name: str(tmp_path)}) == f"{name} {tmp_path} cannot be read: Is a directory"

    path.write_text("not what you think\n")
    kind = "private key" if name == "ssl_key_file" else "certificate"
    said = refusal(pair, **verify | {name: str(path)})
    assert said.startswith(f"{name} {path} cannot be used: there is no {kind} in PEM format in it (")


def test_a_key_of_another_certificate_is_refused(pair: Pair, tmp_path: Path) -> None:
    other = issue(tmp_path, "other")

    said = refusal(pair, ssl_key_file=other.key_file)

    assert said == f"ssl_key_file {other.key_file} does not belong to ssl_cert_file {pair.cert_file}"


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    locked = issue(tmp_path, "locked", passphrase=b"secret")

    assert refusal(locked) == f"ssl_key_file {locked.key_file} has a passphrase, and nobody is there to be asked for it"


def copied(pair: Pair, directory: Path) -> dict[str, str]:
    """Settings with files of their own that hold this pair."""
    files = {"ssl_cert_file": directory / "own.crt", "ssl_key_file": directory / "own.key"}
    files["ssl_cert_file"].write_bytes(Path(pair.cert_file).read_bytes())
    files["ssl_key_file"].write_bytes(Path(pair.key_file).read_bytes())
    return {name: str(path) for name, path in files.items()}


def test_a_renewal_gives_another_context_only_where_a_file_changed(pair: Pair, tmp_path: Path) -> None:
    certificates = Certificates(Settings(**copied(pair, tmp_path)))
    first = certificates.context

    certificates.renew()
    assert certificates.context is first

    copied(issue(tmp_path, "renewed"), tmp_path)
    certificates.renew()
    assert certificates.context is not first


def test_the_clients_authorities_are_renewed_as_well(pair: Pair, tmp_path: Path) -> None:
    authority = tmp_path / "authority.crt"
    authority.write_bytes(Path(pair.cert_file).read_bytes())
    given = copied(pair, tmp_path)
    certificates = Certificates(Settings(ssl_verify_peer=True, ssl_client_cert_file=str(authority), **given))
    new = issue(tmp_path, "another")

    authority.write_bytes(Path(new.cert_file).read_bytes())
    certificates.renew()

    assert certificates.context is not None
    (trusted,) = certificates.context.get_ca_certs()
    assert int(str(trusted["serialNumber"]), 16) == new.certificate.serial_number


def test_a_renewal_that_cannot_be_is_said_and_changes_nothing(
    pair: Pair, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = copied(pair, tmp_path)
    certificates = Certificates(Settings(**given))
    first = certificates.context
    Path(given["ssl_key_file"]).write_text("half of it")

    certificates.renew()

    assert certificates.context is first
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"ssl_key_file {given['ssl_key_file']} cannot be used" in caplog.text


def test_a_server_without_certificates_has_nothing_to_renew(caplog: pytest.LogCaptureFixture) -> None:
    certificates = Certificates(Settings())

    certificates.renew()

    assert certificates.context is None
    assert caplog.records == []
