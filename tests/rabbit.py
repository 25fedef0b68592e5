"""RabbitMQ of a test's own: its data, its ports, and the port mapper that Erlang asks for; nothing of it is left.

It is Debian's package `rabbitmq-server`, started without its service.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests import memory
from tests.databases import NoServer, find_program
from tests.ports import free_port
from tests.waiting import until

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
STARTS_WITHIN_S = 90.0
LOOPBACK = "127.0.0.1"


class Broker:
    """One that can be killed and started again, with its data or without."""

    def __init__(self, home: Path, address: str = LOOPBACK) -> None:
        self.port = free_port()
        self.address = address
        self.url = f"amqp://guest:guest@{address}:{self.port}//"
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self._node = f"sms{secrets.token_hex(4)}@localhost"
        self._environment = self._made(home)
        self._mapper = subprocess.Popen(
            [find_program("epmd") or "epmd", "-port", self._environment["ERL_EPMD_PORT"], "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _made(self, home: Path) -> Mapping[str, str]:
        (home / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = {self.address}:{self.port}\nvm_memory_high_watermark.absolute = 512MB\n"
            "disk_free_limit.absolute = 50MB\nlog.console = false\n"
            + ("" if self.address == LOOPBACK else "loopback_users = none\n")
        )
        (home / "plugins").write_text("[].")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),  # the cookie of Erlang is in it
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RUNNING_UNDER_SYSTEMD": "1",  # it becomes the server, instead of waiting for it
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none",
        }

    def start(self) -> None:
        """Wait until it answers."""
        with (self._home / "said").open("ab") as said:
            self._process = subprocess.Popen(
                [SERVER],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self._home,
                start_new_session=True,
            )
        process = self._process
        until(lambda: process.poll() is not None or self.answers(), within_s=STARTS_WITHIN_S, what="RabbitMQ answers")
        assert process.poll() is None, (self._home / "said").read_text()

    def answers(self) -> bool:
        """Whether somebody can use it."""
        from kombu import Connection

        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """`kill -9`."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def wipe(self) -> None:
        """Its disk is empty then; it must not run."""
        shutil.rmtree(self._home / "data")

    def close(self) -> None:
        """Nothing of it is left."""
        self.kill()
        self._mapper.kill()
        self._mapper.wait()


@contextmanager
def rabbit(address: str = LOOPBACK) -> Iterator[Broker]:
    """A running one that listens there; what comes from elsewhere than this machine is on a network of ours alone.
    Raises NoServer."""
    if not SERVER.exists():
        raise NoServer("no rabbitmq-server on this machine; it is Debian's package of that name")
    with tempfile.TemporaryDirectory(prefix="sms-", dir=memory.folder()) as folder:
        broker = Broker(Path(folder), address)
        try:
            broker.start()
            yield broker
        finally:
            broker.close()
