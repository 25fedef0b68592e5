"""A cloud provider to try Aliyun's, Tencent's and Twilio's kind of gateway with: it reaches nobody.

python -m examples.provider --log provider.log        --help says what it can do wrong
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer

from examples import provider_aliyun, provider_tencent, provider_twilio
from examples.provider_core import Core, Options, Upward
from examples.provider_http import Request, Response, serve_connection

log = logging.getLogger("provider")
CONTROL_EVERY_S = 0.05
HELP = """A provider for tests: one address for all three, one account, whose requests have to be signed as theirs are.

Every message is a line of the log before it is answered: time (UTC), account, number, message id, reference (what we
gave it as OutId, SessionContext or in the callback's address), text; tab-separated, UTF-8. The id is empty where it was
refused. Receipts are there to be asked for; it calls nobody.

A line that is appended to the file of --control is obeyed at once: `reply NUMBER TEXT` is somebody's message to us,
`set OPTION VALUE` changes an option, as `set drop_answer 0.5`.
"""
Share = Annotated[float, typer.Option(min=0, max=1, metavar="SHARE")]
Speaks = Callable[[Core, Request], Awaitable[Response]]


def speaks(request: Request) -> Speaks | None:
    """As whom it is spoken to."""
    if request.path.startswith("/2010-04-01/"):
        return provider_twilio.answer
    if "x-acs-action" in request.headers:
        return provider_aliyun.answer
    if "x-tc-action" in request.headers:
        return provider_tencent.answer
    return None


class Provider:
    """Its server. `core` may be changed while it runs, on the same event loop."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._server: asyncio.Server | None = None
        self.connected = 0
        """Connections that were made."""
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """Its port."""
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls, limit=2**18)
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server:
            self._server.close()
        for each in self._connections:
            each.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        task = asyncio.current_task()
        if task:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        with suppress(asyncio.CancelledError):  # we hang up on everybody
            await serve_connection(reader, writer, self._answer)

    async def _answer(self, request: Request) -> Response:
        chosen = speaks(request)
        if chosen is None:
            return Response(404, {"message": "nobody is spoken to like that here"})
        try:
            return await chosen(self.core, request)
        except (KeyError, ValueError, TypeError) as error:
            log.warning("not understood: %r", error)
            return Response(400, {"message": f"not understood: {error!r}"})


async def obey(core: Core, file: TextIO) -> None:
    """What others append to the file, for ever."""
    file.seek(0, 2)
    rest = ""
    while True:
        *lines, rest = (rest + file.read()).split("\n")
        for line in lines:
            try:
                obey_line(core, line)
            except ValueError as error:
                log.warning("not understood: %s (%s)", line, error)
        await asyncio.sleep(CONTROL_EVERY_S)


def obey_line(core: Core, line: str) -> None:
    """One of them. Raises ValueError."""
    match line.split(None, 2):
        case ["reply", number, text]:
            core.replies.append(Upward.now(number, text))
        case ["set", name, value]:
            core.options = core.options.changed(name, value)
        case []:
            pass
        case _:
            raise ValueError("reply NUMBER TEXT, or set OPTION VALUE")


def main(
    log_file: Annotated[Path, typer.Option("--log", metavar="FILE", help="Where messages are logged.")],
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one, which is printed.")] = 8080,
    account: Annotated[str, typer.Option(help="Account SID, access key id or secret id of who signs.")] = "demo",
    secret: Annotated[str, typer.Option(help="Their secret.")] = "secret",  # noqa: S107
    control: Annotated[Path | None, typer.Option(metavar="FILE", help="Commands are appended to it.")] = None,
    seed: Annotated[int, typer.Option(help="Of chance.")] = 1,
    cert: Annotated[str, typer.Option(metavar="FILE", help="Certificate, PEM: speak TLS.")] = "",
    key: Annotated[str, typer.Option(metavar="FILE", help="Its private key.")] = "",
    receipts_after: Annotated[float, typer.Option(min=0, help="Seconds until a message arrives.")] = 1.0,
    throttle_after: Annotated[int, typer.Option(min=0, metavar="N", help="Throttle what is above N in a second.")] = 0,
    answer_after: Annotated[float, typer.Option(min=0, help="Seconds that an answer takes.")] = 0.0,
    list_fails: Annotated[int, typer.Option(min=0, help="Questions for receipts that fail.")] = 0,
    undelivered: Share = 0.0,
    refuse: Share = 0.0,
    drop_answer: Share = 0.0,
    half_answer: Share = 0.0,
    error_after: Share = 0.0,
    error_before: Share = 0.0,
    fault: Annotated[str, typer.Option(metavar="CODE", help="Refuse everything with this code of theirs.")] = "",
) -> None:
    given = locals()
    options = Options(**{name: given[name] for name in Options.__dataclass_fields__})
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    tls = None
    if cert:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(cert, key or None)
    core = Core(log_file, options, account, secret, seed)

    async def run() -> None:
        provider = Provider(core)
        typer.echo(f"listening on {host}:{await provider.start(host, port, tls)}")
        if commands:
            await obey(core, commands)
        await asyncio.get_running_loop().create_future()

    if control:
        control.touch()
    with control.open(encoding="utf-8") if control else nullcontext() as commands:
        asyncio.run(run())


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    app.command(help=HELP)(main)
    app()
