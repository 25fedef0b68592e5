"""/metrics, as Prometheus reads it."""

import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from app.campaigns import reasons
from app.campaigns.reasons import CountedReasons
from app.campaigns.summary import page
from app.store import hosts, samples
from app.store.database import writing
from app.store.samples import Sample
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import move_in, person


def values(client):
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_outcomes_add_up_to_the_audience(client, database):
    move_in(database, [person(5)])
    campaign = trigger(database, "spring", 10)
    change_shard(database, campaign, sent=3, rejected=1, audience=9, last_id=4)

    found = values(client)

    outcomes = {name[2]: value for name, value in found.items() if name[:2] == ("sms_campaign_customers", "spring")}
    assert outcomes == {"sent": 3, "rejected": 1, "gone": 0, "waiting": 5}
    assert found["sms_campaigns", "running"] == found["sms_campaign_running", "spring"] == 1
    assert found["sms_shards", "open"] == 1
    assert found["sms_database_up",] == 1


def test_the_last_step_is_that_of_the_samples(client, database):
    move_in(database, [person(5)])
    campaign = trigger(database, "spring", 10)
    with writing(database) as connection:
        samples.insert(connection, [Sample(campaign.id, 1_700_000_000, 0, 0, 0, 0, moved_at_s=1_699_999_990)])

    assert values(client)["sms_campaign_last_progress_timestamp_seconds", "spring"] == 1_699_999_990


def test_without_a_server_it_says_so(client):
    found = values(client)

    assert found["sms_server_up",] == 0
    assert ("sms_tasks_waiting",) not in found


def test_without_a_database_it_says_so(client, tmp_path):
    (tmp_path / "sms.db").unlink()
    (tmp_path / "sms.db").mkdir()
    client.app.state.house.database.dispose()

    assert values(client)["sms_database_up",] == 0


def test_reasons_are_counted_again_only_after_a_pause_that_is_long_beside_the_counting(client, database, monkeypatch):
    move_in(database, [person(5)])
    campaign = trigger(database, "spring", 10)
    now, counts = [0.0], []

    def count(connection, campaign_id):
        counts.append(now[0])
        now[0] += 2.0
        return {}

    monkeypatch.setattr(reasons.rejects, "count_all", count)
    counted = CountedReasons(clock=lambda: now[0])
    for rejected in range(1, 100):
        change_shard(database, campaign, rejected=rejected)
        with database.connect() as connection:
            (shown,) = page(connection).campaigns
            counted.of(connection, shown)
        now[0] += 1.0

    assert counts == [0.0, 62.0]


def test_hosts_are_there_with_what_they_have_in_hand_and_their_clocks(client, database):
    with writing(database) as connection:
        hosts.beat(connection, "w1", "worker:1", hosts.WORKER, 4, 3)
        hosts.beat(connection, "w1", "server:2", hosts.SERVER, 0, 0)
        for process, in_hand in (("worker:1", 4), ("worker:2", 2)):
            hosts.beat(connection, "w2", process, hosts.WORKER, 4, in_hand)
        of_former_life = sa.and_(hosts.hosts.c.host == "w2", hosts.hosts.c.process == "worker:1")
        change = hosts.hosts.update()
        connection.execute(change.where(hosts.hosts.c.host == "w2").values(seen_ms=1_700_000_000_000, clock_ms=-2_500))
        connection.execute(change.where(of_former_life).values(seen_ms=1_600_000_000_000))

    found = values(client)

    assert (found["sms_hosts", "alive"], found["sms_hosts", "gone"]) == (1, 1)
    assert (found["sms_host_in_hand", "w1"], found["sms_host_in_hand", "w2"]) == (3, 2)
    assert found["sms_host_last_seen_timestamp_seconds", "w2"] == 1_700_000_000
    assert found["sms_host_clock_offset_seconds", "w2"] == -2.5
    assert abs(found["sms_host_clock_offset_seconds", "w1"]) < 60
