"""Makes, changes and disables users: people who log in."""

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.access import passwords
from app.domain.actor import Actor, Deed
from app.domain.campaign import composed, is_name
from app.domain.rights import Role
from app.errors import BadName, NameTaken, UnknownUser
from app.store import sessions, trail, users
from app.store.faults import write
from app.store.users import User


def in_one_form(name: str) -> str:
    """Ada is ada, on whatever keyboard."""
    return composed(name.strip().lower())


def add(database: Engine, name: str, role: Role, password: str, by: Actor | None = None) -> str:
    """Their name as it is from now on. Raises BadName, BadPassword, and NameTaken also for one who is disabled."""
    name = in_one_form(name)
    if not is_name(name):
        raise BadName("bad_name.of_user")
    passwords.check(password)
    stored = passwords.hashed(password)

    def unit(connection: Connection) -> None:
        users.insert(connection, name, role, stored)
        trail.note(connection, by, Deed.USER_ADD, subject=name, after={"role": role})

    try:
        write(database, unit)
    except IntegrityError as error:
        raise NameTaken("name_taken.user", name=name) from error
    return name


def change_password(database: Engine, name: str, password: str, by: Actor | None = None) -> int:
    """Another one, and whoever is logged in with the old one has to leave; how many sessions that were. Raises
    BadPassword, UnknownUser."""
    passwords.check(password)
    stored = passwords.hashed(password)

    def unit(connection: Connection) -> int:
        user = _find(connection, name)
        users.change(connection, user.name, password=stored)
        trail.note(connection, by, Deed.USER_PASSWORD, subject=user.name)
        return sessions.remove_of(connection, user.name)

    return write(database, unit)


def set_role(database: Engine, name: str, role: Role, by: Actor | None = None) -> bool:
    """From their next step on; False where it was so before. Raises UnknownUser."""

    def unit(connection: Connection) -> bool:
        user = _find(connection, name)
        if user.role is role:
            return False
        users.change(connection, user.name, role=role)
        trail.note(connection, by, Deed.USER_ROLE, subject=user.name, before={"role": user.role}, after={"role": role})
        return True

    return write(database, unit)


def disable(database: Engine, name: str, by: Actor | None = None) -> bool:
    """They have to leave at once, and do not come in again; False where it was so before. Raises UnknownUser."""

    def unit(connection: Connection) -> bool:
        user = _find(connection, name)
        sessions.remove_of(connection, user.name)
        if user.disabled_at is not None:
            return False
        users.change(connection, user.name, disabled_at=datetime.now(UTC))
        trail.note(connection, by, Deed.USER_DISABLE, subject=user.name, before={"role": user.role})
        return True

    return write(database, unit)


def enable(database: Engine, name: str, by: Actor | None = None) -> bool:
    """They may log in again, with the password that they had; False where they may. Raises UnknownUser."""

    def unit(connection: Connection) -> bool:
        user = _find(connection, name)
        if user.disabled_at is None:
            return False
        users.change(connection, user.name, disabled_at=None)
        trail.note(connection, by, Deed.USER_ENABLE, subject=user.name, after={"role": user.role})
        return True

    return write(database, unit)


def _find(connection: Connection, name: str) -> User:
    user = users.find(connection, in_one_form(name), to_change=True)
    if user is None:
        raise UnknownUser("unknown_user", name=name[:64])
    return user
