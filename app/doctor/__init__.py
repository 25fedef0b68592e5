"""Examines what the server needs, and says what to do where something is amiss."""

from collections.abc import Iterator

from app.config import Config
from app.doctor import certificates, gateways, kernel, log_folder, names, port, token
from app.doctor.database import Database, SchemaStatus
from app.doctor.finding import Finding, Verdict

__all__ = ["Finding", "Verdict", "examine"]


def examine(settings: Config, schema_status: SchemaStatus) -> Iterator[Finding]:
    """One finding after the other, as they are made. `schema_status` tells the revision of a database and the newest
    one. Nothing is made or changed."""
    database = Database(settings)
    yield from database.examine(schema_status)
    yield from kernel.examine()
    yield from log_folder.examine(settings.sms_log_dir, database.size)
    yield from token.examine(settings)
    yield from certificates.examine(settings)
    yield from port.examine(settings)
    yield from gateways.examine(settings)
    yield from names.examine()
