"""A message centre to try SMPP 3.4 with, and to break things with: it accepts, answers, sends receipts and replies.

python examples/smsc.py --port 2775 --log smsc.log        --help says what it can do wrong
"""

import logging
from pathlib import Path
from typing import Annotated

import typer

from engine import Server, Settings
from examples.smsc_centre import Centre, Reply
from examples.smsc_faults import BY_NUMBER, Faults, Form, Options

log = logging.getLogger("smsc")
TICK_MS = 20

_NUMBERS = "  \n".join(f"…{suffix}: {what}" for suffix, (what, _) in BY_NUMBER.items())
HELP = f"""A message centre for tests: SMPP 3.4, any account, nothing reaches a phone.

Every submission is a line of the log before it is answered: time (UTC), system id, destination, message id, reference
(user_message_reference), text; tab-separated, UTF-8. A long message is a line for each of its parts. The message id is
empty where the submission was refused. Receipts are owed until they are acknowledged, over restarts (FILE.receipts).

Shares are from 0 to 1 and by chance, of which --seed makes the same again.

With --by-number the last six digits of a destination decide:

{_NUMBERS}

A line that is appended to the file of --control is obeyed at once: `reply NUMBER TO TEXT` is somebody's message to us,
`disconnect` hangs up on everybody, `set OPTION VALUE` changes an option, as `set drop_answer 0.5`.
"""
Share = Annotated[float, typer.Option(min=0, max=1, metavar="SHARE")]


class Control:
    """Commands from a file that others append to."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self._file = path.open(encoding="utf-8")
        self._file.seek(0, 2)
        self._rest = ""

    def obey(self, centre: Centre) -> None:
        """What was appended since; a line that is not whole waits."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for line in lines:
            try:
                self._obey(centre, line)
            except ValueError as error:
                log.warning("not understood: %s (%s)", line, error)

    @staticmethod
    def _obey(centre: Centre, line: str) -> None:
        match line.split(None, 3):
            case ["reply", number, to, text]:
                centre.reply(Reply("", number, to, text))
            case ["disconnect"]:
                centre.disconnect_all()
            case ["set", name, value]:
                centre.faults.options = centre.faults.options.changed(name, value)
            case []:
                pass
            case _:
                raise ValueError("reply NUMBER TO TEXT, disconnect, or set OPTION VALUE")


def make_server(host: str, port: int, settings: Settings, faults: Faults, book: Path, more: "More") -> Server:
    """Its event worker has all that the centre knows: one, so that it is one."""
    server = Server(host, port, settings)
    centres: list[Centre] = []

    @server.on("start")
    def start(server: Server) -> None:
        typer.echo(f"listening on {server.host}:{server.port}")

    @server.on("worker_start")
    def worker_start(server: Server, worker_id: int) -> None:
        centre = Centre(server, faults, book, more.window, more.password)
        centres.append(centre)
        server.tick(TICK_MS, centre.send_due)
        if more.control:
            server.tick(TICK_MS, Control(more.control).obey, centre)

    @server.on("receive")
    def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
        centres[0].receive(fd, data)

    @server.on("close")
    def close(server: Server, fd: int, reactor_id: int) -> None:
        centres[0].closed(fd)

    return server


class More:
    """What is neither the server's nor a fault."""

    def __init__(self, window: int, password: str, control: Path | None) -> None:
        self.window = window
        self.password = password
        self.control = control


def settings(cert: str, key: str) -> Settings:
    """PDUs are frames whose length stands at their beginning and counts itself."""
    return Settings(
        worker_num=1,
        open_length_check=True,
        package_length_type="N",
        package_length_offset=0,
        package_body_offset=0,
        package_max_length=2**16,
        buffer_output_size=2**24,
        heartbeat_idle_time=0,
        log_frame_head=False,  # a bind has a password
        ssl_cert_file=cert,
        ssl_key_file=key,
        process_name="smsc",
    )


def main(
    log_file: Annotated[Path, typer.Option("--log", metavar="FILE", help="Where submissions are logged.")],
    host: str = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one, which is printed.")] = 2775,
    password: Annotated[str, typer.Option(help="Refuse every other; default: take any.")] = "",
    control: Annotated[Path | None, typer.Option(metavar="FILE", help="Commands are appended to it.")] = None,
    seed: Annotated[int, typer.Option(help="Of chance.")] = 1,
    deliver_window: Annotated[int, typer.Option(min=1, help="Receipts under way to one session.")] = 500,
    cert: Annotated[str, typer.Option(metavar="FILE", help="Certificate, PEM: speak TLS.")] = "",
    key: Annotated[str, typer.Option(metavar="FILE", help="Its private key.")] = "",
    receipts_after: Annotated[float, typer.Option(min=0, help="Seconds to the receipt.")] = 1.0,
    receipt_form: Annotated[Form, typer.Option(help="How a receipt is written.")] = Form.BOTH,
    receipt_hex: Annotated[bool, typer.Option("--receipt-hex", help="Ids of receipts in hexadecimal.")] = False,
    no_receipt: Share = 0.0,
    receipt_early: Share = 0.0,
    receipt_twice: Share = 0.0,
    undelivered: Share = 0.0,
    throttle_after: Annotated[int, typer.Option(min=0, metavar="N", help="Throttle what is above N in a second.")] = 0,
    answer_after: Annotated[float, typer.Option(min=0, help="Seconds that an answer takes.")] = 0.0,
    refuse: Share = 0.0,
    drop_answer: Share = 0.0,
    answer_twice: Share = 0.0,
    answer_late: Share = 0.0,
    disconnect: Share = 0.0,
    by_number: Annotated[bool, typer.Option("--by-number", help="Some numbers decide, see above.")] = False,
) -> None:
    given = locals()
    options = Options(**{name: given[name] for name in Options.__dataclass_fields__})
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    more = More(deliver_window, password, control)
    make_server(host, port, settings(cert, key), Faults(options, seed), log_file, more).start()


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    app.command(help=HELP)(main)
    app()
