"""Hosts on one machine, made of network namespaces: a hub for database and broker, a provider's network, and hosts
with a link to each of the two. A host can be cut off from any address, its cable pulled, and all of it killed.

It needs root, and Debian's `iproute2`, `iptables` and `util-linux`. Nothing of it is left afterwards; what a run that
was killed left behind the next one takes away.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.waiting import until

PREFIX = "smstest"
"""Names of ours are this, the number of the process of tests, and a word."""
DATABASE, BROKER, PROVIDER = "10.99.0.1", "10.99.0.2", "10.98.0.1"
"""The first two are the hub's."""
NETS = {"hub": "10.99.0", "provider": "10.98.0"}
_NAMESPACES = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_TOOLS = ("ip", "iptables", "nsenter", "unshare")


class NoHosts(Exception):
    """There can be none on this machine; says why."""


class Place:
    """A network of its own, by whatever is in it seen as a machine called `word`."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.name = f"{PREFIX}-{os.getpid()}-{word}"

    @property
    def prefix(self) -> Sequence[str]:
        """What comes before a command that is to run there. It becomes that command, and keeps its process id."""
        named = ("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.word)
        return ("nsenter", f"--net={_NAMESPACES / self.name}", *named)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """What this thread connects to or starts is there, and so are the threads that it begins."""
        before = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(_NAMESPACES / self.name, os.O_RDONLY | os.O_CLOEXEC)
            try:
                _enter(there)
            finally:
                os.close(there)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(before)

    def processes(self) -> list[int]:
        """All that run there, but not ours."""
        found = map(int, _said("ip", "netns", "pids", self.name).split())
        return [each for each in found if each != os.getpid()]

    def signal(self, number: int) -> None:
        """To all of it at once."""
        for each in self.processes():
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def kill(self) -> None:
        """`kill -9` of all of it."""

        def is_gone() -> bool:
            self.signal(signal.SIGKILL)
            return not any(map(_is_running, self.processes()))

        until(is_gone, what=f"nothing runs in {self.name}")

    def do(self, *command: str) -> None:
        """A command there, to its end."""
        _do("nsenter", f"--net={_NAMESPACES / self.name}", *command)


class Host(Place):
    """One with a link to the hub and one to the provider."""

    def __init__(self, word: str, number: int, others: dict[str, Place]) -> None:
        super().__init__(word)
        self._others = others
        self._address = {net: f"{start}.{10 + number}" for net, start in NETS.items()}
        self._port = f"p{number}"

    def plug_in(self) -> None:
        """Its cables."""
        for net, other in self._others.items():
            _do("ip", "link", "add", net, "netns", self.name, *("type", "veth"),
                *("peer", "name", self._port, "netns", other.name))  # fmt: skip
            _do("ip", "-n", other.name, "link", "set", self._port, "master", "bridge", "up")
            _do("ip", "-n", self.name, "addr", "add", f"{self._address[net]}/24", "dev", net)
            _do("ip", "-n", self.name, "link", "set", net, "up")

    @contextmanager
    def cut(self, *addresses: str, hears: bool = False, is_heard: bool = False) -> Iterator[None]:
        """Nothing comes from it or to it any more, without a word; or in one direction alone."""
        rules: list[tuple[Place, tuple[str, ...]]] = []
        for address in addresses:
            net = _net(address)
            if not hears:
                rules.append((self, ("-s", address)))
            if not is_heard:
                rules.append((self._others[net], ("-s", self._address[net], "-d", address)))
        made: list[tuple[Place, tuple[str, ...]]] = []
        try:
            for place, rule in rules:
                place.do("iptables", "-w", "-I", "INPUT", *rule, "-j", "DROP")
                made.append((place, rule))
            yield
        finally:
            for place, rule in made:
                place.do("iptables", "-w", "-D", "INPUT", *rule, "-j", "DROP")

    @contextmanager
    def unplugged(self, net: str) -> Iterator[None]:
        """Its cable to `hub` or `provider` is pulled at the other end."""
        other = self._others[net].name
        _do("ip", "-n", other, "link", "set", self._port, "down")
        try:
            yield
        finally:
            _do("ip", "-n", other, "link", "set", self._port, "up")


def _net(address: str) -> str:
    return next(net for net, start in NETS.items() if address.startswith(f"{start}."))


class Hosts:
    """`hub`, `provider`, and the hosts `w1`, `w2`, …"""

    def __init__(self, count: int) -> None:
        self.hub, self.provider = Place("hub"), Place("provider")
        of = {"hub": self.hub, "provider": self.provider}
        self.all = [Host(f"w{number}", number, of) for number in range(1, count + 1)]

    @property
    def places(self) -> list[Place]:
        return [*self.all, self.provider, self.hub]

    def make(self, hub_of: int | None) -> None:
        """`hub_of`: a process whose network becomes the hub, as that of a container without one."""
        if hub_of is None:
            _do("ip", "netns", "add", self.hub.name)
        else:
            _do("ip", "netns", "attach", self.hub.name, str(hub_of))
        for each in (self.provider, *self.all):
            _do("ip", "netns", "add", each.name)
        for each in self.places:
            _do("ip", "-n", each.name, "link", "set", "lo", "up")
        for place, addresses in ((self.hub, (DATABASE, BROKER)), (self.provider, (PROVIDER,))):
            _do("ip", "-n", place.name, "link", "add", "bridge", "type", "bridge")
            _do("ip", "-n", place.name, "link", "set", "bridge", "up")
            for address in addresses:
                _do("ip", "-n", place.name, "addr", "add", f"{address}/24", "dev", "bridge")
        for host in self.all:
            host.plug_in()

    def remove(self, *, with_hub: bool) -> None:
        """Whatever runs there goes with it; `with_hub`, what runs in the hub as well."""
        for each in self.places:
            if (_NAMESPACES / each.name).exists():
                if each is not self.hub or with_hub:
                    each.kill()
                _do("ip", "netns", "del", each.name)


@contextmanager
def hosts(count: int, *, hub_of: int | None = None) -> Iterator[Hosts]:
    """So many of them. Raises NoHosts."""
    check_possible()
    _remove_what_was_left()
    made = Hosts(count)
    try:
        made.make(hub_of)
        yield made
    finally:
        made.remove(with_hub=hub_of is None)


def check_possible() -> None:
    """Raises NoHosts."""
    if os.geteuid() != 0:
        raise NoHosts("network namespaces need root")
    if missing := [each for each in _TOOLS if not shutil.which(each)]:
        raise NoHosts(f"no {', '.join(missing)} on this machine; Debian has them in iproute2, iptables and util-linux")
    if subprocess.run(["unshare", "--net", "--uts", "true"], capture_output=True, check=False).returncode:
        raise NoHosts("this machine makes no network namespaces")


def _remove_what_was_left() -> None:
    """By a run that was killed."""
    for path in _NAMESPACES.glob(f"{PREFIX}-*"):
        pid = path.name.split("-")[1]
        if not Path("/proc", pid).exists():
            for each in _said("ip", "netns", "pids", path.name).split():
                with suppress(ProcessLookupError):
                    os.kill(int(each), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", path.name], capture_output=True, check=False)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns() is there from Python 3.12 on
    if libc.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def _is_running(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def _do(*command: str) -> None:
    _said(*command)


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
