"""`python -m app serve`."""

import errno

from app import config, log_lines
from app.errors import ServerUnreachable
from app.gateways.log_file.folder import reserve_folder
from app.store.database import open_configured
from app.store.patience import Patience
from app.store.readiness import check_ready
from engine import StartError

SILENT_S, MOST_SILENT_S = 3, 96
"""How long the database may say nothing to the server. Its statements take milliseconds, those for a page of customers
some 50; so that work goes on within 5 s when a way that led nowhere leads there again."""


def serve() -> None:
    """Run the server until Ctrl-C or SIGTERM. Campaigns that were under way go on by themselves."""
    # The workers have numpy from their parent, for nothing: to import it takes 0.2 s, and 15 MB of memory that they
    # share.
    config.tune_numpy()
    from app.runners.engine import build  # noqa: PLC0415

    settings = config.load()
    try:
        with reserve_folder(settings.sms_log_dir):
            database = open_configured(settings, patience=Patience(SILENT_S, MOST_SILENT_S))
            server = build(settings, database)
            check_ready(database)
            database.dispose()
            log_lines.set_up(settings.sms_log_format)
            server.start()
    except StartError as error:
        why = config.in_our_words(str(error))
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE:
            raise ServerUnreachable("server.port_taken", why=why) from error
        raise ServerUnreachable("server.cannot_start", why=why) from error
