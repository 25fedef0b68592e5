"""A file becomes an audience: all of it or nothing, and lines that cannot be read are listed."""

import os
import signal
import stat
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.errors import BadRequest, ImportRefused
from app.importing.columns import read_header
from app.importing.into import How, fill
from app.store.database import open_database
from tests import starting
from tests.integration.app.audiences import execute, settle
from tests.integration.app.campaigns import run, trigger
from tests.integration.app.people import expected_logs, logs_of, move_in, person
from tests.waiting import until

COLUMNS = read_header("a.csv", ["id", "name", "gender", "mobile", "城市"])
PEOPLE = [person(number, f"客户{number}号", (0, 1, None)[number % 3]) for number in range(1, 8)]
ODD = ['a\tb\\c"', "100%s", "{x}"]


def as_rows(people):
    return [[str(row[0]), row[1], "" if row[2] is None else str(row[2]), row[3], ODD[row[0] % 3]] for row in people]


def rows_in(database, name="vips"):
    with database.connect() as connection:
        found = connection.execute(sa.text(f"SELECT id, name, gender, mobile FROM {name} ORDER BY id"))
        return [tuple(row) for row in found]


def put(database, people, how=How.NEW, name="vips", columns=COLUMNS):
    return fill(database, name, how, columns, lambda _: iter([as_rows(people[:3]), [], as_rows(people[3:])]))


def tables_of(database):
    return {each for each in sa.inspect(database).get_table_names() if each.startswith("vips")}


@pytest.fixture(params=["load", "insert"])
def writer(database, request):
    """As the server takes rows: by LOAD DATA, or where it forbids that one by one."""
    if request.param == "load":
        engine = open_database(str(database.url.render_as_string(hide_password=False)), local_infile=True)
        yield engine
        engine.dispose()
    else:
        yield database


def test_rows_become_a_table_that_a_campaign_can_go_to(writer, logs):
    assert put(writer, PEOPLE) == 7

    assert rows_in(writer) == PEOPLE
    with writer.connect() as connection:
        cities = list(connection.scalars(sa.text("SELECT `城市` FROM vips ORDER BY id")))
    assert cities == [ODD[number % 3] for number in range(1, 8)]
    run(writer, logs, "a", 100, audience="vips")
    assert logs_of(logs, "a") == expected_logs(PEOPLE, 100)
    assert tables_of(writer) == {"vips"}


def test_a_table_that_is_there_is_replaced_or_added_to_only_when_somebody_says_so(database):
    put(database, PEOPLE[:4])

    with pytest.raises(ImportRefused, match=r"import_refused\.there"):
        put(database, PEOPLE)
    assert rows_in(database) == PEOPLE[:4]
    put(database, PEOPLE[4:], How.APPEND)
    assert rows_in(database) == PEOPLE
    put(database, PEOPLE[2:5], How.REPLACE)
    assert rows_in(database) == PEOPLE[2:5]
    assert tables_of(database) == {"vips"}


@pytest.mark.parametrize("how", [How.REPLACE, How.APPEND])
def test_rows_that_the_table_does_not_take_change_nothing(writer, how):
    put(writer, PEOPLE[:4])

    with pytest.raises(ImportRefused, match=r"import_refused\.rows"):
        put(writer, [*PEOPLE[4:], PEOPLE[6]], how)

    assert rows_in(writer) == PEOPLE[:4]
    assert tables_of(writer) == {"vips"}


def test_rows_whose_ids_are_there_already_change_nothing(writer):
    put(writer, PEOPLE[:4])

    with pytest.raises(ImportRefused, match=r"import_refused\.rows"):
        put(writer, PEOPLE[3:], How.APPEND)

    assert rows_in(writer) == PEOPLE[:4]


def test_nobody_at_all_replaces_nothing(database):
    put(database, PEOPLE)

    with pytest.raises(ImportRefused, match=r"import_refused\.empty"):
        put(database, [], How.REPLACE)

    assert rows_in(database) == PEOPLE


def test_those_of_a_campaign_that_is_not_over_are_not_replaced(database):
    put(database, PEOPLE)
    trigger(database, "a", 100, audience="vips")

    with pytest.raises(ImportRefused, match=r"import_refused\.under_way"):
        put(database, PEOPLE[:1], How.REPLACE)

    assert rows_in(database) == PEOPLE


