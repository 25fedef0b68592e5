"""A shard goes to a network: everybody has one row, the counts add up, and nobody is submitted to twice by us."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from app.audit.messages import Messages
from app.campaigns.abandon import abandon
from app.campaigns.census import count_audiences
from app.campaigns.finish import close_shard
from app.config import Config
from app.domain.campaign import Verb
from app.domain.chunk import Chunk, Entry, News
from app.domain.delivery import Delivery
from app.domain.orders import Outcome, ShardOrder
from app.domain.page import by_form
from app.errors import LeaseLost, NoLogs, UnknownFolder
from app.gateways.base import Answer
from app.gateways.networks import load_networks
from app.sending import underway
from app.sending.shard import send_shard
from app.store import accounts, campaigns, intents, ledger, messages, opt_outs, rejects, tables
from app.store.database import writing
from tests.integration.app.campaigns import after, shards_of, trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, move_in, person

SIZE = 10_000


def send(database, logs, campaign, network, *, should_stop=lambda: False, slice_s=60.0, number=0):
    """What a task does with one shard."""
    report = send_shard(
        database,
        logs,
        ShardOrder(campaign.id, number),
        slice_s=slice_s,
        should_stop=should_stop,
        on_progress=lambda: None,
        on_rejected=lambda _: None,
        networks={network.name: network},
    )
    return report.outcome


def test_everybody_gets_one_message_and_has_one_row(database, logs):
    move_in(database, crowd(1200))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    shard = check(database, campaign)
    assert network.numbers == Counter(13800000000 + number for number in range(1, 1201))
    assert [row.customer_id for row in rows_of(database, campaign)] == list(range(1, 1201))
    assert {row.state for row in rows_of(database, campaign)} == {Delivery.ACCEPTED}
    assert (shard.tally.accepted, shard.tally.sent, shard.tally.audience) == (1200, 1200, 1200)
    assert len({row.provider_id for row in rows_of(database, campaign)}) == 1200
    assert close_shard(database, campaign.id, 0)


def test_who_cannot_be_greeted_or_wants_nothing_is_a_reject(database, logs):
    move_in(database, [*crowd(8), (9, "张伟", 1, ""), (10, " ", 1, "13800000010")])
    with writing(database) as connection:
        opt_outs.add(connection, "-", [13800000003], "person")
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    shard = check(database, campaign)
    with database.connect() as connection:
        found = {each.customer_id: each.reason.value for each in rejects.between(connection, campaign.id, 0, 0, SIZE)}
    assert found == {3: "opted_out", 9: "no_mobile", 10: "no_name"}
    assert 13800000003 not in network.numbers
    assert (shard.tally.sent, shard.tally.rejected) == (7, 3)


def test_a_text_of_too_many_parts_is_a_reject(database, logs):
    move_in(database, [person(1), person(2, "长" * 60)])
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(max_parts=1)

    send(database, logs, campaign, network)

    with database.connect() as connection:
        found = {each.customer_id: each.reason.value for each in rejects.between(connection, campaign.id, 0, 0, SIZE)}
    assert found == {2: "too_long"}


def test_a_message_that_is_refused_is_not_tried_again(database, logs):
    move_in(database, crowd(10))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: (
        Answer(each.token, Delivery.REFUSED, error="ESME_RINVDSTADR") if each.token == 4 else taken(number, each)
    )

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    (row,) = [row for row in rows_of(database, campaign) if row.state is Delivery.REFUSED]
    assert (row.customer_id, row.error, row.final_at is not None) == (4, "ESME_RINVDSTADR", True)
    assert check(database, campaign).tally.refused == 1


def test_a_message_without_an_answer_is_in_doubt_and_the_others_go_on(database, logs):
    move_in(database, crowd(1500))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(answer_timeout_s=2.0)
    network.fate = lambda number, each: None if each.token % 500 == 7 else taken(number, each)

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    doubtful = [row.customer_id for row in rows_of(database, campaign) if row.state is Delivery.UNKNOWN]
    assert doubtful == [7, 507, 1007]
    assert check(database, campaign).tally.unknown == 3
    assert max(network.numbers.values()) == 1


def test_a_message_that_is_refused_for_now_is_due_again_later(database, logs):
    move_in(database, crowd(10))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: (
        Answer(each.token, Delivery.RETRY, error="ESME_RSYSERR") if number == 3 else taken(number, each)
    )

    assert send(database, logs, campaign, network) is Outcome.LATER

    shard = check(database, campaign)
    assert (shard.tally.retry, shard.tally.accepted, shard.due_ms > 0) == (1, 9, True)
    assert not close_shard(database, campaign.id, 0)


def test_a_message_that_is_due_again_is_tried_again(database, logs, monkeypatch):
    monkeypatch.setattr("app.domain.delivery.FIRST_PAUSE_S", 0.0)
    move_in(database, crowd(10))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: (
        Answer(each.token, Delivery.RETRY, error="ESME_RSYSERR") if number == 3 else taken(number, each)
    )

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    shard = check(database, campaign)
    assert (shard.tally.accepted, shard.tally.retry) == (10, 0)
    assert sorted(network.numbers.values()) == [*[1] * 9, 2]
    (row,) = [row for row in rows_of(database, campaign) if row.attempts == 2]
    assert row.state is Delivery.ACCEPTED


def test_a_network_that_is_full_slows_us_down_and_it_is_no_attempt(database, logs):
    move_in(database, crowd(50))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: (
        Answer(each.token, Delivery.RETRY, error="ESME_RTHROTTLED", is_throttled=True)
        if 10 <= number < 20
        else taken(number, each)
    )

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert check(database, campaign).tally.accepted == 50
    assert {row.attempts for row in rows_of(database, campaign)} == {1}


def test_what_was_not_submitted_or_was_throttled_when_told_to_stop_is_due_at_once_and_no_attempt(database, logs):
    move_in(database, crowd(300))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(window=10)
    network.fate = lambda number, each: (
        Answer(each.token, Delivery.RETRY, error="ESME_RTHROTTLED", is_throttled=True)
        if number > 20
        else taken(number, each)
    )

    assert send(database, logs, campaign, network, should_stop=lambda: len(network.log) > 30) is Outcome.STOPPED
    waiting = [row for row in rows_of(database, campaign) if row.state is Delivery.RETRY]
    assert waiting
    assert {row.attempts for row in waiting} == {0}
    network.fate = taken
    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert check(database, campaign).tally.accepted == 300
    assert {row.attempts for row in rows_of(database, campaign)} == {1}


def test_no_more_than_two_chunks_are_under_way_those_that_are_tried_again_among_them(database, logs, monkeypatch):
    monkeypatch.setattr("app.sending.ledger.LARGEST_CHUNK", 50)
    monkeypatch.setattr("app.sending.books.AGAIN_AT_ONCE", 50)
    monkeypatch.setattr("app.sending.underway.RIPE_AFTER_S", 60.0)  # nobody is on record without an answer
    move_in(database, crowd(600))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(window=10)
    network.fate = lambda number, each: (
        Answer(each.token, Delivery.RETRY, error="ESME_RTHROTTLED", is_throttled=True)
        if number > 20
        else taken(number, each)
    )
    send(database, logs, campaign, network, should_stop=lambda: len(network.log) > 30)
    tried_again = check(database, campaign).tally.retry
    under_way: list[int] = []

    def look(number, each):
        under_way.append(shards_of(database, campaign)[0].tally.submitting)  # and no answer comes

    network.fate, network.window = look, 1000
    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert tried_again > 50
    assert 50 < max(under_way) <= 100
    assert check(database, campaign).tally.unknown == len(under_way)


@pytest.mark.parametrize("looks", [1, 2, 5])
def test_a_shard_told_to_stop_is_continued_with_nobody_twice(database, logs, looks):
    move_in(database, crowd(3000))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(window=10)

    first = send(database, logs, campaign, network, should_stop=after(looks))
    halfway = check(database, campaign)
    second = send(database, logs, campaign, network)

    assert (first, second) == (Outcome.STOPPED, Outcome.COMPLETE)
    assert halfway.tally.unknown == halfway.tally.submitting == 0
    assert check(database, campaign).tally.accepted == 3000
    assert set(network.numbers.values()) == {1}
    assert len(network.numbers) == 3000


def test_a_campaign_that_is_paused_stops_within_a_moment_and_goes_on_exactly(database, logs):
    move_in(database, crowd(3000))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(window=10)

    def fate(number, each):
        if number == 700:
            with writing(database) as connection:
                campaigns.change(connection, campaign.id, Verb.PAUSE)
        return taken(number, each)

    network.fate = fate
    assert send(database, logs, campaign, network) is Outcome.HALTED
    halfway = check(database, campaign)
    with writing(database) as connection:
        campaigns.change(connection, campaign.id, Verb.RESUME)

    assert send(database, logs, campaign, network) is Outcome.COMPLETE
    assert halfway.tally.unknown == halfway.tally.submitting == 0
    assert halfway.tally.accepted == 3000 - (len(network.log) - halfway.tally.accepted)
    assert check(database, campaign).tally.accepted == 3000
    assert set(network.numbers.values()) == {1}


def test_a_network_that_is_away_blocks_the_shard_and_nothing_is_lost(database, logs):
    move_in(database, crowd(10))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(is_away=True)

    assert send(database, logs, campaign, network) is Outcome.BLOCKED
    network.is_away = False

    assert send(database, logs, campaign, network) is Outcome.COMPLETE
    assert check(database, campaign).tally.accepted == 10


class Killed(BaseException):
    """In place of kill -9: what was under way is forgotten. That the shard is let go of only saves the time of its
    lease."""


def die_at(which):
    """The fate that kills us at this submission, after the network took it."""

    def fate(number, each):
        if number == which:
            raise Killed
        return taken(number, each)

    return fate


def outlive_lease(database, campaign):
    """As if the time of everybody's lease were over."""
    with writing(database) as connection:
        connection.execute(
            tables.shards.update().where(tables.shards.c.campaign_id == campaign.id).values(lease_until_ms=1)
        )


