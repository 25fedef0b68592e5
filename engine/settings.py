"""The settings of a server, under Swoole's names. A frozen value, checked when it is built."""

import difflib
import os
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any

from engine.errors import SettingsError

LENGTH_TYPES = {
    "c": "=b", "C": "=B",
    "s": "=h", "S": "=H", "n": ">H", "v": "<H",
    "l": "=i", "L": "=I", "i": "=i", "I": "=I", "N": ">I", "V": "<I",
    "q": "=q", "Q": "=Q", "J": ">Q", "P": "<Q",
}  # fmt: skip
"""Letters of PHP's pack() and what Python's struct calls them; 8, 16, 32 and 64 bits."""


class IpcMode(IntEnum):
    """How tasks travel from event workers to task workers."""

    SOCKET = 1
    """A unix socket for each task worker."""
    QUEUE = 2
    """A System V message queue."""
    PREEMPTIVE = 3
    """The same, and whoever is free takes the next task: a named target is ignored."""


_SECONDS = ("max_wait_time", "task_timeout_s", "heartbeat_idle_time", "heartbeat_check_interval", "frame_timeout_s")
_SWITCHES = (
    "open_length_check", "open_eof_check", "open_eof_split", "open_tcp_nodelay", "ssl_verify_peer",
    "task_enable_coroutine", "log_frame_head",
)  # fmt: skip
_FILES = ("ssl_cert_file", "ssl_key_file", "ssl_client_cert_file")


