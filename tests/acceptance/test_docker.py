"""The real compose file on a real Docker engine: up, seed, trigger from the host, report, up again."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Client
from tests.databases import docker_answers
from tests.ports import free_port
from tests.waiting import until

ROOT = Path(__file__).parent.parent.parent
CUSTOMERS = 3_000
WITHIN_S = 240.0
"""A container starts beside all other tests."""
PROJECT = f"sms-test-{os.getpid()}"

BROKER = """
FROM python:3.13-slim
RUN apt-get update && RUNLEVEL=1 apt-get install -y --no-install-recommends rabbitmq-server
CMD ["sh", "-c", "printf 'default_user = %s\\ndefault_pass = %s\\nloopback_users = none\\n' \
$RABBITMQ_DEFAULT_USER $RABBITMQ_DEFAULT_PASS > /etc/rabbitmq/rabbitmq.conf \
&& chown -R rabbitmq /var/lib/rabbitmq && exec rabbitmq-server"]
"""
"""What our compose file counts on in RabbitMQ's image, made of Debian's package."""
PROMETHEUS = """
FROM python:3.13-slim
RUN apt-get update && apt-get install -y --no-install-recommends prometheus
ENTRYPOINT ["prometheus"]
"""
"""The same of Prometheus's."""

pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(1200)]


