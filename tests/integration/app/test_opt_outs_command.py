"""`opt-outs`: numbers that get nothing are added, removed, taken from a file and written out."""

import pytest
import sqlalchemy as sa

from app.campaigns import opt_outs as use_case
from app.store import opt_outs


def among(database, *mobiles, signature="-"):
    with database.connect() as connection:
        return opt_outs.among(connection, signature, mobiles)


def test_a_number_in_any_usual_form_gets_nothing_from_any_gateway(app, sqlite):
    assert app("opt-outs", "add", "+86 138-0000-0001").out == "1 number added\n"

    assert among(sqlite, 13800000001, 13800000002) == {13800000001}
    assert app("opt-outs", "add", "13800000001").out == "0 numbers added\n"


def test_a_signature_is_about_its_own_gateways_alone(app, sqlite):
    app("opt-outs", "add", "13800000001", "--signature", "【店】")

    assert (among(sqlite, 13800000001), among(sqlite, 13800000001, signature="【店】")) == (set(), {13800000001})
    assert app("opt-outs", "remove", "13800000001").out == "0 numbers removed\n"
    assert app("opt-outs", "remove", "13800000001", "--signature", "【店】").out == "1 number removed\n"


def test_what_was_exported_can_be_imported(app, sqlite, tmp_path, monkeypatch):
    monkeypatch.setattr("app.campaigns.opt_outs.AT_ONCE", 2)
    path = tmp_path / "numbers.csv"
    path.write_text("\ufeff13800000001\n\n138 0000 0002,anything\n13800000003\n13800000003\n", encoding="utf-8")
    assert app("opt-outs", "import", str(path)).out == "3 numbers added\n"

    exported = app("opt-outs", "export").out
    for mobile in (13800000001, 13800000002, 13800000003):
        app("opt-outs", "remove", str(mobile))
    path.write_text(exported, encoding="utf-8")

    assert app("opt-outs", "import", str(path)).out == "3 numbers added\n"
    assert "138****0003,*," in app("opt-outs").out


def test_who_is_noted_by_somebody_else_at_the_same_moment_is_not_new_and_no_error(sqlite):
    def be_quicker(_connection, cursor, statement, *_):
        if "INTO opt_outs" in statement:
            cursor.execute("INSERT INTO opt_outs VALUES ('*', 13800000001, '2026-01-01 00:00:00', 'reply')")

    sa.event.listen(sqlite, "before_cursor_execute", be_quicker)

    assert use_case.take_in(sqlite, "*", [13800000002, 13800000001, 13800000002]) == 1

    assert among(sqlite, 13800000001, 13800000002) == {13800000001, 13800000002}


def test_all_are_found_a_page_at_a_time_by_signature_and_number(database, monkeypatch):
    rows = [("*", 13800000002), ("*", 13800000003), ("-", 13800000001), ("-", 13800000002), ("【店】", 13800000001)]
    for signature, mobile in rows[::-1]:
        use_case.add(database, signature, mobile)

    for limit in (1, 2, 5):
        monkeypatch.setattr(opt_outs.page, "__defaults__", (limit,))
        assert [(each.signature, each.mobile) for page in opt_outs.pages(database) for each in page] == rows
    with database.connect() as connection:
        assert opt_outs.signatures_of(connection, 13800000002) == ["*", "-"]


@pytest.mark.parametrize(
    ("look", "how"),
    [
        (lambda connection: opt_outs.of_number(connection, 13800000001), "ix_opt_outs_mobile (mobile=?)"),
        (lambda connection: opt_outs.signatures_of(connection, 13800000001), "ix_opt_outs_mobile (mobile=?)"),
        (lambda connection: opt_outs.page(connection, ("*", 13800000001)), "((signature,mobile)>(?,?))"),
    ],
)
def test_none_are_read_but_those_that_are_looked_for(sqlite, look, how):
    plans = []

    def explain(_connection, cursor, statement, values, *_):
        plans.extend(cursor.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())

    sa.event.listen(sqlite, "before_cursor_execute", explain)
    with sqlite.connect() as connection:
        look(connection)

    assert plans
    assert all(how in each[-1] for each in plans if each[-1].startswith(("SCAN", "SEARCH")))


def test_a_file_with_a_fault_changes_nothing(app, sqlite, tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("13800000001\n23800000002\n")

    app("opt-outs", "import", str(path)).assert_refused("is no mobile number")

    assert among(sqlite, 13800000001) == set()


def test_a_file_that_is_not_there_is_said(app, tmp_path):
    app("opt-outs", "import", str(tmp_path / "none")).assert_refused("cannot be used")


@pytest.mark.parametrize("words", [("add",), ("list", "13800000001")])
def test_a_number_too_many_or_too_few_is_wrong_usage(app, words):
    assert app("opt-outs", *words).code == 2


@pytest.mark.usefixtures("chinese")
def test_it_speaks_chinese(app):
    assert app("opt-outs", "add", "13800000001").out == "新增 1 个号码\n"
