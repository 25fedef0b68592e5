"""`--only-ids` and `--sample`: from the command line or a program, by the server, to the logs."""

import json

import pytest
import sqlalchemy as sa

from app.campaigns.choosing import choose
from app.cli import choice as commands
from app.domain.choice import Sample
from app.store.tables import id_lists
from tests.integration.app.campaigns import with_tables
from tests.integration.app.conftest import CROWD
from tests.integration.app.people import crowd, expected_logs, greeting, logs_of, move_in
from tests.integration.app.serving import ON_SQLITE, Product, in_small_pages
from tests.integration.app.test_cost import FILE as PRICED

IDS = [3, 40, 7, 7, 12]
MEANT = [CROWD[each - 1] for each in sorted({*IDS})]


@pytest.fixture
def ids_file(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("".join(f"{each}\n" for each in [*IDS, 999]))
    return str(path)


def said(server, campaign):
    logs = logs_of(server.logs, campaign)
    return b"".join(logs[name] for name in sorted(logs)).decode()


def lists(database):
    with database.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(id_lists)).scalar_one()


def test_a_trigger_with_a_file_of_ids_sends_to_those_and_says_who_is_not_there(server, ids_file):
    ended = server.run("trigger", "few", "--only-ids", ids_file, "--watch")
    again = server.run("trigger", "few", "--only-ids", ids_file)
    without = server.run("trigger", "few")

    assert ended.returncode == again.returncode == without.returncode == 0, ended.stderr
    assert "for 4 customers who were chosen\n1 id that was given is nobody's\n" in ended.stdout
    assert said(server, "few") == "".join(map(greeting, MEANT))
    assert "already exists" in again.stdout
    assert "chosen" not in again.stdout
    refused = server.run("trigger", "few", "--sample", "4")
    assert refused.returncode == 1
    assert "already used for a campaign to others of customers" in refused.stderr


def test_ids_for_which_a_request_has_no_room_go_by_the_database_and_are_gone_after_it(server, tmp_path):
    path = tmp_path / "many.txt"
    path.write_text("".join(f"{each}\n" for each in range(20, 60_000)))

    ended = server.run("trigger", "many", "--only-ids", str(path), "--watch")

    assert ended.returncode == 0, ended.stderr
    assert "for 21 customers who were chosen\n59,959 ids that were given are nobody's\n" in ended.stdout
    assert said(server, "many") == "".join(map(greeting, CROWD[19:]))
    assert lists(server.database) == 0
    assert "already exists" in server.run("trigger", "many", "--only-ids", str(path)).stdout


def test_a_sample_is_the_one_that_the_preview_showed(server):
    shown = server.run("preview", "--sample", "5", "--campaign", "sampled", "--json", "--template", "{id}")
    ended = server.run("trigger", "sampled", "--sample", "5", "--template", "{id}", "--watch")

    ids = list(choose(server.database, "customers", Sample(5), "sampled"))
    facts = json.loads(shown.stdout)
    assert ended.returncode == 0, ended.stderr
    assert said(server, "sampled").split() == [str(each) for each in ids]
    assert facts["estimate"]["audience"] == 5
    assert [each["customer"] for each in facts["examples"]] == [ids[0], ids[2], ids[4]]


def test_a_program_names_ids_or_a_sample(server):
    some = json.loads(server.ask(json.dumps({"campaign": "json-ids", "only_ids": [5, 999, 6]})))
    sample = json.loads(server.ask(json.dumps({"campaign": "json-sample", "sample": 3})))
    nobody = json.loads(server.ask(json.dumps({"campaign": "json-nobody", "only_ids": [999]})))
    unknown = json.loads(server.ask(json.dumps({"campaign": "json-list", "only_list": "x"})))

    assert (some["ok"], some["chosen"], some["not_there"]) == (True, 2, 1)
    assert (sample["ok"], sample["chosen"], sample["not_there"]) == (True, 3, 0)
    assert (nobody["error"], unknown["error"]) == ("bad_choice", "bad_choice")
    status = json.loads(server.run("status", "json-sample", "--json").stdout)
    assert (status["chosen"], status["audience"]) == ("sample 3", 3)
    assert "it is for a sample of 3 of customers\n" in server.run("status", "json-sample").stdout
    assert "it is for those of customers whose ids were given\n" in server.run("status", "json-ids").stdout


