"""What every request of the web process has in common."""

import asyncio
from functools import partial

from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from app.campaigns.courses import Courses
from app.campaigns.reasons import CountedReasons
from app.config import Config
from app.errors import AppError
from app.threads import Threads
from app.trigger.server_stats import ServerStats, ask_stats
from app.web.facts import FactsView
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

    async def server(self) -> ServerStats | None:
        """The running server in numbers, a second old at most; None where none answers."""
        try:
            return await self.looks.ask(self.ask_server)
        except AppError:
            return None

    def leave(self) -> None:
        """The server is told to go: who streams ends, or it would wait for them."""
        self.live.end()

    def close(self) -> None:
        """Nobody asks any more."""
        self.leave()
        self.threads.close()
        self.database.dispose()


def house_of(request: HTTPConnection) -> House:
    """That of the application which a request came to."""
    house: House = request.app.state.house
    return house