@pytest.mark.parametrize("which", [0, 1, 499, 500, 777, 1499])
def test_what_a_killed_task_had_under_way_is_in_doubt_and_not_sent_again(database, logs, which):
    move_in(database, crowd(1500))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(fate=die_at(which))

    with pytest.raises(Killed):
        send(database, logs, campaign, network)
    network.fate = taken
    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    shard = check(database, campaign)
    assert max(network.numbers.values()) == 1
    assert [row.customer_id for row in rows_of(database, campaign)] == list(range(1, 1501))
    assert shard.tally.accepted + shard.tally.unknown == 1500
    assert 1 <= shard.tally.unknown <= 1000
    doubtful = {row.mobile for row in rows_of(database, campaign) if row.state is Delivery.UNKNOWN}
    assert {*range(13800000001, 13800001501)} - set(network.numbers) <= doubtful


def test_where_the_policy_is_to_send_again_doubt_is_tried_again(database, logs):
    move_in(database, crowd(700))
    campaign = trigger(database, "a", SIZE, gateway="net")
    network = Network(fate=die_at(600), doubt=Delivery.RETRY)
    with pytest.raises(Killed):
        send(database, logs, campaign, network)
    network.fate = taken

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert check(database, campaign).tally.accepted == 700
    assert set(network.numbers) == {13800000000 + number for number in range(1, 701)}