def test_customers_are_added_to_and_never_replaced(database):
    move_in(database, PEOPLE[:3])
    plain = read_header("a.csv", ["id", "name", "gender", "mobile"])

    def four(people):
        return lambda _: iter([[row[:4] for row in as_rows(people)]])

    fill(database, "customers", How.APPEND, plain, four(PEOPLE[3:]))
    with pytest.raises(ImportRefused, match=r"import_refused\.customers"):
        fill(database, "customers", How.REPLACE, plain, four(PEOPLE[3:]))

    assert rows_in(database, "customers") == PEOPLE


def test_what_is_no_table_of_people_is_refused(database):
    settle(database, "guests", PEOPLE)
    execute(database, "CREATE VIEW vips AS SELECT * FROM guests")

    with pytest.raises(BadRequest, match=r"bad_audience\.ours"):
        put(database, PEOPLE, How.REPLACE, "messages")
    with pytest.raises(BadRequest, match=r"bad_audience\.name"):
        put(database, PEOPLE, How.NEW, "a b")
    with pytest.raises(ImportRefused, match=r"import_refused\.name"):
        put(database, PEOPLE, How.REPLACE)
    with pytest.raises(BadRequest, match=r"bad_audience\.not_there"):
        put(database, PEOPLE, How.APPEND, "nobody")
    with pytest.raises(ImportRefused, match=r"import_refused\.column"):
        put(database, PEOPLE, How.APPEND, "guests")


def test_a_second_import_into_the_same_table_is_told_of_the_first(mysql):
    def pages(_):
        with pytest.raises(ImportRefused, match=r"import_refused\.another"):
            put(mysql, PEOPLE)
        yield as_rows(PEOPLE)

    assert fill(mysql, "vips", How.NEW, COLUMNS, pages) == 7


def test_the_command_shows_the_columns_and_lists_bad_lines_in_a_file_that_is_closed_to_others(app, sqlite, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("姓名,性别,手机号\n张伟,男,13800000001\n李娜,??,13800000002\n王芳,女,13800000003\n", "utf-8")

    ended = app("import", str(path), "--into", "vips")

    assert ended.code == 1
    assert "column 手机号 is mobile" in ended.out and "2 people came into vips" in ended.out
    bad = tmp_path / "people.csv.bad"
    assert "1 line was left out" in ended.out and bad.read_text().startswith("3\tno gender")
    assert stat.S_IMODE(bad.stat().st_mode) == 0o600
    assert rows_in(sqlite) == [(1, "张伟", 1, "13800000001"), (2, "王芳", 0, "13800000003")]
    assert app("import", str(path), "--into", "vips").err.endswith("--append adds to it\n")
    assert app("import", str(path), "--into", "vips", "--append").code == 1
    assert [row[0] for row in rows_in(sqlite)] == [1, 2, 3, 4]


def test_an_import_that_is_killed_leaves_the_table_as_it_was(database, tmp_path):
    put(database, PEOPLE)
    path = tmp_path / "many.csv"
    lines = "".join(f"客户{number}号,男,138{number:08}\n" for number in range(400_000))
    path.write_text(f"姓名,性别,手机号\n{lines}", "utf-8")
    url = database.url.render_as_string(hide_password=False)
    environment = os.environ | {"DATABASE_URL": url, "SMS_LANGUAGE": "en"}
    importing = starting.start(["-m", "app", "import", str(path), "--into", "vips", "--replace"], environment)

    until(lambda: is_under_way(database, importing), what="it writes")
    os.kill(importing.pid, signal.SIGKILL)
    importing.wait(30)

    assert rows_in(database) == PEOPLE
    until(lambda: is_put(database, PEOPLE[:2]), what="the server has noticed that nobody is at it any more")
    assert rows_in(database) == PEOPLE[:2]
    assert tables_of(database) == {"vips"}


def is_put(database, people):
    """In place of what is there; False while another import is under way."""
    try:
        return put(database, people, How.REPLACE) == len(people)
    except ImportRefused as refusal:
        if refusal.sentence.code != "import_refused.another":
            raise
        return False


def is_under_way(database, importing):
    assert importing.poll() is None
    if database.dialect.name != "sqlite":
        return "vips~new" in tables_of(database)
    wal = Path(f"{database.url.database}-wal")
    return wal.exists() and wal.stat().st_size > 1_000_000
