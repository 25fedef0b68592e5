"""`python -m app serve`."""

import errno
from typing import Annotated

import typer

from app import config, log_lines
from app.config import Runner
from app.errors import ConfigError, ServerUnreachable
from app.gateways.log_file.folder import reserve_folder
from app.sentence import Sentence
from app.store.database import open_configured
from app.store.patience import SERVER_MOST_SILENT_S, SERVER_SILENT_S, Patience
from app.store.readiness import check_ready
from engine import StartError


def serve(
    runner: Annotated[
        Runner | None, typer.Option(help="Who sends: this server's task workers, or Celery's. Default: SMS_RUNNER.")
    ] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM. Campaigns that were under way go on by themselves."""
    # The workers have numpy from their parent, for nothing: to import it takes 0.2 s, and 15 MB of memory that they
    # share.
    config.tune_numpy()
    from app.runners.engine import build  # noqa: PLC0415

    settings = config.load()
    publish = None
    if (runner or settings.sms_runner) == "celery":
        try:
            from app.runners import celery  # noqa: PLC0415
        except ModuleNotFoundError as error:  # an extra that not everybody has
            missing = Sentence("gateways.no_sdk", package=error.name, extra="celery", why=error)
            raise ConfigError([missing]) from error
        celery.connect(settings)
        publish = celery.Publisher()
    try:
        with reserve_folder(settings.sms_log_dir):
            database = open_configured(settings, patience=Patience(SERVER_SILENT_S, SERVER_MOST_SILENT_S))
            server = build(settings, database, publish)
            check_ready(database)
            database.dispose()
            log_lines.set_up(settings.sms_log_format)
            server.start()
    except StartError as error:
        why = config.in_our_words(str(error))
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
            raise ServerUnreachable("server.port_taken", why=why) from error
        raise ServerUnreachable("server.cannot_start", why=why) from error
