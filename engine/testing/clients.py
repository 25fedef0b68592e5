"""The connections of an inline server: real framing, no sockets."""

from engine.callbacks import Callbacks
from engine.errors import BadFrameLength
from engine.log_lines import get_logger
from engine.settings import Settings
from engine.testing.client import InlineClient
from engine.testing.lately import Lately
from engine.testing.loop import StandingLoop
from engine.testing.raised import Raised
from engine.testing.role import Role, playing
from engine.wire.framing import guess

log = get_logger(__name__)


class Clients:
    """Every connection by session number, of all event workers."""

    def __init__(self, settings: Settings, loop: StandingLoop, callbacks: Callbacks, raised: Raised) -> None:
        self._settings = settings
        self._loop = loop
        self._callbacks = callbacks
        self._raised = raised
        self._sessions = [0] * settings.worker_num
        self.open: dict[int, InlineClient] = {}
        """By session number, until `close` is called back."""
        self.closed = 0
        """How many connections were closed."""
        self.accepts = Lately(loop)
        self.requests = [0] * settings.worker_num
        """By event worker, like the bytes below."""
        self.bytes_in = [0] * settings.worker_num
        self.bytes_out = [0] * settings.worker_num

    def connect(self, worker_id: int) -> InlineClient:
        fd = self._sessions[worker_id] * self._settings.worker_num + worker_id + 1  # as engine/worker/clients.py
        self._sessions[worker_id] += 1
        client = self.open[fd] = InlineClient(self, fd, worker_id, self._settings)
        self.accepts.note()
        self._tell(client, "connect")
        self._settle()
        return client

    def arrived(self, client: InlineClient, data: bytes) -> None:
        self.bytes_in[client.worker_id] += len(data)
        client.framing.feed(data)
        self._loop.call_soon(self._read, client)
        self._settle()

    def left(self, client: InlineClient) -> None:
        client.has_left = True
        if not client.at_work:
            self.close(client)
        self._settle()

    def _settle(self) -> None:
        self._loop.settle()
        self._raised.check()

    def _read(self, client: InlineClient) -> None:
        """Hand out complete frames, as many as may be at work at once."""
        most = self._settings.connection_max_concurrency
        try:
            while not client.closed and client.at_work < most and (frame := client.framing.next_frame()) is not None:
                self.requests[client.worker_id] += 1
                with playing(Role(client.worker_id)):
                    work = self._callbacks.emit("receive", client.fd, client.worker_id, frame)
                if work:
                    client.at_work += 1
                    work.add_done_callback(lambda _: self._worked(client))
        except BadFrameLength as error:
            log.warning(
                "connection closed, invalid frame length",
                extra={"fd": client.fd, "announced_bytes": error.announced_bytes, "guess": guess(error.head)},
            )
            self.close(client)

    def _worked(self, client: InlineClient) -> None:
        client.at_work -= 1
        self._read(client)
        if client.has_left and not client.at_work:
            self.close(client)

    def get(self, fd: int) -> InlineClient | None:
        """Return the client of this number, None once its connection is closed."""
        client = self.open.get(fd)
        return None if client is None or client.closed else client

    def send(self, fd: int, data: bytes) -> bool:
        if not (client := self.get(fd)):
            return False
        client.deliver(data)
        self.bytes_out[client.worker_id] += len(data)
        return True

    def close(self, client: InlineClient) -> bool:
        """End the connection; the callback `close` comes after the code that asked for it, as in production."""
        if client.closed:
            return False
        client.closed = True
        self._loop.call_soon(self._gone, client)
        return True

    def _gone(self, client: InlineClient) -> None:
        del self.open[client.fd]
        self.closed += 1
        self._tell(client, "close", soon=False)

    def _tell(self, client: InlineClient, event: str, *, soon: bool = True) -> None:
        def tell() -> None:
            with playing(Role(client.worker_id)):
                self._callbacks.emit(event, client.fd, client.worker_id)

        if soon:
            self._loop.call_soon(tell)
        else:
            tell()
