"""Which tokens are in force, known by heart: to ask of one needs no database, and no stranger can have it asked.

A process that asks for tokens looks at all of them once a second, so that one that is made or revoked is known
everywhere within two. While the database is away those count that were known last, until they expire.
"""

import hmac
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from sqlalchemy import Connection, Engine

from app.access.tokens import MOST_LETTERS, hashed
from app.domain.rights import EVERY_SCOPE, Right, Scope, may
from app.store import tokens
from app.store.faults import write
from app.store.tokens import Token

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
USED_EVERY = timedelta(minutes=1)
"""How often it is written down of a token that it is in use."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a token. `who` as in an Actor."""

    who: str
    scopes: frozenset[Scope]
    hash: str = ""
    """Of the token, '' where there is none."""

    def may(self, right: Right) -> bool:
        return may(self.scopes, right)


ANYBODY = Bearer("anybody", EVERY_SCOPE)


class Keyring:
    """The tokens of one process. `master` is the one of the settings, '' where there is none, and `read_master` gives
    what it is now: it may be made or changed while we run, but is not given up, for what was closed is not opened by a
    file that is gone."""

    def __init__(
        self,
        database: Engine,
        master: SecretStr,
        read_master: Callable[[], SecretStr],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._read_master = read_master
        self._clock = clock
        self._keep_master(master.get_secret_value())
        self._by_hash: dict[str, Token] = {}
        self._used: set[str] = set()
        self._has_any = False
        self.has_looked = False
        """Before that named tokens are not known, and not whether there are any."""

    def look(self) -> None:
        """See which there are now. For a thread: it waits for the database, and raises what that raises."""
        self._renew_master()
        with self._database.connect() as connection:
            every = tokens.every(connection)
        now = self._clock()
        self._by_hash = {each.hash: each for each in every if each.is_in_force(now)}
        self._has_any = bool(every)
        self.has_looked = True
        self._note_used(now)

    def _renew_master(self) -> None:
        master = self._read_master().get_secret_value()
        if master and master.encode() != self._master:
            log.info("token of the settings is another one now")
            self._keep_master(master)

    def _keep_master(self, master: str) -> None:
        self._master = master.encode()
        self._as_master = Bearer("token", EVERY_SCOPE, hashed(master))

    def _note_used(self, now: datetime) -> None:
        used, self._used = self._used, set()
        found = [each for each in map(self._by_hash.get, used) if each]
        ids = [each.id for each in found if each.used_at is None or each.used_at < now - USED_EVERY]
        if ids:

            def unit(connection: Connection) -> None:
                tokens.note_used(connection, ids)

            write(self._database, unit)

    def bearer(self, token: str) -> Bearer | None:
        """Who shows this token, '' for none; None for a stranger. Everybody is let in as long as the settings have
        none and no named one was ever made. A microsecond, whatever is shown."""
        if self._master:
            # surrogates: JSON may hold half a pair, which is no text
            if hmac.compare_digest(token.encode(errors="surrogatepass"), self._master):
                return self._as_master
        elif self.has_looked and not self._has_any:
            return ANYBODY
        if not token or len(token) > MOST_LETTERS:
            return None
        found = self._by_hash.get(digest := hashed(token))
        if found is None or not found.is_in_force(self._clock()):
            return None
        self._used.add(digest)
        return Bearer(f"token:{found.name}", found.scopes, digest)

    def still_holds(self, bearer: Bearer) -> bool:
        """Whether who was let in would be let in now."""
        if not bearer.hash:
            return not (self._master or self._has_any)
        if bearer == self._as_master:
            return bool(self._master)
        found = self._by_hash.get(bearer.hash)
        return found is not None and found.is_in_force(self._clock())
