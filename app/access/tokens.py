"""Makes and revokes named tokens, which programs show at the trigger's port and to the API."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError

from app.domain.actor import Actor, Deed
from app.domain.campaign import is_name
from app.domain.rights import Scope
from app.errors import BadName, NameTaken, UnknownToken
from app.store import tokens, trail
from app.store.faults import write

PREFIX = "sms_"
"""Tells what it is where one is found, as by programs that look for secrets in public."""
RANDOM_BYTES = 32
MOST_LETTERS = 128
"""What is longer is none of ours, and not worth a hash."""


def hashed(token: str) -> str:
    """As the database has it. One round of SHA-256: a token is 256 bits of chance, so nobody finds it by trying, with
    however fast a hash; slow ones with salt are for passwords, which people choose. And as a table of hashes is looked
    into for the hash of what a stranger sent, the time it takes tells nothing of the tokens."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()


def add(
    database: Engine, name: str, scopes: Collection[Scope], expires_at: datetime | None, by: Actor | None = None
) -> str:
    """A new token, which is told here and never again. Raises BadName, and NameTaken also for the name of one that is
    revoked."""
    if not is_name(name):
        raise BadName("bad_name.of_token")
    token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)

    def unit(connection: Connection) -> None:
        tokens.insert(connection, name, hashed(token), scopes, expires_at)
        until = expires_at.isoformat(timespec="seconds") if expires_at else "never"
        after = {"scopes": " ".join(sorted(scopes)), "expires": until}
        trail.note(connection, by, Deed.TOKEN_ADD, subject=name, after=after)

    try:
        write(database, unit)
    except IntegrityError as error:
        raise NameTaken("name_taken.token", name=name) from error
    return token


def revoke(database: Engine, name: str, by: Actor | None = None) -> bool:
    """It opens nothing from now on; False where that was so before. Raises UnknownToken."""

    def unit(connection: Connection) -> bool:
        found = tokens.find(connection, name, to_change=True)
        if found is None:
            raise UnknownToken("unknown_token", name=name)
        if found.revoked_at is not None:
            return False
        tokens.revoke(connection, found.id)
        trail.note(connection, by, Deed.TOKEN_REVOKE, subject=name, before={"scopes": " ".join(sorted(found.scopes))})
        return True

    return write(database, unit)
