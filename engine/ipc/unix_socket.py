"""Inboxes as pairs of unix sockets: the channel of every server, and of tasks in IpcMode.SOCKET."""

import socket
from typing import Final

from engine.ipc.message import PACKET_BYTES

_BUFFER_BYTES = 1024 * 1024
"""Asked of the kernel for each inbox; it gives at most net.core.wmem_max, and that is enough."""
_LARGEST: Final = 2 * PACKET_BYTES


class UnixSocketChannel:
    """One datagram pair per inbox. Every process holds both ends of all, so what is inside outlives any of them.

    In a connected pair the kernel counts bytes alone, not datagrams (net.unix.max_dgram_qlen does not apply).
    """

    def __init__(self, workers: int) -> None:
        self._pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(workers)]
        for into, out in self._pairs:
            into.setblocking(False)
            out.setblocking(False)
            into.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        self._send = [into.send for into, _ in self._pairs]
        self._receive = [out.recv for _, out in self._pairs]
        self._receive_into = [out.recv_into for _, out in self._pairs]

    def send(self, to: int, packet: bytes) -> bool:
        try:
            self._send[to](packet)
        except BlockingIOError:
            return False
        return True

    def receive(self, worker_id: int) -> bytes | None:
        try:
            return self._receive[worker_id](_LARGEST)
        except BlockingIOError:
            return None

    def receive_into(self, worker_id: int, buffer: memoryview) -> int:
        try:
            return self._receive_into[worker_id](buffer)
        except BlockingIOError:
            return 0

    def is_empty(self, worker_id: int) -> bool:
        """Return whether nothing is in this inbox now."""
        try:
            self._pairs[worker_id][1].recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        return False

    def readable(self, worker_id: int) -> int:
        return self._pairs[worker_id][1].fileno()

    def writable(self, worker_id: int) -> int:
        return self._pairs[worker_id][0].fileno()
