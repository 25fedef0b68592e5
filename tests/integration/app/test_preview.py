"""What the sender sees before anything is sent."""

import json

import pytest
import sqlalchemy as sa

from app.campaigns import sample as module
from app.campaigns.preview import preview
from app.domain.greeting import DEFAULT_TEMPLATE
from app.domain.sms_parts import Encoding
from app.store.database import writing
from tests.integration.app.people import EVERY_PLACEHOLDER, crowd, greeting, move_in, person

BAD = (7, "", 1, "13800000007")


def test_three_messages_are_shown_as_they_would_be_sent(database):
    people = crowd(9)
    move_in(database, people)

    seen = preview(database, DEFAULT_TEMPLATE)

    assert [each.text + "\n" for each in seen.examples] == [greeting(people[at]) for at in (0, 4, 8)]
    assert {(each.cost.encoding, each.cost.parts) for each in seen.examples} == {(Encoding.UCS_2, 1)}


def test_few_customers_are_all_looked_at_and_the_estimate_is_exact(database):
    move_in(database, [person(1), person(2, "A" * 64), BAD])

    estimate = preview(database, "{name}{name}{name}").estimate

    assert (estimate.audience, estimate.sampled, estimate.is_exact) == (3, 3, True)
    assert (estimate.messages, estimate.total_sms) == (2, 1 + 2)
    assert estimate.encodings == {Encoding.UCS_2: 1, Encoding.GSM_7: 1}


def test_many_customers_are_estimated_from_a_sample_of_all_their_ids(sqlite, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 400)
    people = [person(at, "短" if at <= 15_000 else "长" * 64) for at in range(1, 20_001)]
    move_in(sqlite, people)

    estimate = preview(sqlite, "{name}{name}").estimate

    assert (estimate.audience, estimate.sampled, estimate.is_exact) == (20_000, 400, False)
    assert estimate.messages == 20_000
    assert estimate.total_sms == pytest.approx(15_000 + 5_000 * 2, rel=0.1)


def test_a_sample_is_found_where_the_ids_are_however_far_apart(database, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 100)
    move_in(database, [*map(person, range(1, 301)), *map(person, range(90_000_000, 90_000_300))])

    with database.connect() as connection:
        sample = module.sample(connection, "customers", 90_000_299, ())

    ids = [each[0] for each in sample]
    assert len(set(ids)) == len(ids) == 100
    assert ids == sorted(ids)
    assert 20 < sum(number <= 300 for number in ids) < 80


def test_a_sample_is_read_by_the_key(database, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 100)
    move_in(database, crowd(1000))
    statements: list[str] = []
    sa.event.listen(database, "before_cursor_execute", lambda *args: statements.append(args[2].upper()))

    preview(database, "{name}")

    reads = [each for each in statements if "FROM CUSTOMERS" in each and "LIMIT" in each]
    assert len(reads) == 5
    assert all("ID > " in each and "ORDER BY ID LIMIT" in each for each in reads)
    assert not any("OFFSET" in each or "RAND" in each for each in statements)


def test_nobody_is_an_estimate_of_nothing(database):
    seen = preview(database, "{name}")

    assert (seen.examples, seen.estimate.audience, seen.estimate.total_sms) == ([], 0, 0)


# ── the command ─────────────────────────────────────────────────────────────────────────────────


def test_the_command_shows_messages_with_their_costs_and_a_total(app, sqlite):
    move_in(sqlite, [person(1, "张伟"), person(2, "王" * 64)])

    ended = app("preview", "--template", "{mobile}{name}您好")

    assert ended.code == 0
    assert "13800000001张伟您好\n  customer 1: 15 characters, 1 SMS, UCS-2\n" in ended.out
    assert f"13800000002{'王' * 64}您好\n  customer 2: 77 characters, 2 SMS, UCS-2\n" in ended.out
    assert "everybody" in ended.out