class _Named(type):
    """Makes Settings, and says which name was meant where one is unknown."""

    def __call__(cls, *args: Any, **given: Any) -> Any:
        known = getattr(cls, "__dataclass_fields__", {})
        if unknown := [name for name in given if name not in known]:
            raise SettingsError([_unknown(name, list(known)) for name in unknown])
        return super().__call__(*args, **given)


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"there is no setting {name}" + (f", did you mean {near[0]}?" if near else "")


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(metaclass=_Named):
    """How a server runs. Nothing is clamped or ignored: what cannot work raises SettingsError, all at once."""

    worker_num: int = field(default_factory=_usable_cores)
    """Event workers, processes that talk to clients: 1 to 256. Default: the cores this process may use."""
    task_worker_num: int = 0
    """Task workers, processes that run `task`: 0 to 1024."""
    task_ipc_mode: IpcMode = IpcMode.SOCKET
    """How tasks travel to task workers."""
    message_queue_key: int | None = None
    """With QUEUE and PREEMPTIVE: the queue's key, 1 to 2**31-1, see `ftok`. Tasks then survive the server: the next
    start with this key delivers what was not done. Default: a private queue, which ends with the server."""
    task_queue_max_bytes: int = 64 * 2**20
    """Most bytes of tasks that wait in one event worker, files and some 300 bytes for each task included: 2**16 to
    2**36. At three quarters it stops reading from clients, at half it reads on; a task beyond the limit raises
    TaskQueueFull."""
    task_tmpdir: str = ""
    """Directory for bodies above 8 KiB and for tasks in hand: absolute, ours, mode 0700, this server's alone. What is
    above it is ours or root's, links as well. Default: one below the system's temporary directory, named after user and
    key, or user, host and port."""
    task_max_attempts: int = 3
    """How many task workers may die with one task in hand before it ends as TaskLost: 1 to 255."""
    task_timeout_s: float = 0
    """Seconds that a task may take from the moment its handler begins: beyond it the task ends as TaskTimeout and is
    not tried again. Its task worker is killed and another takes its place; a coroutine is cancelled, and its worker
    killed only when that has not helped a second later. 0 is no limit, else at most 2**31."""
    task_max_request: int = 0
    """A task worker leaves after so many tasks, and another takes its place; 0 is never."""
    task_max_request_grace: int | None = None
    """Up to so many tasks more, drawn anew by each task worker, so that not all leave at once: 0 to 2**31.
    Default: half of task_max_request when that is above 10, else 0."""
    task_max_memory: int = 0
    """A task worker leaves between tasks once it has more resident memory than this, bytes; 0 is never."""
    task_enable_coroutine: bool = False
    """`task` may be `async def`; each task worker then runs up to task_max_concurrency of them at once. So may be what
    else is called in task workers."""
    task_max_concurrency: int = 16
    """Most tasks at once in one task worker with task_enable_coroutine, 1 to 64. A `def` runs alone in its process."""
    max_wait_time: float = 3.0
    """Seconds that a stopping process may take for the work in hand before SIGKILL; 0 is no limit."""
    open_length_check: bool = False
    """Cut the stream into length-prefixed frames; otherwise `receive` gets the bytes as they arrive."""
    open_eof_check: bool = False
    """Wait until what arrived ends with `package_eof`; several frames may then come to `receive` as one."""
    open_eof_split: bool = False
    """Cut the stream at every `package_eof`."""
    package_eof: bytes = b"\r\n"
    """What ends a frame, 1 to 8 bytes; it is part of the frame."""
    package_length_type: str = "N"
    """The length's type, a letter of PHP's pack(): one of c C s S n N v V l L J q Q P i I."""
    package_length_offset: int = 0
    """Where in the frame the length stands, bytes, 0 to 65535."""
    package_body_offset: int = 0
    """Where in the frame the bytes begin that the length counts, 0 to 65535."""
    package_max_length: int = 2 * 2**20
    """Largest frame, header included, bytes: 1 to 2**31."""
    buffer_output_size: int = 2 * 2**20
    """Most bytes that wait for one client that reads slowly; above it `send` raises SendBufferFull."""
    open_tcp_nodelay: bool = True
    """Send small answers at once (TCP_NODELAY)."""
    max_conn: int = 10_000
    """Most connections at once, over all event workers: 1 to 2**20. One more is closed at once, with a log line."""
    connection_max_concurrency: int = 64
    """Most `async def receive` at work for one connection, 1 to 65,536. At so many nothing more is read from it until
    one is done."""
    receive_buffer_max_bytes: int | None = None
    """Most bytes that an event worker keeps of what clients sent and `receive` did not get yet, over all connections:
    package_max_length to 2**36. Beyond it the connection is closed whose frame is incomplete for longest, of those that
    hold much. Default: 64 MiB, or twice package_max_length where that is more."""
    heartbeat_idle_time: float | None = None
    """Seconds after which an idle client is disconnected: one that sent nothing, and was sent nothing; 0 is never.
    Default: twice heartbeat_check_interval, or 600 where that is not set."""
    heartbeat_check_interval: float = 0
    """Seconds between checks for idle clients. Default: half of heartbeat_idle_time."""
    frame_timeout_s: float = 60
    """Seconds in which a frame must be complete after its first byte; 0 is no limit."""
    log_frame_head: bool = True
    """Whether the log line of an invalid frame length shows how that frame began, at most 16 bytes. Not where clients
    may send secrets: one that forgets the length sends them in its place."""
    ssl_cert_file: str = ""
    """Certificate chain, PEM; given, the server speaks TLS 1.2 and up, and nothing else. A reload reads it again."""
    ssl_key_file: str = ""
    """Private key to ssl_cert_file, PEM, without a passphrase."""
    ssl_client_cert_file: str = ""
    """Certificates that a client's must be signed by, PEM; with ssl_verify_peer."""
    ssl_verify_peer: bool = False
    """Accept only clients with a certificate from ssl_client_cert_file."""
    backlog: int = 512
    """Connections the kernel holds until a worker accepts them, 1 to 65535."""
    process_name: str = "engine"
    """First word of the process titles: `engine: worker 0`."""

    def __post_init__(self) -> None:
        ranges = {
            "worker_num": (1, 256),
            "task_worker_num": (0, 1024),
            "task_max_attempts": (1, 255),
            "task_queue_max_bytes": (2**16, 2**36),
            "task_max_request": (0, 2**31),
            "task_max_memory": (0, 2**50),
            "task_max_concurrency": (1, 64),
            "max_wait_time": (0, 86_400),
            "task_timeout_s": (0, 2**31),
            "max_conn": (1, 2**20),
            "connection_max_concurrency": (1, 2**16),
            "heartbeat_idle_time": (0, 86_400),
            "heartbeat_check_interval": (0, 86_400),
            "frame_timeout_s": (0, 86_400),
            "package_length_offset": (0, 65_535),
            "package_body_offset": (0, 65_535),
            "package_max_length": (1, 2**31),
            "buffer_output_size": (1, 2**31),
            "backlog": (1, 65_535),
        }
        problems = []
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            whole = isinstance(value, int) and not isinstance(value, bool)
            if value is None and name == "heartbeat_idle_time":
                continue
            number = whole or (name in _SECONDS and isinstance(value, float))
            if not number or not low <= value <= high:
                problems.append(f"{name} is {value!r}, must be a number from {low} to {high}")
        if isinstance(self.task_ipc_mode, bool) or self.task_ipc_mode not in list(IpcMode):
            known = ", ".join(f"{mode.value} ({mode.name})" for mode in IpcMode)
            problems.append(f"task_ipc_mode is {self.task_ipc_mode!r}, must be one of {known}")
        optional = {
            "message_queue_key": (1, 2**31 - 1),
            "task_max_request_grace": (0, 2**31),
            "receive_buffer_max_bytes": (1, 2**36),
        }
        for name, (low, high) in optional.items():
            value = getattr(self, name)
            if value is not None and (type(value) is not int or not low <= value <= high):
                problems.append(f"{name} is {value!r}, must be a number from {low} to {high}, or None")
        problems += [
            f"{name} is {getattr(self, name)!r}, must be True or False"
            for name in _SWITCHES
            if not isinstance(getattr(self, name), bool)
        ]
        problems += [
            f"{name} is {getattr(self, name)!r}, must be the path of a file, a str"
            for name in _FILES
            if getattr(self, name) != "" and not _is_text(getattr(self, name))
        ]
        if self.package_length_type not in list(LENGTH_TYPES):
            letters = " ".join(LENGTH_TYPES)
            problems.append(f"package_length_type is {self.package_length_type!r}, must be one of {letters}")
        if not isinstance(self.package_eof, bytes) or not 1 <= len(self.package_eof) <= 8:
            problems.append(f"package_eof is {self.package_eof!r}, must be 1 to 8 bytes")
        if self.task_tmpdir != "" and not (_is_text(self.task_tmpdir) and Path(self.task_tmpdir).is_absolute()):
            problems.append(f"task_tmpdir is {self.task_tmpdir!r}, must be an absolute path, a str")
        if not _is_text(self.process_name):
            problems.append(f"process_name is {self.process_name!r}, must be printable text")
        problems = problems or self._contradictions()
        if problems:
            raise SettingsError(problems)

    def _contradictions(self) -> list[str]:
        """What is wrong with values that are each right."""
        length_bytes = struct.calcsize(LENGTH_TYPES[self.package_length_type])
        smallest = max(self.package_length_offset + length_bytes, self.package_body_offset)
        rules = {
            f"package_max_length is {self.package_max_length}, must be at least {smallest} to hold a header":
                not self.open_length_check or self.package_max_length >= smallest,
            "open_length_check is True, so open_eof_check and open_eof_split must be False":
                not (self.open_length_check and (self.open_eof_check or self.open_eof_split)),
            f"receive_buffer_max_bytes is {self.receive_buffer_max_bytes}, must be at least package_max_length":
                (self.receive_buffer_max_bytes or 2**36) >= self.package_max_length,
            "message_queue_key is set, so task_ipc_mode must be QUEUE or PREEMPTIVE":
                self.message_queue_key is None or self.task_ipc_mode != IpcMode.SOCKET,
            "task_max_request_grace is set, so task_max_request must be above 0":
                self.task_max_request_grace is None or self.task_max_request > 0,
            "ssl_cert_file and ssl_key_file must be set both or neither":
                bool(self.ssl_cert_file) == bool(self.ssl_key_file),
            "ssl_client_cert_file and ssl_verify_peer must be set both or neither":
                bool(self.ssl_client_cert_file) == self.ssl_verify_peer,
            "ssl_verify_peer is True, so ssl_cert_file must be set":
                bool(self.ssl_cert_file) or not self.ssl_verify_peer,
        }  # fmt: skip
        return [rule for rule, holds in rules.items() if not holds]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value != ""
