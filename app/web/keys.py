"""Who shows which token, for requests over HTTP."""

import asyncio
import time

from sqlalchemy.exc import SQLAlchemyError

from app.access.keyring import ANYBODY, LOOK_EVERY_S, Bearer, Keyring
from app.threads import Threads


class Keys:
    """A keyring that is looked through when somebody asks, and not more often than once a second: a process that nobody
    asks leaves the database alone. To be used where the event loop runs."""

    def __init__(self, keyring: Keyring, threads: Threads) -> None:
        self._keyring = keyring
        self._threads = threads
        self._looked_at: float | None = None
        self._look: asyncio.Task[None] | None = None

    async def bearer(self, token: str) -> Bearer | None:
        """None for a stranger. Nobody is let in without a token here, as by the trigger's port of a machine that has
        none: any page that a browser shows on this machine could ask. Raises what the database raises, where it was
        away ever since."""
        await self._look_if_old()
        found = self._keyring.bearer(token)
        return None if found is ANYBODY else found

    async def still_holds(self, bearer: Bearer) -> bool:
        """Whether who was let in some time ago would be let in now."""
        await self._look_if_old()
        return self._keyring.still_holds(bearer)

    async def _look_if_old(self) -> None:
        if self._looked_at is not None and time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        if self._look is None:  # who comes meanwhile waits for the same one
            self._look = asyncio.create_task(self._threads.run(self._keyring.look))
        try:
            await asyncio.shield(self._look)
        except SQLAlchemyError:
            if not self._keyring.has_looked:
                raise
        finally:
            self._look = None
        self._looked_at = time.monotonic()
