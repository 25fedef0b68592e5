"""`python -m app doctor` binds at each gateway and leaves again; what keeps it out is one sentence by its cause."""

import socket
import ssl
from collections.abc import Callable, Iterator
from threading import Thread

import pytest

from app import config
from app.doctor import gateways
from app.doctor.finding import Finding, Verdict
from app.gateways.smpp import status
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.pdu import encode_raw
from tests.certificates import issue
from tests.integration.smpp.smsc import running
from tests.ports import free_port
from tests.words import words

Examine = Callable[..., list[Finding]]


@pytest.fixture
def examine(tmp_path, monkeypatch) -> Examine:
    """What the doctor says of gateways at these ports, with more lines for the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SMPP_PASSWORD", "s3cret")

    def call(*ports: int, more: str = "") -> list[Finding]:
        path = tmp_path / "gateways.toml"
        path.write_text("".join(account(number, port, more) for number, port in enumerate(ports)))
        monkeypatch.setenv("SMS_GATEWAYS", str(path))
        return [*gateways.examine(config.load())]

    return call


def account(number: int, port: int, more: str) -> str:
    return (
        f'[smpp-{number}]\nkind = "smpp"\nhost = "127.0.0.1"\nport = {port}\nsystem_id = "sms"\n'
        f'password_env = "SMPP_PASSWORD"\nanswer_timeout_s = 60\n{more}\n'
    )


@pytest.fixture
def stranger() -> Iterator[Callable[[bytes], int]]:
    """`stranger(answer)` is the port of somebody who answers what comes with this, and hangs up."""
    servers: list[tuple[socket.socket, Thread]] = []

    def serve(server: socket.socket, answer: bytes) -> None:
        try:
            client, _ = server.accept()
        except OSError:  # closed by the end of the test
            return
        with client:
            client.recv(2**16)
            client.sendall(answer)

    def start(answer: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        thread = Thread(target=serve, args=(server, answer))
        thread.start()
        servers.append((server, thread))
        return int(server.getsockname()[1])

    yield start
    for server, thread in servers:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


def refusal(code: int) -> bytes:
    return encode_raw(Command.BIND_TRANSCEIVER | IS_ANSWER, code, 1, b"")


def test_one_that_lets_us_in_is_well_and_one_beside_it_that_does_not_is_a_problem(examine, tmp_path):
    nobody = free_port()
    with running(tmp_path) as smsc:
        well, away = examine(smsc.port, nobody)
        assert smsc.submissions() == []

    assert (well.verdict, words(well.found)) == (Verdict.OK, f"smpp-0: 127.0.0.1:{smsc.port} lets us in")
    assert away.verdict is Verdict.PROBLEM
    assert f"smpp-1: the message centre at 127.0.0.1:{nobody} cannot be reached: " in words(away.found)
    assert words(away.advice).startswith("check host and port")


@pytest.mark.parametrize(
    ("code", "name", "verdict", "advice"),
    [
        (status.ESME_RINVPASWD, "ESME_RINVPASWD (the password is wrong)", Verdict.PROBLEM, "check system_id"),
        (status.ESME_RALYBND, "ESME_RALYBND (the account is bound already)", Verdict.WARNING, "where the server"),
    ],
)
def test_a_bind_that_is_refused_is_said_with_the_name_of_its_status(examine, stranger, code, name, verdict, advice):
    (found,) = examine(stranger(refusal(code)))

    assert found.verdict is verdict
    assert f"refuses to let us in: {name}" in words(found.found)
    assert "s3cret" not in words(found.found)
    assert words(found.advice).startswith(advice)


def test_what_is_no_message_centre_or_speaks_no_tls_is_said(examine, stranger):
    (plain,) = examine(stranger(b""))
    (tls,) = examine(stranger(b"220 mail.example ESMTP\r\n"), more="tls = true")

    assert "it is no message centre, or wants TLS" in words(plain.found)
    assert "does not speak TLS with us" in words(tls.found)
    assert words(tls.advice) == "check port and tls with the operator"


def test_a_certificate_that_nobody_vouches_for_is_said(examine, tmp_path):
    certificate = issue(tmp_path, "centre")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert_file, certificate.key_file)
    server = socket.create_server(("127.0.0.1", 0))

    def shake_hands() -> None:
        client, _ = server.accept()
        with client, pytest.raises(OSError):
            context.wrap_socket(client, server_side=True)

    thread = Thread(target=shake_hands)
    thread.start()
    (found,) = examine(server.getsockname()[1], more="tls = true")
    thread.join(5)
    server.close()

    assert "is not trusted" in words(found.found)
    assert "tls_ca" in words(found.advice)


def test_a_password_that_is_missing_is_named_by_its_variable(examine, monkeypatch):
    monkeypatch.delenv("SMPP_PASSWORD")

    (found,) = examine(free_port())

    assert found.verdict is Verdict.PROBLEM
    assert "SMPP_PASSWORD is not set" in words(found.found)


def test_a_file_that_cannot_be_read_is_a_problem_and_without_one_nothing_is_said(examine, monkeypatch, tmp_path):
    assert examine() == []
    monkeypatch.setenv("SMS_GATEWAYS", str(tmp_path / "nowhere.toml"))

    (found,) = gateways.examine(config.load())

    assert found.verdict is Verdict.PROBLEM
    assert "nowhere.toml cannot be read" in words(found.found)
