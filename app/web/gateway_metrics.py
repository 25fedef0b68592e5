"""What /metrics says of what went over each gateway: counters and histograms, as they stand in the database."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily as Total
from prometheus_client.core import HistogramMetricFamily as Durations
from prometheus_client.core import Metric

from app.domain import traffic as names
from app.domain.delivery import RECEIPTS
from app.domain.traffic import Traffic, histogram


def of_traffic(traffic: Mapping[str, Traffic]) -> Iterator[Metric]:
    """Counters of each gateway; a result that did not occur yet is 0."""
    submissions = Total("sms_gateway_submissions", "Submissions, by what they came to.", labels=["gateway", "result"])
    parts = Total("sms_gateway_parts", "Parts of the messages that were submitted.", labels=["gateway"])
    receipts = Total(
        "sms_receipts", "Receipts of messages that are on record, by what they said.", labels=["gateway", "state"]
    )
    unmatched = Total("sms_receipts_unmatched", "Receipts whose message is not known.", labels=["gateway"])
    answers = Durations("sms_gateway_submit_duration_seconds", "From a submission to its answer.", labels=["gateway"])
    delays = Durations(
        "sms_receipt_delay_seconds", "From a submission to the receipt that told what became of it.", labels=["gateway"]
    )
    for gateway, found in traffic.items():
        for result in names.RESULTS:
            submissions.add_metric([gateway, str(result)], found[f"{names.SUBMISSIONS}:{result}"])
        parts.add_metric([gateway], found[names.PARTS])
        for state in sorted(RECEIPTS):
            receipts.add_metric([gateway, state.value], found[f"{names.RECEIPTS}:{state}"])
        unmatched.add_metric([gateway], found[names.UNMATCHED])
        for family, kind in ((answers, names.ANSWER_S), (delays, names.RECEIPT_S)):
            took = histogram(kind, found)
            upto = [("+Inf" if bound == names.BEYOND else f"{bound:g}", float(count)) for bound, count in took.upto]
            family.add_metric([gateway], upto, took.sum_s)
    yield from (submissions, parts, receipts, unmatched, answers, delays)
