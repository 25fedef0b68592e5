"""The settings of a server, under Swoole's names. A frozen value, checked when it is built."""

import os
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from engine.errors import SettingsError

LENGTH_TYPES = {
    "c": "=b", "C": "=B",
    "s": "=h", "S": "=H", "n": ">H", "v": "<H",
    "l": "=i", "L": "=I", "i": "=i", "I": "=I", "N": ">I", "V": "<I",
    "q": "=q", "Q": "=Q", "J": ">Q", "P": "<Q",
}  # fmt: skip
"""Letters of PHP's pack() and what Python's struct calls them; 8, 16, 32 and 64 bits."""


class IpcMode(IntEnum):
    """The way tasks travel from event workers to task workers."""

    SOCKET = 1
    """A unix socket for each task worker."""


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a server runs. Nothing is clamped or ignored: what cannot work raises SettingsError, all at once."""

    worker_num: int = field(default_factory=_usable_cores)
    """Event workers, processes that talk to clients: 1 to 256. Default: the cores this process may use."""
    task_worker_num: int = 0
    """Task workers, processes that run `task`: 0 to 1024."""
    task_ipc_mode: IpcMode = IpcMode.SOCKET
    """The way tasks travel to task workers."""
    task_tmpdir: str = ""
    """Directory for bodies above 8 KiB and for tasks in hand: absolute, ours, mode 0700, this server's alone.
    Default: one below the system's temporary directory, named after user, host and port."""
    task_max_attempts: int = 3
    """How many task workers may die with one task in hand before it ends as TaskLost: 1 to 255."""
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
    backlog: int = 512
    """Connections the kernel holds until a worker accepts them, 1 to 65535."""
    process_name: str = "engine"
    """First word of the process titles: `engine: worker 0`."""

    def __post_init__(self) -> None:
        ranges = {
            "worker_num": (1, 256),
            "task_worker_num": (0, 1024),
            "task_max_attempts": (1, 255),
            "max_wait_time": (0, 86_400),
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
            number = whole or (name == "max_wait_time" and isinstance(value, float))
            if not number or not low <= value <= high:
                problems.append(f"{name} is {value!r}, must be a number from {low} to {high}")
        if isinstance(self.task_ipc_mode, bool) or self.task_ipc_mode not in list(IpcMode):
            known = ", ".join(f"{mode.value} ({mode.name})" for mode in IpcMode)
            problems.append(f"task_ipc_mode is {self.task_ipc_mode!r}, must be one of {known}")
        problems += [
            f"{name} is {getattr(self, name)!r}, must be True or False"
            for name in ("open_length_check", "open_eof_check", "open_eof_split", "open_tcp_nodelay")
            if not isinstance(getattr(self, name), bool)
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
        if not problems and self.open_length_check:
            self._check_smallest_frame()
            if self.open_eof_check or self.open_eof_split:
                problems.append("open_length_check is True, so open_eof_check and open_eof_split must be False")
        if problems:
            raise SettingsError(problems)

    def _check_smallest_frame(self) -> None:
        length_bytes = struct.calcsize(LENGTH_TYPES[self.package_length_type])
        smallest = max(self.package_length_offset + length_bytes, self.package_body_offset)
        if self.package_max_length < smallest:
            raise SettingsError(
                [f"package_max_length is {self.package_max_length}, must be at least {smallest} to hold a header"]
            )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value != ""
