"""`python -m app doctor` on real databases and ports."""

import json
import socket
from threading import Thread

import pytest
import sqlalchemy as sa

from app import config
from app.doctor import examine
from app.doctor.finding import Finding, Verdict
from migrations import schema
from tests.integration.app.campaigns import run
from tests.integration.app.people import crowd, move_in, person
from tests.integration.app.serving import WITHIN_S, Product
from tests.ports import free_port
from tests.words import words


def found(check: str) -> Finding:
    """The first finding of a check, with the settings in force."""
    return next(each for each in examine(config.load(), _revisions) if each.check == check)


def _revisions(connection: sa.Connection) -> tuple[str, str]:
    now = schema.status(connection)
    return now.current, now.head


@pytest.fixture
def settings(app, monkeypatch):
    """Sets variables on top of those of `app`. A server that is there may take its time to answer."""
    monkeypatch.setattr("app.doctor.port.WITHIN_S", WITHIN_S)
    return lambda **given: [monkeypatch.setenv(name.upper(), str(value)) for name, value in given.items()]


def test_where_all_is_well_every_line_says_so(app):
    ended = app("doctor")

    assert ended.code == 0, ended.out
    assert [line.split()[:2] for line in ended.out.splitlines()] == [
        ["ok", check]
        for check in ("database", "schema", "genders", "queues", "logs", "room", "token", "port", "settings")
    ]


def test_a_problem_has_an_exit_status_and_says_what_to_do(app, settings, tmp_path):
    (tmp_path / "empty.db").touch(mode=0o600)
    settings(database_url=f"sqlite:///{tmp_path / 'empty.db'}")

    ended = app("doctor")

    assert ended.code == 1
    (line,) = [line for line in ended.out.splitlines() if line.startswith("problem")]
    assert "schema" in line and line.endswith("; run: python -m migrations")


def test_a_path_that_is_mistyped_is_a_problem_and_nothing_is_made(app, settings, tmp_path):
    settings(database_url=f"sqlite:///{tmp_path}/mistyped/sms.db", sms_log_dir=tmp_path / "also" / "mistyped")
    before = {*tmp_path.rglob("*")}

    ended = app("doctor")

    assert ended.code == 1
    (line,) = [line for line in ended.out.splitlines() if line.startswith("problem")]
    assert f"there is no file {tmp_path}/mistyped/sms.db" in line
    assert line.endswith("; run: python -m migrations, or correct DATABASE_URL")
    assert {*tmp_path.rglob("*")} == before


def test_an_sqlite_file_that_others_can_read_is_a_warning(app, tmp_path):
    assert "can be read by others" not in app("doctor").out
    (tmp_path / "sms.db").chmod(0o644)

    assert f"{tmp_path / 'sms.db'} can be read by others" in app("doctor").out


def test_programs_read_the_same_as_json(app, settings):
    settings(sms_host="0.0.0.0")

    ended = app("doctor", "--json")

    assert ended.code == 1
    verdicts = {each["check"]: each["verdict"] for each in json.loads(ended.out)}
    assert verdicts["database"] == "ok"
    assert verdicts["token"] == "problem"


def test_settings_that_cannot_be_used_are_said_in_one_line(app, settings):
    settings(sms_port="none")

    app("doctor").assert_refused("SMS_PORT")


def test_the_room_is_reckoned_from_messages_that_were_sent(app, sqlite, logs):
    move_in(sqlite, crowd(40))
    run(sqlite, logs, "a", 10)
    written = sum(each.stat().st_size for each in (logs / "a").glob("task_?.log"))

    assert f"to 40 customers writes some {written / 1e6:.1f} MB" in words(found("room").found)


# ── MySQL ───────────────────────────────────────────────────────────────────────────────────────


def test_the_room_is_reckoned_for_customers_not_for_ids(app, sqlite):
    move_in(sqlite, [person(1), person(4_000_000)])

    assert "to 2 customers writes" in words(found("room").found)


@pytest.mark.mysql
def test_a_mysql_is_examined(app, mysql, settings):
    settings(database_url=mysql.url.render_as_string(hide_password=False))

    ended = app("doctor")

    assert ended.code == 0, ended.out
    lines = [line.split()[:2] for line in ended.out.splitlines()]
    assert lines[:2] == [["ok", "database"], ["ok", "version"]]
    assert {check for _, check in lines} >= {"charset", "local_infile", "packets", "clock", "schema"}
    assert f"at {schema.revisions()[-1]}, the newest" in ended.out


@pytest.mark.mysql
def test_a_table_that_cannot_hold_every_name_is_a_problem(app, mysql, settings):
    settings(database_url=mysql.url.render_as_string(hide_password=False))
    with mysql.begin() as connection:
        connection.execute(sa.text("ALTER TABLE customers CONVERT TO CHARACTER SET latin1"))

    finding = found("charset")

    assert finding.verdict is Verdict.PROBLEM
    assert words(finding.found).startswith("customers.")
    assert words(finding.advice) == "ALTER TABLE customers CONVERT TO CHARACTER SET utf8mb4"