def test_the_command_shows_one_customer(app, sqlite):
    move_in(sqlite, [person(1, "Li"), person(2, "Wu"), BAD])

    assert (
        "13800000002 Wu{}\n  customer 2: 16 characters, 1 SMS, GSM-7\n"
        in app("preview", "--template", "{mobile} {name}{{}}", "--customer", "2").out
    )
    assert "customer 7 is not greeted: no_name\n" in app("preview", "--customer", "7").out
    app("preview", "--customer", "3").assert_refused("no customer has the id 3")


def test_masked_mobiles_cannot_be_read_wherever_they_stand(app, sqlite):
    move_in(sqlite, [person(1, "张 13900001234")])

    ended = app("preview", "--mask", "--template", "{mobile}{id}{name} {mobile}")

    assert "138****00011张 139****1234 138****0001\n  customer 1: 37 characters, 1 SMS" in ended.out


def test_a_name_cannot_steer_the_terminal_and_is_no_markup(app, sqlite):
    move_in(sqlite, [person(1, "\x1b[31m[bold]张")])

    assert "\ufffd[31m[bold]张\n" in app("preview", "--template", "{name}").out


def test_the_command_speaks_json(app, sqlite, monkeypatch):
    with writing(sqlite) as connection:
        connection.execute(sa.text("ALTER TABLE customers ADD city VARCHAR(20) DEFAULT 'Wien'"))
    move_in(sqlite, [person(1, "Li"), BAD])

    app("preview", "--template", "{name} [{city}]").assert_refused("SMS_TEMPLATE_COLUMNS")
    monkeypatch.setenv("SMS_TEMPLATE_COLUMNS", "points, city")
    facts = json.loads(app("preview", "--template", "{name} [{city}]", "--json").out)

    assert facts["examples"] == [
        {
            "customer": 1,
            "text": "Li [Wien]",
            "characters": 9,
            "units": 11,
            "sms": 1,
            "encoding": "GSM-7",
            "rejected": None,
        }
    ]
    assert facts["estimate"] == {
        "audience": 2,
        "not_there": 0,
        "sampled": 2,
        "exact": True,
        "messages": 1,
        "rejected": 1,
        "sms": 1,
        "parts": {"least": 1, "mean": 1.0, "most": 1},
        "cost": None,
        "encodings": {"GSM-7": 1},
        "genders": {"male": 2, "female": 0, "unknown": 0, "odd": {}},
    }


def test_the_command_counts_the_genders_and_warns_of_values_that_are_none(app, sqlite):
    move_in(sqlite, [person(1, gender=0), person(2, gender=None), person(3, gender=2), person(4, gender="女")])

    ended = app("preview")
    facts = json.loads(app("preview", "--json").out)

    assert "genders of those seen: 1 女士, 1 客户, 2 invalid\n" in ended.out
    assert ended.err == (
        "warning: some customers have an invalid gender (2 ×1, 女 ×1) and are greeted 先生: see doctor\n"
    )
    assert facts["estimate"]["genders"] == {"male": 0, "female": 1, "unknown": 1, "odd": {"2": 1, "女": 1}}


def test_the_command_warns_where_everybody_is_a_woman(app, sqlite):
    move_in(sqlite, [person(number, gender=0) for number in range(1, 101)])

    assert "warning: all customers are women" in app("preview").err


def test_a_template_that_cannot_be_is_refused_with_what_can(app, sqlite):
    app("preview", "--template", "{town}").assert_refused(f"{EVERY_PLACEHOLDER} {{id}} {{gender}} {{created_at}}")


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("您好", "warning: the template has no placeholder, everybody gets the same text\n"),
        ("{mobile}的｛name｝", "warning: full-width braces are sent as they stand; a placeholder is written {name}\n"),
    ],
)
def test_what_is_likely_a_mistake_in_a_template_is_told_and_does_no_harm(app, sqlite, template, said):
    move_in(sqlite, crowd(3))

    shown = app("preview", "--template", template)
    refused = app("trigger", "a", "--template", template)

    assert (shown.code, shown.err) == (0, said)
    assert refused.err.startswith(said)