class Stack:
    """The compose project under a name and on ports of its own."""

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.mysql_port, self.port, self.web_port, self.prometheus_port = (free_port() for _ in range(4))
        self._settings = {
            "MYSQL_PORT": str(self.mysql_port),
            "SMS_PORT": str(self.port),
            "SMS_WEB_PORT": str(self.web_port),
            "PROMETHEUS_PORT": str(self.prometheus_port),
            "PROMETHEUS_IMAGE": f"{PROJECT}-prometheus",
            "SMS_LOG_DIR": str(log_dir),
            "SMS_SHARD_SIZE": "1000",
            "CUSTOMERS": str(CUSTOMERS),
            "RABBITMQ_IMAGE": f"{PROJECT}-rabbitmq",
            "FLOWER_PORT": str(free_port()),
            # the logs are checked by whoever runs the tests
            "SMS_UID": str(os.getuid() or 1000),
            "SMS_GID": str(os.getgid() or 1000),
        }

    def compose(self, *arguments: str) -> str:
        return self._run("docker", "compose", "--project-name", PROJECT, *arguments)

    def app(self, *arguments: str) -> str:
        """A command of ours on the host, beside the containers."""
        url = f"mysql+pymysql://sms:sms@127.0.0.1:{self.mysql_port}/sms"
        return self._run(sys.executable, "-m", "app", *arguments, DATABASE_URL=url)

    def make_image(self, setting: str, of: str) -> None:
        """The image that this setting names."""
        self._run("docker", "build", "--quiet", "--tag", self._settings[setting], "-", said=of)

    def remove_images(self) -> None:
        """Them, where they are there."""
        for setting in ("RABBITMQ_IMAGE", "PROMETHEUS_IMAGE"):
            self._run("docker", "image", "rm", "--force", self._settings[setting])

    def is_healthy(self, service: str = "server") -> bool:
        lines = self.compose("ps", "--format", "json", service).splitlines()
        return any(json.loads(line)["Health"] == "healthy" for line in lines)

    def page(self, path: str, port: int | None = None) -> str:
        """What is under this path on the host; '' where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port or self.web_port}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def _run(self, *command: str, said: str = "", **more: str) -> str:
        done = subprocess.run(
            command,
            check=False,
            cwd=ROOT,
            env=os.environ | self._settings | more,
            input=said,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if not docker_answers():
        if os.environ.get("CI"):
            pytest.fail("no Docker engine answers")
        pytest.skip("no Docker engine answers")
    running = Stack(tmp_path_factory.mktemp("logs"))
    try:
        running.compose("up", "--detach", "--build")
        until(running.is_healthy, within_s=WITHIN_S)
        yield running
    finally:
        profiles = ("--profile", "smpp", "--profile", "celery", "--profile", "metrics")
        running.compose(*profiles, "down", "--volumes", "--timeout", "5")
        running.remove_images()


def test_a_campaign_triggered_from_the_host_greets_every_customer(stack: Stack) -> None:
    said = stack.app("trigger", "hello", "--watch")
    report = json.loads(stack.app("report", "hello", "--json"))

    assert said.startswith("hello has begun, as task 0,1,2\n")
    assert report["agrees"]
    assert report["total"]["lines"] == CUSTOMERS
    assert [task["lines"] for task in report["tasks"]] == [1000, 1000, 1000]
    assert (stack.log_dir / "hello" / "task_0.log").read_text().count("\n") == 1000


def test_the_pages_are_there_for_this_machine_alone_and_write_nothing(stack: Stack) -> None:
    until(lambda: stack.is_healthy("web"), within_s=WITHIN_S, what="the pages are served")

    assert "/campaigns/hello" in stack.page("/")
    metrics = stack.page("/metrics")
    assert "sms_server_up 1.0" in metrics
    assert 'sms_campaign_customers{campaign="hello",outcome="sent"} 3000.0' in metrics
    assert stack.compose("port", "web", "8000").strip() == f"127.0.0.1:{stack.web_port}"
    assert stack.compose("exec", "-T", "web", "id", "-u").strip() != "0"
    tried = stack.compose("exec", "-T", "web", "sh", "-c", "touch /app/var/logs/x 2>&1; touch /app/x 2>&1; true")
    assert tried.count("Read-only file system") == 2


def test_with_its_profile_prometheus_reads_the_metrics_and_has_the_alerts(stack: Stack) -> None:
    stack.make_image("PROMETHEUS_IMAGE", PROMETHEUS)

    stack.compose("--profile", "metrics", "up", "--detach", "prometheus")

    def ask(path: str) -> list[dict[str, Any]]:
        answer = json.loads(stack.page(f"/api/v1/{path}", stack.prometheus_port) or '{"data": {}}')["data"]
        return [*answer.get("result", []), *(rule for group in answer.get("groups", []) for rule in group["rules"])]

    sent = until(
        lambda: ask("query?query=sms_campaign_customers"), within_s=WITHIN_S, what="Prometheus has read something"
    )
    assert {each["metric"]["campaign"] for each in sent} == {"hello"}
    assert "GatewayDown" in {each["name"] for each in ask("rules")}
    assert stack.compose("--profile", "metrics", "port", "prometheus", "9090").strip().startswith("127.0.0.1:")


def test_the_port_asks_for_a_token_that_is_made_beside_the_logs_and_is_nobody_elses(stack: Stack) -> None:
    with Client("127.0.0.1", stack.port) as client:
        client.send("nobody")
        answer = client.read_line()

    file = stack.log_dir / ".token"
    assert answer == "请发送JSON,并带上正确的token"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().strip() not in stack.compose("logs", "server")


def test_the_second_up_finds_the_customers_there(stack: Stack) -> None:
    stack.compose("up", "--detach")

    until(lambda: "3,000 customers are there already" in stack.compose("logs", "seed"), within_s=WITHIN_S)
    until(stack.is_healthy, within_s=WITHIN_S)


def test_the_server_runs_as_an_ordinary_user_and_listens_on_loopback_alone(stack: Stack) -> None:
    assert stack.compose("exec", "-T", "server", "id", "-u").strip() != "0"
    assert stack.compose("port", "server", "9501").strip() == f"127.0.0.1:{stack.port}"
    assert stack.compose("port", "mysql", "3306").strip() == f"127.0.0.1:{stack.mysql_port}"


def test_the_database_user_owns_its_schema_and_nothing_else(stack: Stack) -> None:
    shown = stack.compose("exec", "-T", "mysql", "mysql", "-h127.0.0.1", "-usms", "-psms", "-Ne", "SHOW GRANTS")

    assert sorted(line.replace("`", "") for line in shown.splitlines()) == [
        "GRANT ALL PRIVILEGES ON sms.* TO sms@%",
        "GRANT USAGE ON *.* TO sms@%",
    ]


def test_the_server_stops_in_good_order(stack: Stack) -> None:
    stack.compose("stop", "server")

    (line,) = stack.compose("ps", "--all", "--format", "json", "server").splitlines()
    assert json.loads(line)["ExitCode"] == 0


def test_with_its_profile_a_campaign_goes_out_over_the_message_centre_beside_the_server(stack: Stack) -> None:
    stack.compose("--profile", "smpp", "up", "--detach")
    until(stack.is_healthy, within_s=WITHIN_S)
    command = ("exec", "-T", "server", "python", "-m", "app")
    template = ("--template", "{name}{honorific}，您好")

    stack.compose(*command, "trigger", "spring", "--gateway", "smpp-a", *template, "--watch")

    report = json.loads(stack.app("report", "spring", "--json"))
    said = stack.compose("--profile", "smpp", "exec", "-T", "smsc", "cat", "/tmp/smsc.log")
    numbers = [line.split("\t")[2] for line in said.splitlines()]
    assert report["agrees"]
    assert len(numbers) == len({*numbers}) == CUSTOMERS
    assert "smpp-a" in stack.compose(*command, "gateways")
    stack.compose("restart", "web")  # it sees at its start which gateways there are
    until(lambda: stack.is_healthy("web"), within_s=WITHIN_S, what="the pages are served")
    assert f'result="accepted"}} {CUSTOMERS}.0' in stack.page("/metrics")


def test_with_its_profile_workers_of_celery_send_and_one_that_is_killed_is_made_good(stack: Stack) -> None:
    stack.make_image("RABBITMQ_IMAGE", BROKER)
    profiles = ("--profile", "smpp", "--profile", "celery")
    stack.compose(*profiles, "up", "--detach", "--scale", "worker=2")
    stack.compose("restart", "server")  # it sees at its start whether RabbitMQ is there
    until(stack.is_healthy, within_s=WITHIN_S)
    command = ("exec", "-T", "server", "python", "-m", "app")
    until(
        lambda: stack.compose(*command, "hosts").count("worker") == 2, within_s=WITHIN_S, what="both workers are there"
    )
    before = stack.compose(*profiles, "exec", "-T", "smsc", "cat", "/tmp/smsc.log")

    stack.compose(*command, "trigger", "autumn", "--gateway", "smpp-a", "--template", "{name}，您好")
    stack.compose(*profiles, "kill", "--signal", "KILL", "worker")
    stack.compose(*profiles, "up", "--detach", "--scale", "worker=2")
    stack.compose(*command, "watch", "autumn")

    report = json.loads(stack.app("report", "autumn", "--json"))
    said = stack.compose(*profiles, "exec", "-T", "smsc", "cat", "/tmp/smsc.log").removeprefix(before)
    numbers = [line.split("\t")[2] for line in said.splitlines()]
    assert report["agrees"]
    assert len(numbers) == len({*numbers})
    assert "this server gives out the orders now" in stack.compose("logs", "server")
