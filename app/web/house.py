"""What every request of the web process has in common."""

import asyncio

from sqlalchemy import Engine
from starlette.requests import HTTPConnection

from app.config import Config
from app.threads import Threads

THREADS = 4
"""For statements, and for all else that blocks."""


class House:
    """To be made where the event loop runs. `leaving` is set when the server is told to go: who streams
    ends then."""

    def __init__(self, settings: Config, database: Engine) -> None:
        self.settings = settings
        self.database = database
        self.threads = Threads("web", THREADS)
        self.leaving = asyncio.Event()

    def close(self) -> None:
        """Nobody asks any more."""
        self.threads.close()
        self.database.dispose()


def house_of(request: HTTPConnection) -> House:
    """That of the application which a request came to."""
    house: House = request.app.state.house
    return house
