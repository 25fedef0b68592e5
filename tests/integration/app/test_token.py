"""Who may trigger a campaign, and that the secrets which say so are written nowhere."""

import contextlib
import json
import secrets
import socket
import stat
import struct
from collections.abc import Iterator

import psutil
import pytest
import sqlalchemy as sa
from pydantic import SecretStr
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from app.store.database import open_database
from app.trigger.requests import Trigger
from app.trigger.token import make_token
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import crowd, move_in
from tests.integration.app.serving import Product
from tests.waiting import until

TOKEN = "t0p-secret-t0ken"
REFUSED = "请发送JSON,并带上正确的token"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A running server that asks for a token."""
    home = tmp_path_factory.mktemp("product")
    url = f"sqlite:///{home / 'sms.db'}"
    with with_tables(url), Product(url, home, shard_size=10, trigger_token=TOKEN) as product:
        move_in(product.database, crowd(40))
        product.start()
        yield product
        assert TOKEN not in product.said()


@pytest.mark.parametrize(
    "body",
    [
        '{"campaign": "没有"}',
        '{"campaign": "没有", "token": ""}',
        '{"campaign": "没有", "token": "t0p-secret-t0keN"}',
        '{"campaign": "没有", "token": "t0p-secret-t0ken "}',
        '{"campaign": "没有", "token": "令牌"}',
        '{"campaign": "没有", "token": "\\ud842"}',
        '{"campaign": "没有", "token": ["t0p-secret-t0ken"]}',
        '{"campaign": "没有", "watch": true}',
        '{"watch": "没有"}',
        '{"nonsense": 1}',
        '{"campaign": "没有", "token": "another", "watch": "\\"token\\": \\"t0p-secret-t0ken\\""}',
    ],
)
def test_an_object_without_the_right_token_gets_one_answer_whatever_else_it_says(guarded, body):
    answer = json.loads(guarded.ask(body))

    assert answer == {"ok": False, "error": "forbidden", "message": REFUSED}
    assert guarded.state("没有") == ""


@pytest.mark.parametrize("body", ["没有", TOKEN, "", b"\xff"])
def test_plain_text_cannot_bear_a_token_and_is_refused(guarded, body):
    assert guarded.ask(body) == REFUSED
    assert guarded.count_campaigns() == 0 or guarded.state("没有") == ""


def test_whoever_bears_the_token_is_told_what_is_wrong_with_the_rest(guarded):
    with guarded.client() as client:
        client.send('{"token": "t0p-secret-t0ken"')
        answers = [json.loads(client.read_line())]
        client.send('{"token": "t0p-secret-t0ken"}')
        answers.append(json.loads(client.read_line()))

    assert [each["error"] for each in answers] == ["bad_json", "bad_field"]


def test_a_token_that_stands_elsewhere_in_the_request_does_not_count(guarded):
    hidden = {"campaign": "没有", "template": {"token": TOKEN}}

    answers = [json.loads(guarded.ask(json.dumps(each))) for each in (hidden, {**hidden, "template": TOKEN})]

    assert [each["ok"] for each in answers] == [False, False]
    assert guarded.state("没有") == ""


def test_who_does_not_bear_the_token_gets_one_answer_and_is_closed_however_much_it_asks(sqlite_url, tmp_path):
    requests = b"".join(struct.pack(">I", len(body)) + body for body in [b"{}", b"no"] * 20_000)
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, trigger_token=TOKEN, worker_num=1) as product:
        product.start()
        peers = []
        for _ in range(3):
            with product.client() as client:
                peers.append("{}:{}".format(*client._socket.getsockname()))
                with contextlib.suppress(OSError):  # it may be closed before all is sent
                    client.send_raw(requests)
                with contextlib.suppress(ConnectionResetError):
                    assert len(list(client.lines())) == 1
        product.stop()
        lines = [line for line in product.said().splitlines() if "without the right token" in line]

    assert lines[0].endswith(f"request without the right token refused peer={peers[0]}")
    assert lines[1].endswith("more requests without the right token refused count=2")
    assert len(lines) == 2


def test_a_client_that_asks_and_asks_and_reads_nothing_is_closed_with_one_line(sqlite_url, tmp_path):
    request = struct.pack(">I", 2) + b"{}"
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, worker_num=1) as product:
        product.start()
        with product.client() as client:
            client._socket.settimeout(0.2)
            said = "client reads too slowly, closed"

            def is_closed() -> bool:
                with contextlib.suppress(OSError):
                    client.send_raw(request * 10_000)
                return said in product.said()

            until(is_closed, what="the client is closed")
        product.ask("a")
        product.stop()

        assert product.said().count(said) == 1
        assert len(product.said()) < 10_000


def test_the_commands_send_the_token_by_themselves(guarded):
    with_it = guarded.run("trigger", "命令", "--watch")
    guarded.environment["SMS_TRIGGER_TOKEN"] = "another"
    try:
        with_another = guarded.run("trigger", "别的命令")
    finally:
        guarded.environment["SMS_TRIGGER_TOKEN"] = TOKEN

    assert with_it.returncode == 0, with_it.stderr
    assert (with_another.returncode, with_another.stdout) == (1, "")
    assert with_another.stderr.startswith(
        "error: the server requires a token, and this command did not send the right one"
    )


def test_a_server_without_a_token_takes_requests_that_bear_one(server):
    assert json.loads(server.ask('{"campaign": "多带令牌", "token": "x"}'))["ok"]


# ── the file ────────────────────────────────────────────────────────────────────────────────────


def test_a_token_is_made_once_for_its_owner_alone_and_is_never_shown(app, logs):
    first, token = app("token"), (logs / ".token").read_text().strip()
    second, quiet = app("token"), app("token", "--quiet")

    assert (first.code, second.code, quiet.code) == (0, 0, 0)
    assert "there is a token" in second.out
    assert quiet.out + quiet.err == ""
    assert len(token) >= 32
    assert (logs / ".token").read_text().strip() == token
    assert stat.S_IMODE((logs / ".token").stat().st_mode) == 0o600
    assert stat.S_IMODE(logs.stat().st_mode) == 0o700
    assert str(logs / ".token") in first.out
    assert token not in first.out + second.out + first.err + second.err
    assert [each.name for each in logs.iterdir()] == [".token"]


@pytest.mark.parametrize("form", ["plain", "json"])
@pytest.mark.parametrize("request_", [b'{"token":"t0p-secret-t0ken"}', b"t0p-secret-t0ken"])
def test_a_request_whose_length_was_forgotten_is_not_written_down(sqlite_url, tmp_path, form, request_):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, trigger_token=TOKEN, log_format=form) as product:
        product.start()
        with product.client() as client:
            client.send_raw(request_)
            assert client.read_line() == ""
        said = product.said()

    assert "invalid frame length" in said
    assert ("looks like JSON without its length" in said) is request_.startswith(b"{")
    for part in (TOKEN[:4], request_[4:8].hex(" "), request_[4:8].hex()):
        assert part not in said


def test_server_and_commands_read_the_same_file(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path) as product:
        move_in(product.database, crowd(5))
        made = product.run("token")
        product.start()

        by_hand = product.ask("手工")
        by_command = product.run("trigger", "命令", "--watch")

    assert made.returncode == 0
    assert by_hand == REFUSED
    assert by_command.returncode == 0, by_command.stderr


def test_two_that_make_a_token_at_the_same_moment_have_one(tmp_path, monkeypatch):
    path = tmp_path / "token"
    monkeypatch.setattr("pathlib.Path.exists", lambda _: False)  # both look before either has made one

    assert [make_token(path), make_token(path)] == [True, False]
    assert [each.name for each in tmp_path.iterdir()] == ["token"]


@pytest.mark.parametrize("command", [["serve"], ["trigger", "a"]])
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no file"), (b"", "holds no token"), (b" \n", "holds no token"), (b"\xff\xfe", "holds no token")],
    ids=["missing", "empty", "blank", "no text"],
)
def test_a_token_file_that_is_named_and_holds_none_leaves_nothing_open(
    app, monkeypatch, tmp_path, command, content, words
):
    path = tmp_path / "token"
    monkeypatch.setenv("SMS_TRIGGER_TOKEN_FILE", str(path))
    if content is not None:
        path.write_bytes(content)

    app(*command).assert_refused(str(path), words, "python -m app token")


# ── who can reach the port ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "lan.example"])
def test_without_a_token_the_server_does_not_listen_where_others_reach_it(app, monkeypatch, host):
    look_up = socket.getaddrinfo
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda name, *a, **k: look_up("192.0.2.7" if name == "lan.example" else name, *a, **k)
    )
    monkeypatch.setenv("SMS_HOST", host)

    app("serve").assert_refused(f"SMS_HOST {host} can be reached", "SMS_TRIGGER_TOKEN", "127.0.0.1")


def test_a_name_with_one_address_that_others_reach_needs_a_token(app, monkeypatch):
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.1", "192.0.2.1")]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: both)
    monkeypatch.setenv("SMS_HOST", "two.example")

    app("serve").assert_refused("SMS_HOST two.example can be reached")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_on_loopback_the_server_needs_no_token(sqlite_url, tmp_path, host):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, host=host) as product:
        product.start()

        assert product.run("trigger", "a").returncode == 0


def test_with_a_token_the_server_listens_to_everybody(sqlite_url, tmp_path):
    with with_tables(sqlite_url), Product(sqlite_url, tmp_path, host="0.0.0.0", trigger_token=TOKEN) as product:
        product.start()

        assert product.ask("a") == REFUSED


# ── nowhere to be read ──────────────────────────────────────────────────────────────────────────


def test_a_request_shows_no_token_in_its_representation():
    assert TOKEN not in repr(Trigger("a", token=TOKEN))
    assert TOKEN not in repr(SecretStr(TOKEN))


@pytest.mark.mysql
def test_neither_token_nor_password_is_said_when_everything_goes_wrong(mysql_server, mysql_url, tmp_path):
    password, user = f"pw-{secrets.token_hex(8)}", f"u{secrets.token_hex(4)}"
    address = make_url(mysql_url)
    root = open_database(mysql_server.admin.render_as_string(hide_password=False))
    url = address.set(username=user, password=password).render_as_string(hide_password=False)
    try:
        with root.begin() as connection:
            connection.execute(sa.text(f"CREATE USER {user} IDENTIFIED BY '{password}'"))
            connection.execute(sa.text(f"GRANT ALL ON {address.database}.* TO {user}"))
        with with_tables(url), Product(url, tmp_path, trigger_token=TOKEN) as product:
            product.expects_tracebacks = True
            move_in(product.database, crowd(5))
            product.start()
            product.run("trigger", "a", "--watch")
            _lock_out(root, user)
            product.database.dispose()

            asked = product.ask(json.dumps({"campaign": "b", "token": TOKEN}))
            until(lambda: "database cannot be read" in product.said(), what="the server misses its database")
            ended = [product.run(*command) for command in (["status"], ["serve"], ["report", "a"], ["trigger", "b"])]
            product.environment["DATABASE_URL"] = f"mysql+nothing://{user}:{password}@127.0.0.1/sms"
            ended.append(product.run("status"))
            product.environment["DATABASE_URL"] = f"mysql+pymysql://{user}:{password}@127.0.0.1/sms?{password=}"
            ended.append(product.run("status"))
            said = product.said() + asked + "".join(each.stdout + each.stderr for each in ended)
            visible = _command_lines()
            assert "sms: manager" in visible
    finally:
        with root.begin() as connection:
            connection.execute(sa.text(f"DROP USER IF EXISTS {user}"))
        root.dispose()

    assert all(each.returncode == 1 for each in ended)
    assert "Access denied" in said
    assert TOKEN not in said + visible
    assert password not in said + visible


def _lock_out(root: sa.Engine, user: str) -> None:
    """The user's password is another from now on, and nobody of that name is connected."""
    with root.begin() as connection:
        connection.execute(sa.text(f"ALTER USER {user} IDENTIFIED BY 'changed'"))
        query = sa.text("SELECT id FROM information_schema.processlist WHERE user = :user")
        for (number,) in connection.execute(query, {"user": user}).all():
            with contextlib.suppress(OperationalError):  # it is gone already
                connection.execute(sa.text(f"KILL {number}"))


def _command_lines() -> str:
    """What `ps` shows to everybody, of every process that this one started, or one of those."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(" ".join(each.cmdline()))
    return "\n".join(found)
