"""What every request of the web process has in common."""

import asyncio
from functools import partial

from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from app.access.keyring import Keyring
from app.campaigns.courses import Courses
from app.campaigns.reasons import CountedReasons
from app.config import Config
from app.domain.number_ids import KEY_BYTES, NumberIds
from app.errors import AppError
from app.gateways.base import Network
from app.gateways.networks import load_networks
from app.store.secret_keys import NUMBER_IDS, get_or_make
from app.threads import Threads
from app.trigger.server_stats import ServerStats, ask_stats
from app.trigger.token import reread
from app.trigger.watchers import Watchers
from app.web.facts import FactsView
from app.web.keys import Keys
from app.web.live import Live
from app.web.looks import Looks

THREADS = 4
"""For statements, and for all else that blocks."""


class House:
    """To be made where the event loop runs."""

    def __init__(self, settings: Config, database: Engine) -> None:
        self.settings = settings
        self.database = database
        self.threads = Threads("web", THREADS)
        self.looks = Looks(database, self.threads)
        self.reasons = CountedReasons()
        self.courses = Courses()
        self.facts = FactsView(self.reasons)
        self.ask_server = partial(ask_stats, settings)
        """Of the running server, where it runs."""
        self.live = Live(self.looks)
        self.searching = asyncio.Lock()
        """Who reads all logs; one at a time."""
        self.sampling = asyncio.Lock()
        """Who starts a campaign for a sample, which reads all of its audience; one at a time."""
        self.controlling = Threads("control", 2)
        """These wait for tasks to stop, up to 5 s."""
        self.watchers = Watchers(database)
        self._looking = Threads("tokens", 1)
        self.keys = Keys(Keyring(database, reread(settings), lambda: reread(settings)), self._looking)
        self._number_ids: NumberIds | None = None

    async def server(self) -> ServerStats | None:
        """The running server in numbers, a second old at most; None where none answers."""
        try:
            return await self.looks.ask(self.ask_server)
        except AppError:
            return None

    def leave(self) -> None:
        """The server is told to go: who streams ends, or it would wait for them."""
        self.live.end()
        self.watchers.dismiss()

    @property
    def networks(self) -> dict[str, Network]:
        """As the file of gateways has them now. Raises ConfigError."""
        return load_networks(self.settings)

    def number_ids(self) -> NumberIds:
        """What stands for numbers. For a thread: the first time it asks the database."""
        if self._number_ids is None:
            self._number_ids = NumberIds(get_or_make(self.database, NUMBER_IDS, KEY_BYTES))
        return self._number_ids

    def close(self) -> None:
        """Nobody asks any more."""
        self.leave()
        for each in (self.threads, self.controlling, self.watchers, self._looking):
            each.close()
        self.database.dispose()


def house_of(request: HTTPConnection) -> House:
    """That of the application which a request came to."""
    house: House = request.app.state.house
    return house