def test_who_was_edited_or_deleted_since_a_kill_is_in_doubt_under_the_number_that_was_sent_to(database, logs):
    move_in(database, crowd(20))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network(fate=die_at(10))
    with pytest.raises(Killed):
        send(database, logs, campaign, network)
    move_in(database, [(number, "李四", 1, f"139{number:08}") for number in range(1, 11)])
    network.fate = taken

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert [row.mobile for row in rows_of(database, campaign)] == [13800000000 + number for number in range(1, 21)]
    assert max(network.numbers.values()) == 1


def test_a_holder_whose_shard_was_taken_up_neither_intends_nor_records_any_more(database, logs):
    move_in(database, crowd(20))
    campaign = trigger(database, "a", SIZE, gateway="net")
    of = (campaign.id, 0)
    with writing(database) as connection:
        _, zombie = ledger.claim(connection, *of, "zombie", doubt=Delivery.UNKNOWN)
    with writing(database) as connection:
        ledger.intend(connection, zombie, Chunk(0, 5, [1, 2], [11, 12], [1, 1], tally=by_form([0, 1])))
    outlive_lease(database, campaign)
    with writing(database) as connection:
        _, holder = ledger.claim(connection, *of, "holder", doubt=Delivery.UNKNOWN)

    entries = [Entry(number, 10 + number, 1, Delivery.ACCEPTED, datetime.now(UTC), f"id{number}") for number in (1, 2)]
    for act in (
        lambda connection: ledger.intend(connection, zombie, Chunk(5, 9, [6], [16], [1], tally=by_form([0]))),
        lambda connection: ledger.record(connection, zombie, 0, 5, entries),
    ):
        with pytest.raises(LeaseLost), writing(database) as connection:
            act(connection)

    assert check(database, campaign).tally.unknown == 2
    with writing(database) as connection:  # what it knows is knowledge all the same
        news = [News(1, zombie.epoch, Delivery.ACCEPTED, "id1"), News(2, holder.epoch, Delivery.ACCEPTED, "id2")]
        assert ledger.settle(connection, *of, news, validity_s=60).total() == 1
    assert (check(database, campaign).tally.unknown, check(database, campaign).tally.accepted) == (1, 1)


def test_a_shard_whose_holder_shows_signs_of_life_is_left_alone(database, logs):
    move_in(database, crowd(20))
    campaign = trigger(database, "a", SIZE, gateway="net")
    with writing(database) as connection:
        ledger.claim(connection, campaign.id, 0, "holder", doubt=Delivery.UNKNOWN)

    assert send(database, logs, campaign, Network()) is Outcome.TAKEN


