"""Examines what the server needs, and says what to do where something is amiss."""

from collections.abc import Iterator

from app.config import Config
from app.doctor import certificates, fleet, gateways, kernel, log_folder, names, port, token
from app.doctor.database import Database, SchemaStatus
from app.doctor.finding import Finding, Verdict
from app.doctor.fleet import LookAtBroker

__all__ = ["Finding", "Verdict", "examine"]


def examine(
    settings: Config,
    schema_status: SchemaStatus,
    look_at_broker: LookAtBroker | None = None,
    *,
    is_thorough: bool = True,
    is_server: bool = True,
) -> Iterator[Finding]:
    """One finding after the other, as they are made. `schema_status` tells the revision of a database and the newest
    one, `look_at_broker` what RabbitMQ says, where workers are ordered by it. Nothing is made or changed. Unless
    it `is_thorough` no gateway is connected to, which takes one of the account's sessions, and no customers are read,
    which takes a second where there are millions; without `is_server` what is of the server's machine is left out."""
    database = Database(settings)
    yield from database.examine(schema_status, reads_customers=is_thorough)
    if is_server:
        yield from kernel.examine()
        yield from log_folder.examine(settings.sms_log_dir, database.size)
    yield from token.examine(settings)
    if is_server:
        yield from certificates.examine(settings)
    yield from port.examine(settings)
    yield from gateways.examine(settings, connects=is_thorough)
    if look_at_broker:
        yield from fleet.examine(settings, look_at_broker)
    yield from names.examine()
