"""Templates that show columns of the table, those of ours and those that somebody added."""

import json

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from app.audit import report as report_module
from app.audit.report import report
from app.campaigns.preview import preview
from app.campaigns.start import dispatch
from app.domain.orders import Outcome
from app.errors import BadRequest
from app.sending import journal as module
from app.store import customers
from app.store.database import open_database, writing
from tests.integration.app.campaigns import run, send, trigger
from tests.integration.app.people import EVERY_PLACEHOLDER, logs_of, move_in, person
from tests.integration.app.serving import Product
from tests.words import refused, words

CITIES = {1: "上海", 2: None, 3: "New\nYork", 4: "a\x1eb\x1fc", 5: "北京"}
ROWS = [person(number, f"客户{number}号", (0, 1, None)[number % 3]) for number in CITIES]
ADDED = ("city", "积分", "order", "photo", "a b", "not there")
"""What the setting would name."""


@pytest.fixture(autouse=True)
def small_pages(monkeypatch):
    monkeypatch.setattr(module, "PAGE_ROWS", 2)
    monkeypatch.setattr(report_module, "PAGE_ROWS", 3)


@pytest.fixture
def townsfolk(database: Engine) -> Engine:
    """Customers with columns that our migrations do not know."""
    move_in(database, ROWS)
    with writing(database) as connection:
        connection.execute(sa.text("ALTER TABLE customers ADD city VARCHAR(40)"))
        connection.execute(sa.text("ALTER TABLE customers ADD `积分` DECIMAL(10, 2) DEFAULT 7.5"))
        connection.execute(sa.text("ALTER TABLE customers ADD `order` INT DEFAULT 3"))
        connection.execute(sa.text("ALTER TABLE customers ADD photo BLOB"))
        connection.execute(sa.text("ALTER TABLE customers ADD `a b` INT"))
        connection.execute(sa.text("UPDATE customers SET created_at = '2024-02-29 12:34:56'"))
        for number, city in CITIES.items():
            connection.execute(
                sa.text("UPDATE customers SET city = :city WHERE id = :id"), {"city": city, "id": number}
            )
    return database


def messages(database: Engine, logs, template: str) -> list[str]:
    run(database, logs, "a", 100, template, ADDED)
    return logs_of(logs, "a")["task_0.log"].decode().splitlines()


def test_a_column_that_somebody_added_is_filled_in_with_null_as_nothing(townsfolk, logs):
    assert messages(townsfolk, logs, "{city}|{name}") == [
        "上海|客户1号",
        "|客户2号",
        "New York|客户3号",
        "a b\x1fc|客户4号",
        "北京|客户5号",
    ]


def test_values_of_every_kind_are_shown_as_the_database_has_them(townsfolk, logs):
    line = messages(townsfolk, logs, "{created_at} {id} {gender} {order} {积分} {honorific}")[0]

    assert line.replace("7.50", "7.5") == "2024-02-29 12:34:56 1 1 3 7.5 先生"


@pytest.mark.parametrize(("zone", "shown"), [("UTC", "2024-02-29 12:34:56"), ("Asia/Shanghai", "2024-02-29 20:34:56")])
def test_moments_are_shown_in_the_zone_of_the_setting_whatever_the_databases_is(townsfolk, logs, zone, shown):
    url = townsfolk.url.render_as_string(hide_password=False)
    database = open_database(url, time_zone=zone)
    if townsfolk.dialect.name != "sqlite":
        with database.connect() as connection:
            assert connection.execute(sa.text("SELECT @@SESSION.time_zone")).scalar_one() == "+00:00"

    assert messages(database, logs, "{created_at}|{order}") == [f"{shown}|3"] * len(ROWS)
    assert list(report(database, logs, "a"))[-1].agrees
    database.dispose()


def test_a_report_reads_the_columns_of_the_template_as_well(townsfolk, logs):
    run(townsfolk, logs, "a", 2, "{city}{{{city}}}{created_at}", ADDED)
    *_, whole = report(townsfolk, logs, "a")

    assert whole.agrees
    assert [each.tally.sent for each in whole.tasks] == [2, 2, 1]


