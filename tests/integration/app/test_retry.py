"""`retry`: what came to nothing is tried again, the counts stay exact, and nobody is found twice."""

import pytest
import sqlalchemy as sa

from app.campaigns.finish import close_shard
from app.campaigns.retry import check as count_of
from app.campaigns.retry import retry
from app.campaigns.snapshot import snapshot
from app.cli import asking
from app.domain.campaign import ShardState, State, Verb
from app.domain.chunk import News
from app.domain.delivery import Delivery
from app.domain.orders import Outcome
from app.errors import LeaseLost, NotRetriable
from app.gateways.base import Answer
from app.store import campaigns, ledger, opt_outs, retries, shards
from app.store.database import writing
from app.store.tables import customers, messages
from tests.integration.app.campaigns import as_stored, run, shards_of, trigger
from tests.integration.app.ledgers import check, rows_of
from tests.integration.app.network import Network, taken
from tests.integration.app.people import crowd, move_in
from tests.integration.app.test_ledger import send

SIZE = 10_000


def refused(number, each):
    return Answer(each.token, Delivery.REFUSED, error="ESME_RINVDSTADR") if each.token % 3 == 0 else taken(number, each)


def finished(database, logs, fate, people=12):
    """A campaign from its trigger to its end."""
    move_in(database, crowd(people))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = fate
    assert send(database, logs, campaign, network) is Outcome.COMPLETE
    assert close_shard(database, campaign.id, 0)
    with writing(database) as connection:
        assert campaigns.finish_if_complete(connection, campaign.id)
    network.fate = taken
    return campaign, network


def state_of(database, campaign):
    return as_stored(database, campaign).state, shards_of(database, campaign)[0].state


def test_a_finished_campaign_runs_again_for_those_who_were_refused_and_nobody_else(database, logs):
    campaign, network = finished(database, logs, refused)
    before = network.numbers

    assert retry(database, snapshot(database, "a"), Delivery.REFUSED) == 4

    assert state_of(database, campaign) == (State.RUNNING, ShardState.OPEN)
    assert check(database, campaign).tally.retry == 4
    assert send(database, logs, campaign, network) is Outcome.COMPLETE
    assert {number - 13800000000 for number in network.numbers - before} == {3, 6, 9, 12}
    assert (check(database, campaign).tally.accepted, max(network.numbers.values())) == (12, 2)
    assert close_shard(database, campaign.id, 0)


def test_every_state_that_may_be_tried_again_comes_back_without_the_former_id(database, logs):
    campaign, _ = finished(database, logs, taken)
    with writing(database) as connection:
        connection.execute(sa.update(messages).where(messages.c.customer_id == 5).values(state="expired"))
        connection.execute(sa.update(shards.shards).values(expired=1, accepted=11))

    retry(database, snapshot(database, "a"), Delivery.EXPIRED)

    row = rows_of(database, campaign)[4]
    assert (row.state, row.provider_id, row.final_at, row.due_at is not None) == (Delivery.RETRY, None, None, True)
    check(database, campaign)


def test_those_who_are_tried_again_are_read_together_and_are_who_they_were(database, logs):
    campaign, network = finished(database, logs, lambda n, each: Answer(each.token, Delivery.REFUSED, error="no"))
    changes = {2: {"mobile": "13900000002"}, 3: {"name": "长" * 64}, 5: {"mobile": "no number"}}
    with writing(database) as connection:
        for number, values in changes.items():
            connection.execute(sa.update(customers).where(customers.c.id == number).values(**values))
        connection.execute(sa.delete(customers).where(customers.c.id == 4))
        opt_outs.add(connection, network.opt_out_key, {13800000006}, "test")
    retry(database, snapshot(database, "a"), Delivery.REFUSED)
    network.max_parts = 1
    asked: list[str] = []
    sa.event.listen(database, "before_cursor_execute", lambda *each: asked.append(each[2]))

    assert send(database, logs, campaign, network) is Outcome.COMPLETE

    assert len([each for each in asked if "FROM customers WHERE id >" in each]) == 1
    why = {row.customer_id: row.error for row in rows_of(database, campaign) if row.state is Delivery.REFUSED}
    changed = "customer_changed"
    assert why == {2: changed, 3: "too_long", 4: changed, 5: changed, 6: "opted_out"}
    again = {mobile: text for _, mobile, text in network.log[12:]}
    assert {mobile - 13800000000 for mobile in again} == {1, *range(7, 13)}
    assert again.items() <= {mobile: text for _, mobile, text in network.log[:12]}.items()
    check(database, campaign)


