"""Against bytes that no browser would send: too many, too slow, no HTTP, or one request hidden in another."""

import contextlib
import resource
import socket
import threading
from collections import deque

import pytest

from tests.integration.app.hostile import OURS, hostile_web
from tests.integration.app.raw_http import HOST, ask, most_memory, request, statuses
from tests.integration.app.serving import changed
from tests.waiting import until

MIB = 2**20


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    with hostile_web(tmp_path_factory.mktemp("hostile")) as one:
        yield one


def get(web, path, *headers):
    return ask(web.port, request(f"GET {path}", *headers))


# ── too much ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/people", "/nowhere", "/api/v1/opt-outs", "/api/v1/receipts/net"])
def test_a_body_of_100_mb_is_refused_before_it_comes(web, path):
    assert statuses(ask(web.port, request(f"POST {path}", OURS, f"Content-Length: {100 * MIB}"))) == [413]


@pytest.mark.parametrize("path", ["/people", "/nowhere", "/api/v1/opt-outs", "/api/v1/receipts/net"])
@pytest.mark.parametrize("has_token", [True, False])
def test_a_body_of_100_mb_in_pieces_leaves_memory_as_it_was(web, path, has_token):
    before = most_memory(web.web.process.pid)
    token = [web.token] if has_token else []
    piece = b"10000\r\n" + b"a" * 65_536 + b"\r\n"

    answer = ask(
        web.port, request(f"POST {path}", OURS, *token, "Transfer-Encoding: chunked"), *[piece] * 1_600, b"0\r\n\r\n"
    )

    assert set(statuses(answer)) <= {401, 404, 413}
    assert most_memory(web.web.process.pid) - before < 24 * MIB


@pytest.mark.parametrize(
    "headers",
    [[f"X-{number}: a" for number in range(10_000)], ["X-A: " + "a" * MIB], ["Cookie: " + "a=b; " * 50_000]],
    ids=["many", "long", "cookies"],
)
def test_heads_of_any_size_are_refused(web, headers):
    assert set(statuses(get(web, "/", *headers))) <= {400, 431}


def test_an_address_of_any_length_is_refused(web):
    assert set(statuses(get(web, "/" + "a" * MIB))) <= {400}


# ── one request in another ──────────────────────────────────────────────────────────────────────

HIDDEN = "GET /api/v1/openapi.json HTTP/1.1\r\n" + HOST + "\r\n"


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
        "Content-Length: 6\r\nContent-Length: 7\r\n",
        "Content-Length: 6, 7\r\n",
        "Content-Length: +6\r\n",
        "Content-Length: -6\r\n",
        "Content-Length: 0x6\r\n",
        "Content-Length: 6 6\r\n",
        "Content-Length: ６\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\x0bchunked\r\n",
        "Content-Length : 6\r\n",
    ],
)
def test_a_request_of_two_lengths_is_refused_and_what_is_hidden_in_it_not_answered(web, lengths):
    answer = ask(
        web.port, f"POST /people HTTP/1.1\r\n{HOST}{OURS}\r\n{lengths}\r\n".encode(), f"0\r\n\r\nX{HIDDEN}{HIDDEN}"
    )

    assert statuses(answer) in ([400], [501])
    assert b"openapi" not in answer


@pytest.mark.parametrize("size", ["-1", "0x2", "+2", "2;", "G", "F" * 21, "2\n", " 2"])
def test_a_piece_of_no_size_ends_it(web, size):
    head = f"POST /people HTTP/1.1\r\n{HOST}{OURS}\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = ask(web.port, head, f"{size}\r\na=\r\n0\r\n\r\n", request("GET /health/live"))

    assert len(statuses(answer)) <= 2
    assert statuses(answer)[-1] in {200, 400}


def test_requests_one_behind_the_other_are_answered_one_behind_the_other(web):
    one = f"GET /health/live HTTP/1.1\r\n{HOST}\r\n"

    assert statuses(ask(web.port, one * 20, request("GET /nowhere"))) == [200] * 20 + [404]


