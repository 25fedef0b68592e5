"""What several commands share: how they are named on the command line, and the database."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from app.config import Config
from app.domain.greeting import PLACEHOLDERS
from app.store.database import open_configured
from app.store.readiness import check_ready

Name = Annotated[str, typer.Argument(help="The campaign: letters, digits, - _ . and at most 64 of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Audience = Annotated[
    str, typer.Option("--audience", help="The table or view of those to greet: id, name, gender, mobile and more.")
]
OptionalAudience = Annotated[
    str | None, typer.Option("--audience", help="The table or view of those to greet; customers by default.")
]
Masked = Annotated[bool, typer.Option("--mask", help="Make the middle of mobiles unreadable, as 138****0001.")]
Tls = Annotated[bool, typer.Option("--tls", help="Speak TLS with the server, and check its certificate.")]
Ca = Annotated[
    Path | None, typer.Option("--ca", help="Certificates, PEM, to trust the server by instead of the system's; TLS.")
]

_FILLED_IN = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
_TEMPLATE = typer.Option("--template", help=f"The message; {_FILLED_IN} and columns of the table are filled in.")
OptionalTemplate = Annotated[str | None, _TEMPLATE]
TemplateName = Annotated[
    str | None, typer.Option(help="One of the templates that the gateway's provider approved, by its name here.")
]


def opened(settings: Config) -> Engine:
    """Open the database that the settings name. Raises SchemaOutdated, and what the driver raises."""
    database = open_configured(settings)
    check_ready(database)
    return database