def test_no_more_tasks_send_than_the_gateway_has_sessions(database, logs):
    move_in(database, crowd(20))
    campaign, network = trigger(database, "a", 10, gateway="net"), Network(binds=1)
    with writing(database) as connection:
        assert accounts.take_bind(connection, "net", 1, "somebody") == 0

    assert send(database, logs, campaign, network) is Outcome.TAKEN
    with writing(database) as connection:
        accounts.give_bind_back(connection, "net", 0, "somebody")
    assert send(database, logs, campaign, network) is Outcome.COMPLETE


def test_an_intent_whose_lease_is_over_is_none(database, logs):
    move_in(database, crowd(20))
    campaign = trigger(database, "a", SIZE, gateway="net")
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "slow", doubt=Delivery.UNKNOWN)
    outlive_lease(database, campaign)

    with pytest.raises(LeaseLost), writing(database) as connection:
        ledger.intend(connection, hold, Chunk(0, 5, [1], [11], [1], tally=by_form([0])))


def test_an_intent_and_a_record_may_be_said_twice(database, logs):
    move_in(database, crowd(20))
    campaign = trigger(database, "a", SIZE, gateway="net")
    chunk = Chunk(0, 20, [1], [11], [1], tally=by_form([0]))
    entries = [Entry(1, 11, 1, Delivery.ACCEPTED, datetime.now(UTC), "id")]
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "slow", doubt=Delivery.UNKNOWN)

    for _ in range(2):
        with writing(database) as connection:
            ledger.intend(connection, hold, chunk)
    for _ in range(2):
        with writing(database) as connection:
            ledger.record(connection, hold, 0, 20, entries)

    shard = check(database, campaign)
    assert (shard.tally.accepted, shard.tally.sent, shard.tally.submitting, shard.last_id) == (1, 1, 0, 20)


def test_who_is_intended_is_counted_once_in_the_audience(database, logs):
    move_in(database, crowd(20))
    campaign = trigger(database, "a", SIZE, gateway="net")
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "holder", doubt=Delivery.UNKNOWN)
        ledger.intend(connection, hold, Chunk(0, 5, [1, 2, 3], [11, 12, 13], [1] * 3, tally=by_form([0] * 3)))

    count_audiences(database)

    assert check(database, campaign).tally.audience == 3 + 15


def test_a_gateway_whose_password_is_gone_blocks_the_shard_with_a_sentence(database, logs, tmp_path, monkeypatch):
    monkeypatch.setenv("NOT_THERE", "yet")
    path = tmp_path / "gateways.toml"
    path.write_text('[net]\nkind = "smpp"\nhost = "127.0.0.1"\nsystem_id = "a"\npassword_env = "NOT_THERE"\n')
    move_in(database, crowd(2))
    campaign = trigger(database, "a", SIZE, gateway="net")
    network = load_networks(Config(sms_gateways=path))["net"]
    monkeypatch.delenv("NOT_THERE")

    assert send(database, logs, campaign, network) is Outcome.BLOCKED
    assert check(database, campaign).lease_until_ms == 0


def test_a_campaign_over_a_network_has_no_logs_to_read_and_no_folder_to_abandon(database, logs):
    move_in(database, crowd(2))
    campaign = trigger(database, "a", SIZE, gateway="net")
    with writing(database) as connection:
        ledger.claim(connection, campaign.id, 0, "host:1:a", doubt=Delivery.UNKNOWN)
    outlive_lease(database, campaign)

    with pytest.raises(NoLogs):
        Messages(database, logs, "a")
    with pytest.raises(UnknownFolder):
        abandon(database, logs, "a", "host")


class HourAhead(datetime):
    """The clock of a host that is wrong."""

    @classmethod
    def now(cls, tz=None):
        return datetime.now(tz) + timedelta(hours=1)


def test_what_is_tried_again_is_due_by_the_databases_clock_though_the_hosts_is_an_hour_ahead(mysql, logs, monkeypatch):
    for module in (underway, ledger, intents, messages):
        monkeypatch.setattr(module, "datetime", HourAhead, raising=False)
    move_in(mysql, crowd(20))
    campaign = trigger(mysql, "a", SIZE, gateway="net")
    full = Network(fate=lambda count, each: Answer(each.token, Delivery.RETRY, error="full") if count < 10 else None)

    assert send(mysql, logs, campaign, full) is Outcome.LATER

    rows = rows_of(mysql, campaign)
    now = datetime.now(UTC)
    assert {row.state for row in rows[:10]} == {Delivery.RETRY}
    assert all(row.due_at < now + timedelta(minutes=5) for row in rows if row.due_at)
    assert all(row.submitted_at < now + timedelta(minutes=5) for row in rows)
    with writing(mysql) as connection:
        epoch = shards_of(mysql, campaign)[0].epoch
        ledger.settle(connection, campaign.id, 0, [News(20, epoch, Delivery.RETRY, error="full")], validity_s=3600)
    assert all(row.due_at < now + timedelta(minutes=5) for row in rows_of(mysql, campaign) if row.due_at)
