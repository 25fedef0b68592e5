"""Moves a database to a revision and tells where it stands."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from app.errors import SchemaNewer
from migrations import gender_check


@dataclass(frozen=True, slots=True)
class Status:
    """Where a database stands; a revision is '' where there is none."""

    current: str
    head: str

    @property
    def is_current(self) -> bool:
        return self.current == self.head


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def status(connection: Connection) -> Status:
    """The revision of this database beside the newest one we have. Raises SchemaNewer when we do not know it."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current and current not in revisions():
        raise SchemaNewer(current)
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return Status(current or "", head or "")


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run what is missing up to `to`; nothing when it is there already. What customers' genders kept from being made
    at an earlier upgrade is tried again."""
    command.upgrade(_config(connection), to)
    if status(connection).is_current:
        gender_check.add(connection)
    connection.commit()


def downgrade(connection: Connection, to: str) -> None:
    """Undo down to `to`; `base` removes every table with its rows."""
    command.downgrade(_config(connection), to)
    connection.commit()


def revisions() -> list[str]:
    """Every revision, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return [each.revision for each in script.walk_revisions()][::-1]
