"""`python -m app web`."""

from app import config, log_lines
from app.errors import NotInstalled
from app.store import users
from app.store.database import open_configured
from app.store.patience import Patience
from app.store.readiness import check_ready

SILENT_S, MOST_SILENT_S = 3, 30
"""How long the database may say nothing to a page."""


def web() -> None:
    """Serve the pages, metrics and health over HTTP until Ctrl-C or SIGTERM; the server need not run."""
    try:
        from app.web.application import make_application  # noqa: PLC0415
        from app.web.house import CONNECTIONS  # noqa: PLC0415
        from app.web.server import check_accounts, check_reach, serve  # noqa: PLC0415
    except ImportError as error:
        raise NotInstalled("no_extra", package=error.name, extra="web", why=error) from None
    settings = config.load()
    check_reach(settings)
    database = open_configured(settings, patience=Patience(SILENT_S, MOST_SILENT_S), most_connections=CONNECTIONS)
    check_ready(database)
    with database.connect() as connection:
        has_accounts = users.is_any(connection)
    check_accounts(settings, has_accounts=has_accounts)
    log_lines.set_up(settings.sms_log_format)
    serve(make_application(settings, database), settings, has_accounts=has_accounts)