@pytest.mark.parametrize("template", ["{town}", "{photo}", "{a b}", "{CITY}", "{city.upper}", "{city!r}", "{city:5}"])
def test_what_the_table_does_not_have_is_refused_with_what_it_has(townsfolk, template):
    with pytest.raises(BadRequest) as refusal:
        dispatch(townsfolk, "a", 10, template=template, added_columns=ADDED)

    assert refusal.value.code == "bad_template"
    assert words(refusal.value, "zh").endswith(
        f"可用的有: {EVERY_PLACEHOLDER} {{id}} {{gender}} {{created_at}} {{city}} {{积分}} {{order}}"
    )


def test_a_column_that_somebody_added_is_shown_only_where_it_is_named(townsfolk, logs):
    with refused(BadRequest, match="SMS_TEMPLATE_COLUMNS", language="zh") as refusal:
        dispatch(townsfolk, "a", 10, template="{city}", added_columns=["积分"])

    assert words(refusal.value, "zh").endswith(
        f"可用的有: {EVERY_PLACEHOLDER} {{id}} {{gender}} {{created_at}} {{积分}}"
    )
    with pytest.raises(BadRequest):
        preview(townsfolk, "{city}")
    assert preview(townsfolk, "{city}", 1, added_columns=["city"]).examples[0].text == "上海"


def test_the_server_shows_the_columns_that_its_setting_names(sqlite, tmp_path):
    move_in(sqlite, ROWS[:1])
    with writing(sqlite) as connection:
        connection.execute(sa.text("ALTER TABLE customers ADD city VARCHAR(40) DEFAULT '广州'"))
        connection.execute(sa.text("ALTER TABLE customers ADD password_hash VARCHAR(40) DEFAULT 'secret'"))

    with Product(str(sqlite.url), tmp_path, template_columns="city") as product:
        product.start()
        refusal = product.ask('{"campaign": "b", "template": "{password_hash}"}')
        product.ask('{"campaign": "a", "template": "{city}"}')

        assert json.loads(refusal)["error"] == "bad_template"
        assert product.wait_until_over("a") == "finished"
        assert logs_of(product.logs, "a")["task_0.log"].decode() == "广州\n"


def test_a_column_that_vanishes_blocks_its_shard_until_it_is_back(townsfolk, logs):
    campaign = trigger(townsfolk, "a", 100, "{city}", columns=ADDED)
    with writing(townsfolk) as connection:
        connection.execute(sa.text("ALTER TABLE customers DROP COLUMN city"))

    assert send(townsfolk, logs, campaign) is Outcome.BLOCKED

    with writing(townsfolk) as connection:
        connection.execute(sa.text("ALTER TABLE customers ADD city VARCHAR(40) DEFAULT '广州'"))
    assert send(townsfolk, logs, campaign) is Outcome.COMPLETE
    assert logs_of(logs, "a")["task_0.log"].decode() == "广州\n" * 5


def test_columns_are_read_only_when_the_template_needs_them(townsfolk, logs):
    statements: list[str] = []
    sa.event.listen(townsfolk, "before_cursor_execute", lambda *args: statements.append(args[2]))

    run(townsfolk, logs, "a", 100)

    assert not any("city" in each or "created_at" in each for each in statements if "FROM customers" in each)


@pytest.mark.mysql
@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_both_drivers_read_the_same_columns(mysql, driver):
    if driver == "mysqldb":
        pytest.importorskip("MySQLdb")
    move_in(mysql, ROWS[:2])
    with writing(mysql) as connection:
        connection.execute(sa.text("ALTER TABLE customers ADD facts JSON, ADD since DATE, ADD share DOUBLE"))
        connection.execute(
            sa.text("UPDATE customers SET facts = '[1, \"é😀\"]', since = '2024-02-29', share = 0.1 WHERE id = 1")
        )
    other = open_database(mysql.url.set(drivername=f"mysql+{driver}").render_as_string(hide_password=False))

    with other.connect() as connection:
        people = customers.page(connection, "customers", 0, 9, 9, ["facts", "since", "share"])
    other.dispose()

    assert [each[4:] for each in people] == [('[1, "é😀"]', "2024-02-29", "0.1"), ("", "", "")]