def test_a_body_that_looks_like_a_request_is_a_body(web):
    head = f"POST /nowhere HTTP/1.1\r\n{HOST}Content-Length: {len(HIDDEN)}\r\n\r\n"

    assert statuses(ask(web.port, head, HIDDEN, request("GET /health/live"))) == [404, 200]


@pytest.mark.parametrize(
    "said",
    [b"", b"\r\n" * 1000, b"\0" * 10_000, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\x02\x00\x01",
     b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"get / http/1.1\r\n\r\n", b"GET  /  HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_refused(web, said):
    assert set(statuses(ask(web.port, said, b"\r\n\r\n", request("BREW /")))) <= {400, 405, 421}


# ── very many, and very slow ────────────────────────────────────────────────────────────────────

IMPATIENT = changed("app.web.patience", command="web", ASKED_WITHIN_S=0.3, LOOKS_UNREAD=3)
CONNECTIONS = 10_000


@pytest.fixture
def descriptors():
    """As many as we may have; how many connections that is good for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield min(CONNECTIONS, (CONNECTIONS if hard == resource.RLIM_INFINITY else hard) - 500)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Flood:
    """Connections that are opened one after the other, ask for half of something, and stay; once there are `at_once`
    the oldest makes room for a new one, for ever."""

    def __init__(self, port: int, at_once: int, said: bytes) -> None:
        self._to = ("127.0.0.1", port)
        self._at_once = at_once
        self._said = said
        self._open: deque[socket.socket] = deque()
        self._is_over = threading.Event()
        self.count = 0

    def run(self) -> None:
        while not self._is_over.is_set():
            if len(self._open) >= self._at_once:
                self._open.popleft().close()
            with contextlib.suppress(OSError):
                one = socket.create_connection(self._to, 60)
                self._open.append(one)
                one.sendall(self._said)
                self.count += 1

    def end(self) -> None:
        self._is_over.set()

    def close(self) -> None:
        for each in self._open:
            each.close()


@contextlib.contextmanager
def flooded(*given):
    flood = Flood(*given)
    thread = threading.Thread(target=flood.run)
    thread.start()
    try:
        yield flood
    finally:
        flood.end()
        thread.join()
        flood.close()


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "said",
    [b"", b"GET / HTT", f"POST /people HTTP/1.1\r\n{HOST}{OURS}\r\nContent-Length: 9\r\n\r\nwho".encode()],
    ids=["nothing", "half a head", "half a body"],
)
def test_ten_thousand_slow_connections_keep_nobody_out(web, descriptors, said):
    before = most_memory(web.web.process.pid)
    wanted = CONNECTIONS if b"POST" not in said else 3_000  # each of these is a request, and takes its time

    with flooded(web.port, descriptors, said) as flood:
        until(lambda: flood.count >= 1_500, within_s=120, what="there are more connections than places")
        while flood.count < wanted:
            assert statuses(get(web, "/login")) == [200]

    assert statuses(get(web, "/health/ready")) == [200]
    assert most_memory(web.web.process.pid) - before < 64 * MIB


@pytest.mark.long
def test_who_does_not_read_the_answers_is_let_go(tmp_path):
    with hostile_web(tmp_path, IMPATIENT) as web, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        deaf.settimeout(60)
        deaf.connect(("127.0.0.1", web.port))
        deaf.setblocking(False)
        asked = f"GET /login HTTP/1.1\r\n{HOST}\r\n".encode() * 100

        def is_let_go():
            try:
                deaf.send(asked)
            except BlockingIOError:
                return False
            except ConnectionError:
                return True
            return False

        until(is_let_go, within_s=120, what="the server lets it go")


@pytest.mark.long
def test_a_body_that_comes_drop_by_drop_is_not_waited_for(tmp_path):
    with hostile_web(tmp_path, IMPATIENT) as web, socket.create_connection(("127.0.0.1", web.port), 60) as slow:
        slow.sendall(f"POST /people HTTP/1.1\r\n{HOST}{OURS}\r\nContent-Length: 1000\r\n\r\n".encode())

        def is_let_go():
            try:
                slow.sendall(b"w")
            except ConnectionError:
                return True
            return False

        until(is_let_go, within_s=120, what="the server lets it go")