@pytest.mark.mysql
def test_an_older_or_newer_schema_is_a_problem(app, mysql, settings):
    settings(database_url=mysql.url.render_as_string(hide_password=False))
    with mysql.connect() as connection:
        schema.downgrade(connection, "0001")
    older = found("schema")
    with mysql.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    newer = found("schema")

    assert (older.verdict, words(older.advice)) == (Verdict.PROBLEM, "run: python -m migrations")
    assert newer.verdict is Verdict.PROBLEM
    assert "9999" in words(newer.found)


@pytest.mark.mysql
def test_a_wrong_password_is_a_problem_without_the_password(app, mysql_url, settings):
    wrong = sa.make_url(mysql_url).set(password="wr0ng-pw").render_as_string(hide_password=False)
    settings(database_url=wrong)

    ended = app("doctor")

    assert ended.code == 1
    assert "does not let sms in; correct user and password in DATABASE_URL" in ended.out
    assert "wr0ng-pw" not in ended.out + ended.err


def test_a_database_that_does_not_answer_is_a_problem_and_the_rest_is_examined(app, settings):
    settings(database_url=f"mysql+pymysql://sms:sms@127.0.0.1:{free_port()}/sms")

    ended = app("doctor")

    assert ended.code == 1
    assert ended.out.splitlines()[0].startswith("problem  database")
    assert "token" in ended.out


# ── the port ────────────────────────────────────────────────────────────────────────────────────


def test_our_server_is_known_by_its_answer_and_nothing_is_started(app, server, settings):
    settings(sms_port=server.port)
    before = server.count_campaigns()

    finding = found("port")

    assert (finding.verdict, words(finding.found)) == (Verdict.OK, f"our server answers at 127.0.0.1:{server.port}")
    assert server.count_campaigns() == before


def test_another_program_at_the_port_is_a_problem(app, settings):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings(sms_port=listener.getsockname()[1])
        listener.settimeout(WITHIN_S)

        thread = Thread(target=_greet, args=[listener])
        thread.start()
        finding = found("port")
        thread.join(WITHIN_S)

    assert finding.verdict is Verdict.PROBLEM


def _greet(listener: socket.socket) -> None:
    client, _ = listener.accept()
    with client:
        client.sendall(b"220 mail.example ESMTP\r\n")


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours_is_a_problem(app, settings, monkeypatch, host):
    monkeypatch.setattr("app.doctor.port.WITHIN_S", 0.2)
    settings(sms_host=host, sms_trigger_token="x" * 32)

    assert found("port").verdict is Verdict.PROBLEM


def test_a_server_that_asks_for_a_token_is_a_problem_where_none_is_set(app, sqlite_url, tmp_path, settings):
    with Product(sqlite_url, tmp_path, trigger_token="one-token-of-the-server") as product:
        product.start()
        settings(sms_port=product.port)
        port, token = found("port"), found("token")

    assert "asks for a token, and none is set here" in words(port.found)
    assert (token.verdict, port.verdict) == (Verdict.OK, Verdict.PROBLEM)
    assert "none is set here" in words(token.found)


def test_a_server_with_another_token_is_a_problem(app, sqlite_url, tmp_path, settings):
    with Product(sqlite_url, tmp_path, trigger_token="one-token-of-the-server") as product:
        product.start()
        settings(sms_port=product.port, sms_trigger_token="another-token-of-ours")
        other = found("port")
        settings(sms_trigger_token="one-token-of-the-server")
        same = found("port")

    assert other.verdict is Verdict.PROBLEM
    assert "another token" in words(other.found)
    assert same.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("genders", "said"),
    [
        ([], "there are no customers yet"),
        ([1, 0, 0, None], "1 先生, 2 女士, 1 客户 of those looked at"),
        ([0] * 100, "all of 100 customers looked at are women"),
    ],
)
def test_the_genders_are_counted_and_all_women_are_a_warning(app, sqlite, genders, said):
    move_in(sqlite, [person(number, gender=gender) for number, gender in enumerate(genders, 1)])

    finding = found("genders")

    assert (finding.verdict, words(finding.found)) == (Verdict.WARNING if len(genders) == 100 else Verdict.OK, said)


def test_values_that_are_no_gender_are_counted_until_they_are_corrected_and_kept_out(database, settings, app):
    settings(database_url=database.url.render_as_string(hide_password=False))
    move_in(database, [person(1, gender=0), *(person(number, gender=2) for number in range(2, 14))])

    wrong = found("genders")
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE customers SET gender = 0 WHERE gender = 2"))
    corrected = found("genders")
    with database.connect() as connection:
        schema.upgrade(connection)

    assert (wrong.verdict, words(wrong.found)) == (
        Verdict.WARNING,
        "12 customers have an invalid gender (2 ×12) and are greeted 先生",
    )
    assert words(corrected.found) == "the table accepts invalid genders"
    assert words(corrected.advice) == "run: python -m migrations"
    assert found("genders").verdict is Verdict.OK
