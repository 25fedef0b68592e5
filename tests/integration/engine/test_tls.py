"""Clients that speak TLS, and those that should have."""

import signal
import socket
import ssl
import struct
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import Client, Server
from engine.worker import accepting
from tests.certificates import Pair, issue
from tests.integration.engine.inside import note
from tests.integration.engine.servers import Running, running, start, wait_until
from tests.integration.engine.test_farewell import LARGE, words

FRAMES: dict[str, Any] = {"open_length_check": True, "package_body_offset": 4, "task_worker_num": 0}


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def greeting(server: Server) -> None:
    """Echo, and a note of who comes."""
    words(server)

    @server.on("connect")
    def connect(server: Server, fd: int, reactor_id: int) -> None:
        note("connect", fd, server.get_client_info(fd))


def impatient(server: Server) -> None:
    """The same; nobody has long for the handshake."""
    accepting.HANDSHAKE_S = 0.2
    greeting(server)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return issue(tmp_path_factory.mktemp("authority"), "authority")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, authority: Pair) -> Pair:
    return issue(tmp_path_factory.mktemp("own"), "server", authority)


@pytest.fixture
def server(tmp_path: Path, own: Pair) -> Iterator[Running]:
    with running(greeting, tmp_path, buffer_output_size=2**24, max_conn=3, **files_of(own), **FRAMES) as server:
        yield server


def files_of(pair: Pair) -> dict[str, str]:
    """A server's settings."""
    return {"ssl_cert_file": pair.cert_file, "ssl_key_file": pair.key_file}


@pytest.fixture
def trusting(authority: Pair) -> ssl.SSLContext:
    """A client's context."""
    return ssl.create_default_context(cafile=authority.cert_file)


def failures(server: Running) -> list[dict[str, Any]]:
    return wait_until(lambda: server.log("TLS handshake failed"), "a line in the log")


def test_frames_come_back_over_tls(server: Running, trusting: ssl.SSLContext) -> None:
    with Client("127.0.0.1", server.port, ssl_context=trusting) as client:
        client.send("你好")
        client.send_raw(framed(b"cut")[:5])
        client.send_raw(framed(b"cut")[5:])

        assert client.read(10 + 7) == framed("你好".encode()) + framed(b"cut")
        host, port = client._socket.getsockname()
    ((_, info),) = server.wait_for_notes("connect")
    assert (info["remote_ip"], info["remote_port"]) == (host, port)
    server.wait_for_notes("close")


def test_a_large_answer_before_a_close_arrives_whole_over_tls(server: Running, trusting: ssl.SSLContext) -> None:
    with Client("127.0.0.1", server.port, ssl_context=trusting) as client:
        client.send("close")

        assert len(client.read(LARGE + 1)) == LARGE
    assert server.wait_for_notes("close") == [[1, False]]


def test_a_client_that_speaks_no_tls_gets_one_line(server: Running) -> None:
    with server.connect() as connection:
        peer = "{}:{}".format(*connection.getsockname())
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        while connection.recv(100):  # an alert, perhaps
            pass

        (line,) = failures(server)
    assert (line["level"], line["peer"], line["trace"]) == ("WARNING", peer, "")
    assert "HTTP" in line["reason"].upper()
    assert server.notes("connect") == []


def test_a_client_that_says_nothing_is_not_waited_for(tmp_path: Path, own: Pair) -> None:
    with running(impatient, tmp_path, **files_of(own), **FRAMES) as server, server.connect() as connection:
        assert connection.recv(1) == b""

        (line,) = failures(server)
    assert "longer than 0.2 seconds" in line["reason"]


def test_a_client_that_leaves_in_the_handshake_gets_one_line(server: Running) -> None:
    server.connect().close()

    (line,) = failures(server)
    assert "ConnectionResetError" in line["reason"] or "reset" in line["reason"]


def test_tls_1_1_is_refused(server: Running) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(OSError):
        Client("127.0.0.1", server.port, ssl_context=old)

    (line,) = failures(server)
    assert "version" in line["reason"].lower() or "UNSUPPORTED_PROTOCOL" in line["reason"]