def test_what_is_asked_for_in_small_batches_is_exact_after_each(sqlite, logs, monkeypatch):
    monkeypatch.setattr("app.campaigns.retry.AT_ONCE", 1)
    campaign, _ = finished(sqlite, logs, refused)
    real, seen = campaigns.find, []

    def find(connection, name, *, to_change=False):
        if to_change and len(seen) == 2:
            raise KeyboardInterrupt  # killed between two batches
        seen.append(name)
        return real(connection, name, to_change=to_change)

    now = snapshot(sqlite, "a")
    monkeypatch.setattr(campaigns, "find", find)
    with pytest.raises(KeyboardInterrupt):
        retry(sqlite, now, Delivery.REFUSED)
    monkeypatch.setattr(campaigns, "find", real)

    tally = check(sqlite, campaign).tally
    assert (tally.retry, tally.refused, *state_of(sqlite, campaign)) == (2, 2, State.RUNNING, ShardState.OPEN)
    assert retry(sqlite, snapshot(sqlite, "a"), Delivery.REFUSED) == 2


def test_a_message_of_the_task_that_is_at_work_now_is_left_so_that_no_late_answer_speaks_for_the_next_try(
    database, logs
):
    move_in(database, crowd(4))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: None if each.token == 2 else taken(number, each)
    send(database, logs, campaign, network)
    with writing(database) as connection:  # as it stands while the task that submitted it goes on
        connection.execute(sa.update(shards.shards).values(lease_until_ms=2**50))

    assert retry(database, snapshot(database, "a"), Delivery.UNKNOWN) == 0
    (epoch,) = {each.epoch for each in shards_of(database, campaign)}
    with writing(database) as connection:
        late = [News(2, epoch, Delivery.ACCEPTED, "late")]
        assert ledger.settle(connection, campaign.id, 0, late, validity_s=60).total() == 1
    check(database, campaign)


def test_a_task_that_showed_no_life_for_long_submits_none_again_of_whom_it_may_yet_hear(database, logs):
    move_in(database, crowd(4))
    campaign, network = trigger(database, "a", SIZE, gateway="net"), Network()
    network.fate = lambda number, each: None if each.token == 2 else taken(number, each)
    send(database, logs, campaign, network)
    (epoch,) = {each.epoch for each in shards_of(database, campaign)}
    with writing(database) as connection:  # as it stands while that task stands still
        connection.execute(sa.update(shards.shards).values(lease_until_ms=1))

    assert retry(database, snapshot(database, "a"), Delivery.UNKNOWN) == 1

    with writing(database) as connection:
        connection.execute(sa.update(shards.shards).values(lease_until_ms=2**50))  # what it records renews its lease
    with pytest.raises(LeaseLost), writing(database) as connection:
        ledger.intend_again(connection, ledger.Hold(campaign.id, 0, epoch), [2])
    assert check(database, campaign).tally.retry == 1


def test_a_late_answer_to_the_first_try_says_nothing_of_the_second(database, logs):
    campaign, _ = finished(database, logs, lambda n, each: None if each.token == 2 else taken(n, each))
    (epoch,) = {each.epoch for each in shards_of(database, campaign)}
    assert retry(database, snapshot(database, "a"), Delivery.UNKNOWN) == 1
    with writing(database) as connection:
        _, hold = ledger.claim(connection, campaign.id, 0, "us", doubt=Delivery.UNKNOWN)
        ledger.intend_again(connection, hold, [2])

        late = [News(2, epoch, Delivery.REFUSED, error="late")]
        assert ledger.settle(connection, campaign.id, 0, late, validity_s=60).total() == 0

    assert check(database, campaign).tally.submitting == 1


