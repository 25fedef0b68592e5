"""Orders, reports and news are plain data: what a release of today writes, the next ones read."""

from collections import Counter

import pytest

from app.domain.orders import (
    CensusOrder,
    CensusReport,
    Outcome,
    PrepareOrder,
    PrepareReport,
    Rejected,
    ShardOrder,
    ShardReport,
)
from app.domain.reject import Reason
from app.errors import UnknownDocument
from app.runners import orders

SHARD = '{"kind": "shard", "version": 1, "campaign_id": 7, "number": 3}'
PREPARE = '{"kind": "prepare", "version": 1, "campaign_id": 7}'
SHARD_REPORT = (
    '{"kind": "shard_report", "version": 1, "order": {"campaign_id": 7, "number": 3}, '
    '"outcome": "blocked", "reason": "磁盘已满"}'
)
PREPARE_REPORT = (
    '{"kind": "prepare_report", "version": 1, "order": {"campaign_id": 7}, "outcome": "complete", "reason": ""}'
)
CENSUS = '{"kind": "census", "version": 1}'
CENSUS_REPORT = '{"kind": "census_report", "version": 1, "order": {}, "outcome": "complete", "reason": ""}'
REJECTED = (
    '{"kind": "rejected", "version": 1, "order": {"campaign_id": 7, "number": 3}, '
    '"counts": {"no_mobile": 2, "duplicate": 1}}'
)
DOCUMENTS = [
    (orders.read_order, SHARD, ShardOrder(7, 3)),
    (orders.read_order, PREPARE, PrepareOrder(7)),
    (orders.read_report, SHARD_REPORT, ShardReport(ShardOrder(7, 3), Outcome.BLOCKED, "磁盘已满")),
    (orders.read_report, PREPARE_REPORT, PrepareReport(PrepareOrder(7), Outcome.COMPLETE)),
    (orders.read_order, CENSUS, CensusOrder()),
    (orders.read_report, CENSUS_REPORT, CensusReport(CensusOrder(), Outcome.COMPLETE)),
    (
        orders.read_news,
        REJECTED,
        Rejected(ShardOrder(7, 3), Counter({Reason.NO_MOBILE: 2, Reason.DUPLICATE: 1})),
    ),
]
"""As version 1 writes them. Do not change a text here: a queue somewhere is full of them."""


@pytest.mark.parametrize(("read", "text", "document"), DOCUMENTS)
def test_a_document_of_version_1_is_read_for_ever(read, text, document):
    assert read(text) == document


@pytest.mark.parametrize(("read", "text", "document"), DOCUMENTS)
def test_a_document_is_written_as_it_is_read(read, text, document):
    assert orders.write(document) == text


@pytest.mark.parametrize(
    ("text", "kind", "version"),
    [
        (SHARD.replace('"version": 1', '"version": 2'), "shard", 2),
        (SHARD.replace('"shard"', '"letter"'), "letter", 1),
        (SHARD_REPORT, "shard_report", 1),
        (SHARD.replace('"number": 3', '"number": null'), "damaged shard", 1),
        ('{"kind": "shard"}', "unreadable", "none"),
        ("{", "unreadable", "none"),
        ("", "unreadable", "none"),
        (ShardOrder(7, 3), "ShardOrder", "none"),
        (b"shard", "bytes", "none"),
        (None, "NoneType", "none"),
    ],
)
def test_what_is_no_order_of_this_release_is_said_to_be_so(text, kind, version):
    with pytest.raises(UnknownDocument) as raised:
        orders.read_order(text)

    assert (raised.value.kind, raised.value.version) == (kind, version)
