"""A table of all connections in shared memory, which every process of a server reads.

slot:   fd u64 | connected_at f64 | owner u16 | reactor_id u16 | port u16 | family u8 | pad | address 16 bytes
memory: slot … | reach u64

A slot is free while its fd is 0. A connection stands at the slot that its fd hashes to, or in the first free one behind
it, and `reach` is the farthest that one ever stood behind: who looks no farther misses none, so a slot can be freed
without a mark. Slots are twice as many as connections, so that is a few steps: 7 after 200,000 came
and went, 10,000 at a time.
"""

import fcntl
import mmap
import os
import socket
import struct
from contextlib import suppress
from typing import Any

_SLOT = struct.Struct("=QdHHHBx16s")
_CELLS = _SLOT.size // 8
_MIX = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio: numbers in a row come far apart (Knuth, volume 3, 6.4)


class ConnTable:
    """Made before the first fork. Only the owner of a connection writes its slot; anyone may read at any time."""

    def __init__(self, max_conn: int) -> None:
        bits = (2 * max_conn - 1).bit_length()
        self._slots = 1 << bits
        self._shift = 64 - bits
        size = self._slots * _SLOT.size + 8
        # a file without a name: pages that no connection used cost nothing, and it can be locked
        self._file = os.fdopen(os.memfd_create("connections", os.MFD_CLOEXEC), "r+b", buffering=0)
        self._file.truncate(size)
        self._memory = mmap.mmap(self._file.fileno(), size)
        self._cells = memoryview(self._memory).cast("Q")
        self._reach_at = self._slots * _CELLS

    def add(self, fd: int, *, owner: int, reactor_id: int, connected_at: float, peer: tuple[str, int]) -> None:
        """Add a connection. `owner` is who writes for it, see `forget`; there may be max_conn at most."""
        family, address = _packed(peer[0])
        # Two processes must not take the same free slot. The lock dies with who holds it; what it wrote then is a
        # free slot still, as the fd is written last.
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            step, slot = self._free_slot(fd)
            _SLOT.pack_into(
                self._memory, slot * _SLOT.size, 0, connected_at, owner, reactor_id, peer[1], family, address
            )
            self._cells[self._reach_at] = max(step, self._cells[self._reach_at])
            self._cells[slot * _CELLS] = fd
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def remove(self, fd: int) -> None:
        """Remove a connection; its owner does that."""
        if (slot := self._find(fd)) >= 0:
            self._cells[slot * _CELLS] = 0

    def forget(self, owner: int) -> None:
        """Remove the connections of an owner that died. Reads the whole table."""
        for slot, row in enumerate(_SLOT.iter_unpack(self._memory[: self._slots * _SLOT.size])):
            if row[0] and row[2] == owner:
                self._cells[slot * _CELLS] = 0

    def __contains__(self, fd: int) -> bool:
        return self._find(fd) >= 0

    def info(self, fd: int) -> dict[str, Any] | None:
        """Return remote_ip, remote_port, reactor_id, connect_time (Unix time); None when it is closed."""
        if (slot := self._find(fd)) < 0:
            return None
        row = _SLOT.unpack_from(self._memory, slot * _SLOT.size)
        if row[0] != fd or self._cells[slot * _CELLS] != fd:
            return None  # it was closed meanwhile, and what was read may be of two connections
        _, connected_at, _, reactor_id, port, family, address = row
        return {
            "remote_ip": _unpacked(family, address),
            "remote_port": port,
            "reactor_id": reactor_id,
            "connect_time": connected_at,
        }

    def _home(self, fd: int) -> int:
        return (fd * _MIX & 0xFFFF_FFFF_FFFF_FFFF) >> self._shift

    def _find(self, fd: int) -> int:
        if fd < 1:
            return -1
        home, last, cells = self._home(fd), self._slots - 1, self._cells
        for step in range(cells[self._reach_at] + 1):
            slot = home + step & last
            if cells[slot * _CELLS] == fd:
                return slot
        return -1

    def _free_slot(self, fd: int) -> tuple[int, int]:
        home = self._home(fd)
        for step in range(self._slots):
            slot = home + step & self._slots - 1
            if not self._cells[slot * _CELLS]:
                return step, slot
        raise OverflowError("the connection table is full")


def _packed(host: str) -> tuple[int, bytes]:
    """Return family and address, a link-local one without its interface; 0 when the address is not known."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError):
            return family, socket.inet_pton(family, host.partition("%")[0])
    return 0, b""


def _unpacked(family: int, address: bytes) -> str:
    if not family:
        return ""
    return socket.inet_ntop(family, address[:4] if family == socket.AF_INET else address)