def test_a_bad_line_in_the_file_is_named_and_nothing_is_started(server, tmp_path):
    path = tmp_path / "bad.txt"
    path.write_text("1\n2\nthree\n")

    ended = server.run("trigger", "bad-line", "--only-ids", str(path))

    assert ended.returncode == 1
    assert f"{path}: line 3 is no id" in ended.stderr
    assert "bad-line" not in server.run("status").stdout


def test_a_list_goes_when_the_server_refuses_what_it_was_for(app, sqlite, tmp_path, monkeypatch):
    move_in(sqlite, CROWD)
    monkeypatch.setattr(commands, "MOST_IN_REQUEST", 1)
    path = tmp_path / "ids.txt"
    path.write_text("1\n2\n3\n")

    app("trigger", "a", "--only-ids", str(path)).assert_refused("no answer from 127.0.0.1:")

    assert lists(sqlite) == 0


def test_the_preview_is_of_those_who_are_chosen(app, sqlite, ids_file):
    move_in(sqlite, CROWD)

    shown = json.loads(app("preview", "--only-ids", ids_file, "--json").out)
    words = app("preview", "--only-ids", ids_file).out

    assert (shown["estimate"]["audience"], shown["estimate"]["not_there"], shown["estimate"]["exact"]) == (4, 1, True)
    assert [each["customer"] for each in shown["examples"]] == [3, 12, 40]
    assert words.startswith("1 id that was given is nobody's\n")


@pytest.mark.parametrize("command", [("trigger", "a"), ("preview",)])
def test_ids_and_a_sample_exclude_each_other(app, ids_file, command):
    ended = app(*command, "--only-ids", ids_file, "--sample", "3")

    assert ended.code == 2
    assert "exclude each other" in ended.err
    assert app(*command, "--sample", "0").code == 2
    assert "--campaign goes with --sample" in app("preview", "--campaign", "a").err


@ON_SQLITE
@pytest.mark.parametrize("far_apart", [1, 3])
def test_killed_in_the_middle_it_goes_on_with_those_who_were_chosen(product, tmp_path, far_apart):
    people = crowd(60_000)
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{row[0]}\n" for row in people[::far_apart]))
    product.program = in_small_pages(1_000 // far_apart)
    product.environment |= {"SMS_SHARD_SIZE": "30000", "SMS_TASK_WORKER_NUM": "2"}
    move_in(product.database, people)
    product.start()
    product.run("trigger", "some", "--only-ids", str(ids))
    for _ in range(2):
        with product.frozen_halfway():
            product.kill_everything()
        product.start()

    assert product.wait_until_over("some") == "finished"
    assert logs_of(product.logs, "some") == expected_logs(people[::far_apart], 30_000)
    assert product.run("report", "some").returncode == 0


def test_a_list_is_still_there_when_somebody_agreed_to_what_it_costs(sqlite_url, tmp_path, gateways):
    ids = tmp_path / "ids.txt"
    ids.write_text("".join(f"{each}\n" for each in range(2, 5_000)))
    with (
        with_tables(sqlite_url) as database,
        Product(sqlite_url, tmp_path, gateways=gateways(PRICED), gateway="net", ask_above=0.1) as product,
    ):
        product.expects_tracebacks = True  # nobody listens where the gateway is
        product.environment |= {"SMPP_A_PASSWORD": "s3cret"}
        move_in(database, CROWD)
        product.start()
        command = ("trigger", "b", "--template", "{name}", "--only-ids", str(ids))
        asked, agreed = product.run(*command), product.run(*command, "--yes")
        product.run("cancel", "b")

    assert (asked.returncode, "pass --yes" in asked.stderr) == (1, True)
    assert "b comes to about 39 SMS" in agreed.stdout
    assert "for 39 customers who were chosen" in agreed.stdout
    assert lists(database) == 0