def test_who_is_in_another_state_by_now_is_not_tried_again(database, logs):
    campaign, _ = finished(database, logs, refused)

    with writing(database) as connection:  # as they were found before a receipt or another retry came
        assert retries.try_again(connection, campaign.id, {0}, [2, 3], Delivery.REFUSED) == 1
        assert retries.try_again(connection, campaign.id, {0}, [2, 3], Delivery.REFUSED) == 0

    tally = check(database, campaign).tally
    assert (tally.retry, tally.refused, tally.accepted) == (1, 3, 8)


def test_a_shard_that_waits_for_later_is_due_at_once(sqlite, logs):
    campaign, _ = finished(sqlite, logs, refused)
    with writing(sqlite) as connection:
        connection.execute(sa.update(shards.shards).values(state=ShardState.OPEN, due_ms=2**50))
        connection.execute(sa.update(campaigns.campaigns).values(state=State.RUNNING))

    retry(sqlite, snapshot(sqlite, "a"), Delivery.REFUSED)

    with sqlite.connect() as connection:
        assert shards.waiting(connection, "here") == [(campaign.id, 0)]


def test_a_paused_campaign_stays_paused(sqlite, logs):
    campaign, _ = finished(sqlite, logs, refused)
    with writing(sqlite) as connection:
        connection.execute(sa.update(campaigns.campaigns).values(state=State.PAUSED))

    assert retry(sqlite, snapshot(sqlite, "a"), Delivery.REFUSED) == 4

    assert as_stored(sqlite, campaign).state is State.PAUSED
    assert check(sqlite, campaign).tally.retry == 4


@pytest.mark.parametrize("state", [Delivery.ACCEPTED, Delivery.DELIVERED, Delivery.SUBMITTING, Delivery.RETRY])
def test_what_was_taken_or_is_under_way_is_not_tried_again(sqlite, state):
    trigger(sqlite, "a", SIZE, gateway="net")

    with pytest.raises(NotRetriable):
        count_of(snapshot(sqlite, "a"), state)


def test_a_cancelled_campaign_stays_cancelled(sqlite):
    move_in(sqlite, crowd(3))
    campaign = trigger(sqlite, "a", SIZE, gateway="net")
    with writing(sqlite) as connection:
        campaigns.change(connection, campaign.id, Verb.CANCEL)

    with pytest.raises(NotRetriable):
        count_of(snapshot(sqlite, "a"), Delivery.REFUSED)


def test_a_campaign_that_went_to_logs_has_nothing_to_try_again(app, sqlite, logs):
    move_in(sqlite, crowd(3))
    run(sqlite, logs, "a", SIZE)

    app("retry", "a", "--state", "refused").assert_refused("a goes to logs")


def test_the_command_says_how_many_and_that_some_may_get_it_twice_and_asks(app, sqlite, logs):
    campaign, _ = finished(sqlite, logs, lambda n, each: None if each.token == 2 else taken(n, each))

    ended = app("retry", "a", "--state", "unknown")

    assert ended.code == 1
    assert ended.out.startswith("a, unknown: 1 message\nNobody knows whether these were taken.")
    assert "pass --yes" in ended.err
    assert as_stored(sqlite, campaign).state is State.FINISHED


@pytest.mark.parametrize(("answer", "code", "state"), [(True, 0, State.RUNNING), (False, 1, State.FINISHED)])
def test_a_person_is_asked(app, sqlite, logs, monkeypatch, answer, code, state):
    campaign, _ = finished(sqlite, logs, refused)
    monkeypatch.setattr(asking.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(asking, "agrees", lambda question: answer)

    assert app("retry", "a", "--state", "refused").code == code

    assert as_stored(sqlite, campaign).state is state


@pytest.mark.usefixtures("chinese")
def test_it_speaks_chinese(app, sqlite, logs):
    finished(sqlite, logs, refused)

    assert app("retry", "a", "--state", "refused", "--yes").out == "a 被拒绝: 4 条短信\na 发送中;4 条短信将重试\n"
