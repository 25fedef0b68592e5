"""The alerts fire in a real Prometheus that asks a real web process."""

import json
import re
import shutil
import subprocess
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.domain.campaign import Verb
from app.sentence import Sentence
from app.store import campaigns, hosts, samples
from app.store.database import writing
from app.store.samples import Sample
from tests.integration.app.campaigns import change_shard, trigger
from tests.integration.app.people import crowd, move_in, person
from tests.integration.app.serving import ON_SQLITE, ROOT
from tests.integration.app.web_process import web_process
from tests.integration.smpp.smsc import running
from tests.ports import free_port
from tests.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

WITHIN_S = 240.0
"""One alert fires a minute after what it tells, and all of it may take long."""
CONFIG = """
global: {{scrape_interval: 5s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs: [{{job_name: sms, static_configs: [{{targets: ["{target}"]}}]}}]
"""


@pytest.fixture
def prometheus(tmp_path):
    """`prometheus(url)` asks there; gives what tells which alerts fire, `at_once` without waiting for how long it has
    been so. It is Debian's package."""
    program = shutil.which("prometheus")
    if not program:
        pytest.skip("no prometheus on the PATH: apt-get install prometheus")
    running = []

    def start(url, *, at_once=False):
        port = free_port()
        config, rules = tmp_path / "prometheus.yml", tmp_path / "alerts.yml"
        text = (ROOT / "ops" / "alerts.yml").read_text()
        rules.write_text(re.sub(r"for: \w+", "for: 1s", text) if at_once else text)
        config.write_text(CONFIG.format(rules=rules, target=url.removeprefix("http://")))
        command = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
        with (tmp_path / "prometheus.log").open("wb") as log:
            running.append(
                subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
            )

        def firing():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/alerts", timeout=5) as answer:
                    alerts = json.load(answer)["data"]["alerts"]
            except OSError:
                return set()
            return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

        return firing

    yield start
    for each in running:
        each.terminate()
        each.wait(30)


@ON_SQLITE
def test_a_campaign_that_is_stuck_and_one_that_failed_are_told(product, prometheus, tmp_path):
    move_in(product.database, [person(5)])
    stuck, failed = trigger(product.database, "stuck", 10), trigger(product.database, "failed", 10)
    change_shard(product.database, stuck, audience=1)
    with writing(product.database) as connection:
        samples.insert(connection, [Sample(stuck.id, 1_700_000_000, 0, 0, 0, 0, moved_at_s=1_700_000_000)])
        campaigns.change(connection, failed.id, Verb.FAIL, Sentence("plain", text="for a test"))

    with web_process(product, tmp_path) as web:
        firing = prometheus(web.url)

        both = {"CampaignStuck", "CampaignFailed"}
        found = until(lambda: both <= (now := firing()) and now, within_s=WITHIN_S, what="both alerts fire")
        assert found - {"ServerDown"} == both  # and none runs


@ON_SQLITE
def test_a_host_that_went_away_with_work_in_hand_is_told(product, prometheus, tmp_path):
    with writing(product.database) as connection:
        for host, in_hand in (("idle", 0), ("busy", 2)):
            hosts.beat(connection, host, "worker:1", hosts.WORKER, 4, in_hand)
        connection.execute(hosts.hosts.update().values(seen_ms=hosts.hosts.c.seen_ms - 60_000))

    with web_process(product, tmp_path) as web:
        firing = prometheus(web.url)

        found = until(lambda: "HostGone" in (now := firing()) and now, within_s=WITHIN_S, what="the alert fires")
        assert found - {"ServerDown"} == {"HostGone"}


GATEWAY = """
[smpp-a]
kind = "smpp"
host = "127.0.0.1"
port = {port}
system_id = "sms"
password_env = "CENTRE_PASSWORD"
rate = 20
answer_timeout_s = 2
"""


def value(web, name, **labels):
    """Of a metric, as Prometheus reads it; None where it is missing."""
    with web.get("/metrics") as answer:
        found = text_string_to_metric_families(answer.read().decode())
    samples = [each for family in found for each in family.samples]
    return next((each.value for each in samples if each.name == name and each.labels.items() >= labels.items()), None)


@ON_SQLITE
def test_a_message_centre_that_is_stopped_in_a_campaign_is_told_until_it_is_back(product, prometheus, tmp_path):
    move_in(product.database, crowd(5_000))
    folder = tmp_path / "centre"
    folder.mkdir()
    # While it is away, its port is to be none that the kernel gives to connections.
    options = ("--receipts-after", "0.2", "--port", str(free_port()))
    with running(folder, *options) as centre, web_process(product, tmp_path) as web:
        file = tmp_path / "gateways.toml"
        file.write_text(GATEWAY.format(port=centre.port))
        settings = {"SMS_GATEWAYS": str(file), "CENTRE_PASSWORD": "secret", "SMS_SHARD_SIZE": "10000"}
        product.environment |= settings
        product.start()
        assert product.run("trigger", "a", "--gateway", "smpp-a", "--template", "{name}").returncode == 0
        until(lambda: value(web, "sms_receipts_total", state="delivered"), within_s=60, what="a receipt is counted")
        firing = prometheus(web.url, at_once=True)
        until(lambda: value(web, "sms_gateway_up") == 1, within_s=60, what="the gateway is up")

        centre.kill()

        until(lambda: "GatewayDown" in firing(), within_s=WITHIN_S, what="the alert fires")
        assert value(web, "sms_gateway_submissions_total", gateway="smpp-a", result="accepted") > 0
        assert value(web, "sms_gateway_submit_duration_seconds_count", gateway="smpp-a") > 0
        centre.start()
        until(lambda: "GatewayDown" not in firing(), within_s=WITHIN_S, what="the alert is over")
        assert product.run("cancel", "a").returncode == 0
