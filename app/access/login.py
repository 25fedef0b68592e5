"""Lets people in by name and password, and knows them by their session until they leave or do nothing for long.

Wrong passwords are slowed down: each further one of a name, and from an address, costs a longer wait, in which nothing
is even looked at. A try is on record as wrong before it is looked at, so that many at once are no way around it.
"""

import hashlib
import ipaddress
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from sqlalchemy import Connection, Engine

from app.access import passwords
from app.access.tokens import hashed
from app.access.users import in_one_form
from app.domain.actor import Actor, Deed, Via
from app.domain.campaign import is_name
from app.errors import LoginRefused
from app.store import login_failures, sessions, trail, users
from app.store.faults import write
from app.store.users import User

IDLE = timedelta(minutes=30)
SEEN_EVERY = timedelta(minutes=1)
"""How often it is written down that somebody is there."""
FREE_TRIES = 3
"""Anybody mistypes."""
MOST_WAIT = timedelta(minutes=1)
"""Strangers may hold somebody up for so long, who is not logged in, and no longer."""
REMEMBERED_FOR = timedelta(days=1)

Clock = Callable[[], datetime]


def _now() -> datetime:
    return datetime.now(UTC)


def wait(failures: int) -> timedelta:
    """After so many wrong ones in a row: nothing at first, then 1 s, 2 s, 4 s and so on."""
    if failures <= FREE_TRIES:
        return timedelta(0)
    return min(MOST_WAIT, timedelta(seconds=2.0 ** min(failures - FREE_TRIES - 1, 20)))


def log_in(database: Engine, name: str, password: str, address: str, clock: Clock = _now) -> str:
    """What their browser is to show from now on; told here and never again. Raises LoginRefused, the same one whether
    it is the name, the password, a user who is disabled, or too early after the last try, and as slowly, but for the
    last."""
    name = in_one_form(name)
    of_name, network = _key("name", name), _network(address)
    keys = [of_name, *([_key("address", network)] if network else [])]

    def begin(connection: Connection) -> User | None:
        now = clock()
        login_failures.forget_old(connection, now - REMEMBERED_FOR)
        for count, last_at in login_failures.held(connection, keys, now).values():
            pause = wait(count)
            if pause and now < last_at + pause:  # the database rounds, so the moment just noted may be yet to come
                raise LoginRefused("login_refused")
        login_failures.count(connection, keys, now)
        return users.find(connection, name) if is_name(name) else None

    user = write(database, begin)
    stored = user.password if user and user.disabled_at is None else _nobodys()
    if not passwords.is_right(password, stored) or user is None or user.disabled_at is not None:
        raise LoginRefused("login_refused")
    fresh = passwords.hashed(password) if passwords.is_outdated(stored) else None
    secret = secrets.token_urlsafe(32)

    def enter(connection: Connection) -> None:
        now = users.find(connection, name, to_change=True)
        if now is None or now.disabled_at is not None or now.password != stored:  # changed this very moment
            raise LoginRefused("login_refused")
        if fresh:
            users.change(connection, name, password=fresh)
        login_failures.forget(connection, of_name)
        for key in keys[1:]:
            login_failures.take_back(connection, key)  # the others are not theirs to forgive
        sessions.remove_unseen(connection, clock() - IDLE)
        sessions.insert(connection, hashed(secret), name, address)
        trail.note(connection, Actor(name, Via.PAGES, address), Deed.LOG_IN, subject=name)

    write(database, enter)
    return secret


def user_of(database: Engine, secret: str, *, is_there: bool = True, clock: Clock = _now) -> User | None:
    """Whose session it is; None for none, for one in which nothing was done for too long, and for a user who is
    disabled. `is_there`: they do something now, as opposed to a page that renews itself."""
    digest = hashed(secret)
    with database.connect() as connection:
        found = sessions.find(connection, digest)
    now = clock()
    if found is None or found[1] < now - IDLE or found[0].disabled_at is not None:
        return None
    user, seen_at = found
    if is_there and seen_at < now - SEEN_EVERY:

        def note(connection: Connection) -> None:
            sessions.see(connection, digest)

        write(database, note)
    return user


def log_out(database: Engine, secret: str) -> None:
    """Nobody is known by it any more."""
    write(database, lambda connection: sessions.remove(connection, hashed(secret)))


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}:{value}".encode(errors="surrogatepass")).hexdigest()


def _network(address: str) -> str:
    """Whoever has one address of version 6 has 2**64 of them. '' for this machine: that is everybody on it, and all who
    come by a proxy that nobody named."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.is_loopback:
        return ""
    return str(ip if ip.version == 4 else ipaddress.ip_network((ip, 64), strict=False))


@cache
def _nobodys() -> str:
    """So that a name that nobody has takes as long as a wrong password."""
    return passwords.hashed(secrets.token_urlsafe())
