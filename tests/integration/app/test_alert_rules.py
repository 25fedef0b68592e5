"""When each alert about a gateway fires, by Prometheus's own tool for that, and when it is over."""

import json
import shutil
import subprocess

import pytest

from tests.integration.app.serving import ROOT

ALL = {"accepted": 0, "refused": 0, "retry": 0, "throttled": 0, "unknown": 0}
"""Of each result how many a minute."""


def submissions(**per_minute):
    return {
        f'sms_gateway_submissions_total{{gateway="smpp-a",result="{result}"}}': f"0+{each}x60"
        for result, each in (ALL | per_minute).items()
    }


def receipts(values):
    return {'sms_receipts_total{gateway="smpp-a",state="delivered"}': values}


def fires(alert, series, at, tmp_path, *, is_firing=True):
    """Whether it fires, or does not, for these series of a value every minute; judged by promtool."""
    program = shutil.which("promtool")
    if not program:
        pytest.skip("no promtool on the PATH: apt-get install prometheus")
    expected = []
    if is_firing:
        rule = next(line for line in (ROOT / "ops" / "alerts.yml").read_text().split("- alert: ") if alert in line)
        severity = "critical" if "severity: critical" in rule else "warning"
        expected = [{"exp_labels": {"gateway": "smpp-a", "severity": severity}}]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
    }
    # what an alert says is not judged here
    rules = tmp_path / "alerts.yml"
    lines = (ROOT / "ops" / "alerts.yml").read_text().splitlines(keepends=True)
    rules.write_text("".join(line for line in lines if "annotations:" not in line and "summary:" not in line))
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run([program, "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    return done.returncode == 0 or pytest.fail(done.stdout + done.stderr)


@pytest.mark.parametrize(
    ("values", "at", "is_firing"),
    [("1 1 0 0 0 0", "4m", True), ("1 1 0 0 0 0", "2m", False), ("0 0 0 1 1 1", "5m", False), ("_ _ _ _", "3m", False)],
)
def test_a_gateway_is_down_after_a_minute_of_it(values, at, is_firing, tmp_path):
    assert fires("GatewayDown", {'sms_gateway_up{gateway="smpp-a"}': values}, at, tmp_path, is_firing=is_firing)


@pytest.mark.parametrize(
    ("per_minute", "is_firing"),
    [({"accepted": 900, "throttled": 60}, True), ({"accepted": 960, "throttled": 40}, False), ({"throttled": 5}, True)],
)
def test_it_throttles_above_five_in_a_hundred(per_minute, is_firing, tmp_path):
    assert fires("GatewayThrottles", submissions(**per_minute), "10m", tmp_path, is_firing=is_firing)


@pytest.mark.parametrize(
    ("values", "is_firing"),
    [("0+10x10 100x50", True), ("0+10x60", False), ("0x60", False)],
    ids=["silent", "as-usual", "never-any"],
)
def test_receipts_are_silent_where_there_were_some(values, is_firing, tmp_path):
    series = submissions(accepted=60) | receipts(values)

    assert fires("ReceiptsSilent", series, "40m", tmp_path, is_firing=is_firing)


def test_receipts_are_not_missed_where_nothing_is_submitted(tmp_path):
    series = submissions() | receipts("0+10x10 100x50")

    assert fires("ReceiptsSilent", series, "40m", tmp_path, is_firing=False)


@pytest.mark.parametrize(("at", "is_firing"), [("10m", False), ("20m", True)])
def test_messages_in_doubt_are_told_when_they_stay_so(at, is_firing, tmp_path):
    series = {'sms_messages_unknown{gateway="smpp-a"}': "1x60"}

    assert fires("MessagesUnknown", series, at, tmp_path, is_firing=is_firing)
