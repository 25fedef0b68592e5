"""Dashboards, alerts and the documents name metrics that there are, and leave out none."""

import json
import re
from collections import Counter
from datetime import UTC, datetime

import pytest

from app.campaigns.reasons import Reasons
from app.campaigns.summary import Summary
from app.domain.campaign import State
from app.domain.reject import Reason
from app.domain.tally import Tally
from app.store.campaigns import Campaign
from app.store.hosts import Process
from app.store.shard_sums import Sums
from app.trigger.server_stats import ServerStats
from app.web.facts import Facts, Followed
from app.web.metrics import of_database, of_server
from tests.house.sources import ROOT

ALERTS, DASHBOARD, DOCUMENT = (ROOT / name for name in ("ops/alerts.yml", "ops/grafana.json", "docs/metrics.md"))
NAME = re.compile(r"\bsms_[a-z_]+\b")
SERIES = re.compile(r"_(bucket|sum|count)$")
"""Of a histogram, which is named without."""
LABEL = re.compile(r"\b(sms_[a-z_]+)\{([^}]*)\}")


def of_gateway(gateway: str) -> Followed:
    """A campaign that has something of everything."""
    values: dict[str, object] = dict.fromkeys(Campaign.__dataclass_fields__)
    values |= {"id": 1, "name": gateway, "state": State.RUNNING, "created_at": datetime.now(UTC), "gateway": gateway}
    tally = Tally(sent=3, rejected=1, audience=9, unknown=1, accepted=2)
    return Followed(Summary(Campaign(**values), None, None, Sums(tally=tally)), Reasons([(Reason.NO_NAME, 1)], []), 1.0)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def metrics() -> dict[str, tuple[set[str], set[tuple[str, str]]]]:
    """Of each name its labels, and what they may be."""
    process = Process("w1", "worker:1", "worker", 4, 1, 0, 0, None, is_alive=True)
    facts = Facts([of_gateway("log"), of_gateway("net")], {}, {"net": 1}, [process], {"net": True}, {"net": Counter()})
    found = [*of_database(facts), *of_server(ServerStats(0.0, {}, 0, None, 0, 0))]
    return {
        f"{each.name}_total" if each.type == "counter" else each.name: (
            {name for sample in each.samples for name in sample.labels},
            {pair for sample in each.samples for pair in sample.labels.items()},
        )
        for each in found
    }


def named(text: str) -> set[str]:
    """The metrics that it speaks of."""
    return {
        SERIES.sub("", name) if name.endswith(("_bucket", "_sum", "_count")) else name for name in NAME.findall(text)
    }


def test_every_name_in_dashboard_and_alerts_is_a_metric(metrics):
    for file in (ALERTS, DASHBOARD):
        assert named(file.read_text()) - {*metrics} == set(), file.name


def test_every_metric_is_on_the_dashboard_and_in_the_document(metrics):
    for file in (DASHBOARD, DOCUMENT):
        assert {*metrics} - named(file.read_text()) == set(), file.name


def test_labels_that_are_asked_for_are_there(metrics):
    text = ALERTS.read_text() + "".join(
        target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]
    )
    asked = [
        (name, label, value)
        for name, labels in LABEL.findall(text)
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', labels)
        for value in values.split("|")
    ]

    assert asked
    assert [each for each in asked if (each[1], each[2]) not in metrics[each[0]][1]] == []


def test_no_label_names_a_customer(metrics):
    assert set().union(*(labels for labels, _ in metrics.values())) == {
        *("campaign", "outcome", "reason", "state", "gateway", "host", "version", "result", "le"),
    }