def test_over_tls_there_are_no_more_than_max_conn_either(server: Running, trusting: ssl.SSLContext) -> None:
    clients = [Client("127.0.0.1", server.port, ssl_context=trusting) for _ in range(3)]
    server.wait_for_notes("connect", 3)

    with pytest.raises(OSError):
        Client("127.0.0.1", server.port, ssl_context=trusting)

    assert wait_until(lambda: server.log("max_conn is reached"), "a line in the log")
    for client in clients:
        client.close()


def test_frames_that_came_during_a_pause_are_answered_over_tls(
    server: Running, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    burst = b"".join(framed(b"%d" % number) for number in range(1000))
    with Client("127.0.0.1", server.port, ssl_context=trusting) as client:
        client.send_raw(framed(b"pause " + bytes(gate)) + burst)
        server.wait_for_notes("receive")
        with Client("127.0.0.1", server.port, ssl_context=trusting) as leaving:
            leaving.send("my last words")
            leaving._socket.shutdown(socket.SHUT_WR)
            gate.touch()

            assert client.read(len(burst)) == burst
            server.wait_for_notes("close")
    assert ["my last words"] in server.notes("receive")


def test_a_client_that_says_all_with_its_handshake_and_leaves_is_heard(
    server: Running, trusting: ssl.SSLContext
) -> None:
    """TLS by hand: the end of the handshake, a frame, the good-bye and the end of the stream in one go."""
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting.wrap_bio(inside, outside, server_hostname="127.0.0.1")
    with server.connect() as connection:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                connection.sendall(outside.read())
                inside.write(connection.recv(65536))
        tls.write(framed(b"all at once"))
        with suppress(ssl.SSLWantReadError):
            tls.unwrap()
        connection.sendall(outside.read())
        connection.shutdown(socket.SHUT_WR)

        server.wait_for_notes("close")
        assert server.notes("receive") == [["all at once"]]


def test_a_server_with_tls_clients_stops_in_good_order(server: Running, trusting: ssl.SSLContext) -> None:
    with Client("127.0.0.1", server.port, ssl_context=trusting) as client, server.connect():
        client.send("hello")
        assert client.read(9) == framed(b"hello")

        server.send_signal(signal.SIGTERM)

        assert client.read(1) == b""
    assert server.exit_status() == 0
    assert server.log("did not take") == []


def test_only_clients_with_a_certificate_of_ours_are_let_in(
    tmp_path: Path, own: Pair, authority: Pair, trusting: ssl.SSLContext
) -> None:
    files = {**files_of(own), "ssl_client_cert_file": authority.cert_file}
    known = issue(tmp_path, "known", authority)
    with running(greeting, tmp_path / "server", ssl_verify_peer=True, **files, **FRAMES) as server:
        with suppress(OSError):  # with TLS 1.3 the client hears of it when it reads, or finds the stream at its end
            assert Client("127.0.0.1", server.port, ssl_context=trusting).read(1) == b""
        (line,) = failures(server)
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in line["reason"]

        trusting.load_cert_chain(known.cert_file, known.key_file)
        with Client("127.0.0.1", server.port, ssl_context=trusting) as client:
            client.send("hello")
            assert client.read(9) == framed(b"hello")


def test_a_certificate_that_cannot_be_used_stops_the_server_before_it_starts(tmp_path: Path, own: Pair) -> None:
    missing = str(tmp_path / "nowhere.crt")

    server = start(greeting, tmp_path / "server", ssl_cert_file=missing, ssl_key_file=own.key_file, **FRAMES)

    assert server.exit_status() == 1
    assert f"StartError: ssl_cert_file {missing} cannot be read: No such file or directory" in server.stderr()
    assert server.processes() == {}


def test_a_client_that_does_not_trust_the_server_says_so(server: Running) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        Client("127.0.0.1", server.port, ssl_context=ssl.create_default_context())

    assert failures(server)


# ── renewal ─────────────────────────────────────────────────────────────────────────────────────


def install(files: dict[str, str], pair: Pair) -> None:
    """Put a certificate and its key in place of those that the server has."""
    Path(files["ssl_cert_file"]).write_bytes(Path(pair.cert_file).read_bytes())
    Path(files["ssl_key_file"]).write_bytes(Path(pair.key_file).read_bytes())


def shown(server: Running, trusting: ssl.SSLContext) -> str:
    """The serial number of the certificate that a client is shown, hexadecimal; a frame comes back as well."""
    with Client("127.0.0.1", server.port, ssl_context=trusting) as client:
        client.send("x")
        assert client.read(5) == framed(b"x")
        found = client._socket.getpeercert()  # type: ignore[attr-defined]
        return str(found["serialNumber"])


def serial(pair: Pair) -> str:
    return f"{pair.certificate.serial_number:X}".zfill(2)


def all_shown(server: Running, trusting: ssl.SSLContext) -> set[str]:
    """What clients are shown, whichever event worker they come to."""
    return {shown(server, trusting).lstrip("0") for _ in range(12)}


def reload(server: Running, times: int) -> None:
    server.send_signal(signal.SIGUSR1)
    wait_until(lambda: len(server.log("reload ended")) == times, "the reload has ended")
    wait_until(lambda: len(server.family()) == 3, "the old event workers left")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    return {"ssl_cert_file": str(tmp_path / "own.crt"), "ssl_key_file": str(tmp_path / "own.key")}


@pytest.fixture
def renewable(tmp_path: Path, own: Pair, files: dict[str, str]) -> Iterator[Running]:
    """A server with two event workers, whose certificate is a copy."""
    install(files, own)
    with running(words, tmp_path / "server", worker_num=2, **files, **FRAMES) as server:
        yield server


def test_a_renewed_certificate_is_taken_on_by_a_reload_and_its_clients_are_served_to_the_end(
    renewable: Running, tmp_path: Path, files: dict[str, str], own: Pair, authority: Pair, trusting: ssl.SSLContext
) -> None:
    new = issue(tmp_path, "renewed", authority)
    assert all_shown(renewable, trusting) == {serial(own).lstrip("0")}

    install(files, new)
    assert all_shown(renewable, trusting) == {serial(own).lstrip("0")}
    reload(renewable, 1)

    assert all_shown(renewable, trusting) == {serial(new).lstrip("0")}
    assert len(renewable.log("certificates renewed")) == 1


def test_a_certificate_that_cannot_be_used_is_refused_and_the_one_before_kept_until_it_is_put_right(
    renewable: Running, tmp_path: Path, files: dict[str, str], own: Pair, authority: Pair, trusting: ssl.SSLContext
) -> None:
    renewable.errors_are_fine = True
    new = issue(tmp_path, "renewed", authority)

    Path(files["ssl_cert_file"]).write_bytes(Path(new.cert_file).read_bytes())  # its key is not there yet
    reload(renewable, 1)
    (line,) = renewable.log("certificates cannot be renewed")
    assert all_shown(renewable, trusting) == {serial(own).lstrip("0")}

    install(files, new)
    reload(renewable, 2)

    assert line["level"] == "ERROR"
    assert "does not belong to ssl_cert_file" in line["said"]
    assert all_shown(renewable, trusting) == {serial(new).lstrip("0")}


def test_a_certificate_that_is_gone_is_no_reason_to_serve_nobody(
    renewable: Running, files: dict[str, str], own: Pair, trusting: ssl.SSLContext
) -> None:
    renewable.errors_are_fine = True
    Path(files["ssl_key_file"]).unlink()
    reload(renewable, 1)
    dead = renewable.kill("worker 0")
    wait_until(lambda: renewable.processes().get("worker 0", dead) != dead, "another event worker")

    assert all_shown(renewable, trusting) == {serial(own).lstrip("0")}
    (line,) = renewable.log("certificates cannot be renewed")
    assert "No such file or directory" in line["said"]


def test_where_no_certificate_changed_a_session_is_resumed_after_a_reload(renewable: Running, authority: Pair) -> None:
    """All event workers, old and new, have the keys of its ticket."""
    context = ssl.create_default_context(cafile=authority.cert_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose tickets come with the handshake

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None]:
        """The session, and whether it is the one that was given."""
        with socket.create_connection(("127.0.0.1", renewable.port), timeout=10) as plain:
            wrapped = context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)
            with wrapped:
                wrapped.sendall(framed(b"x"))
                assert wrapped.recv(5) == framed(b"x")
                return wrapped.session, wrapped.session_reused

    session, _ = connect(None)
    reload(renewable, 1)

    assert [connect(session)[1] for _ in range(8)] == [True] * 8
    assert renewable.log("certificates") == []
