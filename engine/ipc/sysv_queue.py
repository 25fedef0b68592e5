"""Carries tasks by a System V message queue, in IpcMode.QUEUE and IpcMode.PREEMPTIVE."""

import contextlib
import ctypes
import errno
import os
import secrets
from collections.abc import Callable
from pathlib import Path

import sysv_ipc  # type: ignore[import-not-found]

from engine.errors import StartError, UsageError
from engine.ipc.board import BLOCKED
from engine.ipc.message import HEAD_BYTES, INLINE_BYTES, PACKET_BYTES, PACKET_HEAD
from engine.log_lines import get_logger

log = get_logger(__name__)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.msgrcv.restype = ctypes.c_ssize_t
_libc.msgrcv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_long, ctypes.c_int]
_IPC_NOWAIT = 0o4000  # bits/ipc.h
_WANTED_BYTES = 2**20
_ANYBODY = 1
"""Message type of tasks that any task worker may do; those for task worker n have type n + 2."""


def limit(name: str) -> int:
    """Read a limit of the kernel, bytes. Source: proc(5), /proc/sys/kernel/msgmax and msgmnb."""
    return int(Path("/proc/sys/kernel", name).read_text())


class QueueTransport:
    """Tasks in one queue. Those without a named target are taken by whoever is free first.

    A packet is taken by msgrcv(2) straight into the in-flight slot of the task worker: sysv_ipc's receive() gives an
    object of the process, with which a packet would be lost if that is killed before it has noted it.
    """

    is_shared = True

    def __init__(
        self,
        queue: sysv_ipc.MessageQueue,
        blocked: memoryview,
        wake: Callable[[int, bool], None],
        on_removed: Callable[[], None],
    ) -> None:
        """`blocked`: see Board. `wake(number, is_named)` wakes task worker `number` if it waits; without a name,
        another that does. `on_removed()` is called whenever the queue turns out to be gone; nothing is sent or taken
        then."""
        self._on_removed = on_removed
        self._blocked = blocked
        # an in-flight slot has no room for more than PACKET_BYTES
        self.packet_bytes = min(limit("msgmax"), int(queue.max_size), PACKET_BYTES)
        self.inline_bytes = min(INLINE_BYTES, self.packet_bytes - HEAD_BYTES - PACKET_HEAD.size)
        self._queue = queue
        self._id = queue.id
        self._wake = wake

    def send(self, number: int, packet: bytes, *, is_named: bool) -> bool:
        if not self._put(packet, number + 2 if is_named else _ANYBODY):
            return False
        # one that is at work looks again by itself, unless it takes long
        self._wake(number, is_named or not self._blocked[number])
        return True

    def wake_other(self, number: int) -> None:
        self._blocked[number] = BLOCKED
        self._wake(number, False)

    def requeue(self, number: int, packet: bytes) -> bool:
        return self._put(packet, _ANYBODY)

    def readable(self, number: int) -> None:
        """Return None: a queue has no descriptor, and whoever sends wakes a task worker that waits."""

    def _put(self, packet: bytes, kind: int) -> bool:
        try:
            self._queue.send(packet, block=False, type=kind)
        except sysv_ipc.BusyError:
            return False
        except (sysv_ipc.ExistentialError, OSError):
            if not self._is_removed():
                raise
            return False
        return True

    def _is_removed(self) -> bool:
        """Return whether the queue is gone; EINVAL alone may have other reasons."""
        try:
            return self._queue.max_size is None
        except sysv_ipc.ExistentialError:
            self._on_removed()
            return True

    def take(self, number: int, room: memoryview) -> int:
        if self._blocked[number]:
            self._blocked[number] = 0
        return self._take(room, number + 2) or self._take(room, _ANYBODY)

    def take_any(self, room: memoryview) -> int:
        """Put the next packet, whoever it is for, behind the first LEAD_BYTES of `room`; return its size in bytes, 0
        when there is none."""
        return self._take(room, 0)

    def _take(self, room: memoryview, kind: int) -> int:
        # the kernel writes the message's type into the first 8 bytes
        address = ctypes.addressof(ctypes.c_char.from_buffer(room))
        size = _libc.msgrcv(self._id, address, self.packet_bytes, kind, _IPC_NOWAIT)
        if size >= 0:
            return int(size)
        if (error := ctypes.get_errno()) in (errno.ENOMSG, errno.EINTR):
            return 0
        if error in (errno.EIDRM, errno.EINVAL) and self._is_removed():
            return 0
        raise OSError(error, f"System V queue {self._id}: {os.strerror(error)}")


def open_queue(key: int) -> sysv_ipc.MessageQueue:
    """Open the queue of this key, made where there is none: ours, mode 0600, as large as the kernel lets it be.

    Raises StartError.
    """
    largest = limit("msgmax")
    try:
        queue = sysv_ipc.MessageQueue(key, sysv_ipc.IPC_CREAT, mode=0o600, max_message_size=largest)
        uid, creator, mode = queue.uid, queue.cuid, queue.mode & 0o777
    except (sysv_ipc.Error, OSError) as error:
        raise StartError(f"no System V queue with key {key}: {error}; see `ipcs -q` and `ipcs -l`") from error
    # Whoever may write to it can make us unpickle what he likes. Its creator may for ever, whoever it was given to, and
    # change its mode; both are us, so nobody but root can let others in after this look. Source: sysvipc(7), msgctl(2).
    if {uid, creator} != {os.geteuid()} or mode != 0o600:
        raise StartError(
            f"System V queue with key {key} must be ours with mode 0600, "
            f"it is user {uid}'s, made by user {creator}, with {mode:04o}"
        )
    _enlarge(queue)
    log.info(
        "System V queue opened",
        extra={"key": key, "queue_id": queue.id, "holds_bytes": queue.max_size, "largest_message_bytes": largest},
    )
    return queue


def _enlarge(queue: sysv_ipc.MessageQueue) -> None:
    """Raise the queue's limit, which root may, above kernel.msgmnb; what it cannot hold waits in the event workers."""
    with contextlib.suppress(sysv_ipc.PermissionsError):
        queue.max_size = max(queue.max_size, _WANTED_BYTES)


def remove_queue(key: int) -> None:
    """Remove the queue of this key, if there is one."""
    with contextlib.suppress(sysv_ipc.ExistentialError):
        sysv_ipc.MessageQueue(key).remove()


def unused_key() -> int:
    """Return a key that no queue has now."""
    while True:
        key = secrets.randbelow(2**31 - 1) + 1
        try:
            sysv_ipc.MessageQueue(key)
        except sysv_ipc.ExistentialError:
            return key
        except sysv_ipc.PermissionsError:
            continue


def ftok(path: str, proj: int) -> int:
    """Return a key for a System V queue, the same at every start: made from a file's identity and `proj`, 1 to 127.

    As ftok(3): the file must be there, and another one may by chance give the same key. Raises OSError.
    """
    if not 1 <= proj <= 127:  # a larger one gives keys below 0
        raise UsageError(f"proj is {proj!r}, must be 1 to 127")
    status = Path(path).stat()
    return proj << 24 | (status.st_dev & 0xFF) << 16 | status.st_ino & 0xFFFF
