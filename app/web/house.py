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
from app.gateways.accounts import Account
from app.gateways.base import Network
from app.gateways.networks import accounts_of, load_networks
from app.sentence import Sentence
from app.store.secret_keys import NUMBER_IDS, get_or_make
from app.threads import Threads
from app.trigger.server_stats import ServerStats, ask_stats
from app.trigger.token import reread
from app.trigger.watchers import Watchers
from app.web.checkup import Checkup, examine_quietly
from app.web.comparisons import Comparisons
from app.web.facts import FactsView
from app.web.inboxes import Pushes
from app.web.keys import Keys
from app.web.live import Live
from app.web.looks import Looks
from app.web.notices import Notices
from app.web.one_by_one import OneByOne
from app.web.recent import Recent
from app.web.reports import Reports
from app.web.streams import Streams
from app.web.views import AccessView

THREADS = 4
"""For statements, and for all else that blocks."""
CONNECTIONS = 24
"""To the database, at once: as many as threads of the house ask it, three for a message that is tried, and one for each
gateway whose provider sends receipts by itself."""
MOST_AT_THE_DOOR = 16
"""Who logs in and who waits for it. To look at one password takes 0.2 s and 32 MiB."""
MOST_IMPORTS = 8
"""Who has opt-outs taken in and who waits for it."""


class House:
    """To be made where the event loop runs."""

    def __init__(self, settings: Config, database: Engine) -> None:
        self.settings = settings
        self.database = database
        self.threads = Threads("web", THREADS)
        self.looks = Looks(database, self.threads)
        self.reasons = CountedReasons()
        self.courses = Courses()
        self.facts = FactsView(self.reasons, Recent())
        self.checkup = Checkup(partial(examine_quietly, settings))
        self.ask_server = partial(ask_stats, settings)
        """Of the running server, where it runs."""
        self.notices = Notices()
        self.live = Live(self.looks, [AccessView()])
        self.searching = asyncio.Lock()
        """Who reads all logs; one at a time."""
        self.sampling = asyncio.Lock()
        """Who starts a campaign for a sample, which reads all of its audience; one at a time."""
        self.previewing = asyncio.Lock()
        """Who looks at what a campaign would come to, which reads 10,000 customers; one at a time."""
        self.controlling = Threads("control", 2)
        """These wait for tasks to stop, up to 5 s."""
        self.retrying = Threads("retries", 1)
        """Messages of a campaign that are to be tried again: some hundred at a time, for as long as it takes."""
        self.trying = Threads("trials", 1)
        """Messages that are in no campaign, one at a time: each waits for the gateway's answer."""
        self.importing = OneByOne("imports", MOST_IMPORTS, Sentence("too_busy.imports"))
        """Opt-outs, up to 1 MiB of numbers each."""
        self.exporting = Threads("exports", 2)
        """Pages of exports in turns, however many are under way."""
        self.watchers = Watchers(database)
        self.streams = Streams()
        self.reports = Reports(settings)
        self.pushes = Pushes(settings, database, self.threads)
        self.logging_in = OneByOne("login", MOST_AT_THE_DOOR, Sentence("too_busy.login"))
        """So that passwords take no more memory than one of them does."""
        self.comparisons = Comparisons(database, settings.sms_log_dir)
        self._looking = Threads("tokens", 1)
        self.keys = Keys(Keyring(database, reread(settings), lambda: reread(settings)), self._looking)
        self._number_ids: NumberIds | None = None

    async def server(self) -> ServerStats | None:
        """The running server in numbers, a second old at most; None where none answers."""
        try:
            return await self.looks.ask(self.ask_server)
        except AppError:
            return None

    async def accounts(self) -> dict[str, Account]:
        """Those of the file of gateways, a second old at most. Raises ConfigError."""
        return await self.looks.ask(self._read_accounts)

    def _read_accounts(self) -> dict[str, Account]:
        return accounts_of(self.settings)

    def leave(self) -> None:
        """The server is told to go: who streams ends, or it would wait for them."""
        self.live.end()
        self.watchers.dismiss()
        self.reports.leave()
        self.comparisons.leave()
        self.pushes.leave()

    @property
    def networks(self) -> dict[str, Network]:
        """As the file of gateways has them now. For a thread. Raises ConfigError."""
        return load_networks(self.settings)

    def number_ids(self) -> NumberIds:
        """What stands for numbers. For a thread: the first time it asks the database."""
        if self._number_ids is None:
            self._number_ids = NumberIds(get_or_make(self.database, NUMBER_IDS, KEY_BYTES))
        return self._number_ids

    def close(self) -> None:
        """Nobody asks any more."""
        self.leave()
        for each in (
            self.threads,
            self.controlling,
            self.retrying,
            self.trying,
            self.exporting,
            self.watchers,
            self.importing,
            self.logging_in,
            self._looking,
        ):
            each.close()
        self.checkup.close()
        self.database.dispose()


def house_of(request: HTTPConnection) -> House:
    """That of the application which a request came to."""
    house: House = request.app.state.house
    return house
