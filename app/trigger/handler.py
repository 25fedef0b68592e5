"""Sees to the requests of clients: who may ask, what is done, what goes back, who watches."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict
from weakref import WeakValueDictionary

from pydantic import SecretStr
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.campaigns.control import control
from app.campaigns.spending import Spending
from app.campaigns.start import Dispatched, dispatch, look_up
from app.config import Config
from app.domain.actor import Actor, Via
from app.domain.campaign import Verb
from app.domain.choice import Choice, Sample, These, these
from app.errors import AppError, BadRequest, Pruned, UnknownCampaign, WrongState
from app.gateways.base import Network
from app.sentence import Sentence
from app.store import id_lists
from app.store.campaigns import Campaign
from app.store.database import keep_alive
from app.store.faults import may_pass, reason
from app.threads import Threads
from app.trigger import answers, requests
from app.trigger.idle import LOOK_EVERY_S, IdleConnections
from app.trigger.refusals import Refusals
from app.trigger.requests import AskStats, Control, Trigger, Watch
from app.trigger.token import is_right
from app.trigger.watchers import Watchers
from engine import SendBufferFull, Server

log = logging.getLogger(__name__)

KEEP_ALIVE_EVERY_S = 1.0
"""The database closes connections of which it hears nothing for three times as long."""


class _Turn(asyncio.Lock):
    """Of the requests of one connection, that one whose turn it is."""

    is_refused = False
    """One of them did not bear the token: those behind it get no answer."""


class Handler:
    """The clients of one event worker. To be made where its event loop runs.

    `changed(campaign_id)` tells everybody who watches, in whatever process; `nudge()`, that there is something to send.
    """

    def __init__(
        self,
        server: Server,
        config: Config,
        token: SecretStr,
        database: Engine,
        *,
        networks: Mapping[str, Network],
        changed: Callable[[int], None],
        nudge: Callable[[], None],
    ) -> None:
        self._server = server
        self._config = config
        self._token = token
        self._database = database
        self._networks = networks
        self._changed = changed
        self._nudge = nudge
        self._watchers = Watchers(database)
        self._asking = Threads("triggers", 4)
        self._controlling = Threads("control", 2)
        """These wait for tasks to stop, up to 5 s."""
        self._turns: WeakValueDictionary[int, _Turn] = WeakValueDictionary()
        """By connection; each lives as long as a request waits for it."""
        self._idle = IdleConnections()
        self._refused: dict[int, _Turn] = {}
        """Turns of connections that were refused, until these are closed."""
        self._refusals = Refusals()
        self._watching: dict[int, set[asyncio.Task[None] | None]] = {}
        """Requests that watch a campaign, by connection."""
        self._close_idle()
        self._keeping_alive = asyncio.get_running_loop().create_task(self._keep_alive())

    def tell(self, campaign_id: int) -> None:
        """A campaign changed: say so to who watches it here."""
        self._watchers.tell(campaign_id)

    def dismiss(self) -> None:
        """Let everyone go who watches: there will be no more news from this process."""
        self._watchers.dismiss()

    def stop(self) -> None:
        """Nobody is answered any more."""
        self._keeping_alive.cancel()
        self._refusals.say_rest()
        for each in (self._watchers, self._asking, self._controlling):
            each.close()

    def _close_idle(self) -> None:
        for fd in self._idle.over():
            self._server.close(fd)
        asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._close_idle)

    async def _keep_alive(self) -> None:
        """So that who asks after a silence is answered as quickly as anybody else."""
        while True:
            await asyncio.sleep(KEEP_ALIVE_EVERY_S)
            with suppress(SQLAlchemyError):  # who needs the database will hear of it
                await self._asking.run(keep_alive, self._database)

    def connect(self, fd: int) -> None:
        self._idle.opened(fd)

    async def receive(self, fd: int, frame: bytes) -> None:
        body = frame[requests.HEADER_BYTES :]
        try:
            with self._idle.at_work(fd):
                await self._answer(fd, body, requests.is_json(body))
        except SendBufferFull:
            if self._server.close(fd):  # or a request before this one did
                log.warning("client reads too slowly, closed", extra={"fd": fd})

    async def _answer(self, fd: int, body: bytes, as_json: bool) -> None:
        """Obey a request, or say why not. Raises SendBufferFull for a client that does not read its answers."""
        try:
            await self._obey(fd, body, as_json)
        except (BadRequest, UnknownCampaign, WrongState, Pruned) as error:
            self._server.send(fd, answers.refused(error.sentence, as_json=as_json))
        except SendBufferFull:
            raise
        except Exception as error:
            if isinstance(error, DBAPIError) and may_pass(error):
                log.warning("request refused, the database is away", extra={"error": reason(error)})
            else:
                log.exception("request failed")
            why = Sentence("refused" if isinstance(error, AppError) else "internal")
            self._server.send(fd, answers.refused(why, as_json=as_json))

    async def _obey(self, fd: int, body: bytes, as_json: bool) -> None:
        turn = self._turns.setdefault(fd, _Turn())
        async with turn:  # answers go back in the order of the requests
            if turn.is_refused:
                return
            if (request := self._admitted(body)) is None:
                self._turn_away(fd, turn, as_json)
                return
            if isinstance(request, Control):
                await self._control(fd, request, as_json)
                return
            if isinstance(request, AskStats):
                self._server.send(fd, answers.stats(asdict(self._server.stats())))
                return
            if isinstance(request, Watch):
                done = await self._asking.run(look_up, self._database, request.campaign)
            else:
                done = await self._asking.run(self._start, request, self._asks(fd))
            campaign = done.campaign
            of = (campaign.name, done.shards, campaign.state)
            answer = (
                answers.accepted(*of, chosen=done.chosen, not_there=done.not_there, as_json=as_json)
                if done.created
                else answers.exists(*of, as_json=as_json)
            )
            self._server.send(fd, answer)
        if done.created:
            log.info("campaign triggered", extra={"campaign": campaign.name, "shards": len(done.shards)})
            self._nudge()
        if isinstance(request, Watch) or request.then_watch:
            await self._watch(fd, campaign, as_json)

    def _asks(self, fd: int) -> Actor:
        """Who does, for the audit trail."""
        info = self._server.get_client_info(fd)
        who = "token" if self._token.get_secret_value() else "anybody"
        return Actor(who, Via.TRIGGER, f"{info['remote_ip']}" if info else "")

    def _start(self, request: Trigger, by: Actor) -> Dispatched:
        return dispatch(
            self._database,
            request.campaign,
            self._config.sms_shard_size,
            template=request.template,
            allow_duplicates=request.allow_duplicates,
            added_columns=self._config.template_columns,
            gateway=request.gateway,
            default_gateway=self._config.sms_gateway,
            networks=self._networks,
            template_name=request.template_name,
            spending=Spending(self._config.sms_ask_above, request.confirm),
            audience=request.audience,
            choice=self._choice(request),
            by=by,
        )

    def _choice(self, request: Trigger) -> Choice | None:
        """Whom of the audience is meant; None: everybody. Raises BadRequest where a list is not there."""
        if request.sample is not None:
            return Sample(request.sample)
        if request.only_list is None:
            return None if request.only_ids is None else these(request.only_ids)
        with self._database.connect() as connection:
            ids = id_lists.read(connection, request.only_list)
        if not len(ids):
            raise BadRequest("bad_choice.no_list")
        return These(ids)

    def _admitted(self, body: bytes) -> Trigger | Watch | AskStats | Control | None:
        """The request in a body; None where a token is set and it does not bear it, whatever else it says. Raises
        BadRequest for one that cannot be understood."""
        if not self._token.get_secret_value():
            return requests.parse(body)
        if not is_right(requests.token_of(body), self._token):
            return None
        request = requests.parse(body)
        return request if is_right(request.token, self._token) else None

    def _turn_away(self, fd: int, turn: _Turn, as_json: bool) -> None:
        """One answer, and nothing more to this client, however much it has asked already."""
        turn.is_refused = True
        info = self._server.get_client_info(fd)
        self._refusals.note(f"{info['remote_ip']}:{info['remote_port']}" if info else "gone already")
        if info:
            self._refused[fd] = turn
            self._server.send(fd, answers.refused(Sentence("forbidden"), as_json=as_json))
            self._server.close(fd)

    async def _control(self, fd: int, request: Control, as_json: bool) -> None:
        verb = Verb(request.verb)
        done = await self._controlling.run(
            control, self._database, self._config.sms_log_dir, request.campaign, verb, self._asks(fd)
        )
        campaign, sent = done.snapshot.campaign, done.snapshot.sent
        self._server.send(
            fd, answers.controlled(verb, campaign.name, campaign.state, sent, done.still_sending, as_json=as_json)
        )
        log.info("campaign controlled", extra={"campaign": campaign.name, "verb": verb, "state": campaign.state})
        self._changed(campaign.id)
        if verb is Verb.RESUME:
            self._nudge()

    async def _watch(self, fd: int, campaign: Campaign, as_json: bool) -> None:
        watching = self._watching.setdefault(fd, set())
        watching.add(this := asyncio.current_task())
        try:
            async with aclosing(self._watchers.follow(campaign)) as snapshots:
                async for now in snapshots:
                    state, reason, preparing = now.campaign.state, now.campaign.reason, now.campaign.is_preparing
                    line = answers.progress(
                        campaign.name, state, reason, now.progress, preparing=preparing, as_json=as_json
                    )
                    if not self._server.send(fd, line):
                        return
        finally:
            watching.discard(this)
            if not watching:
                self._watching.pop(fd, None)

    def close(self, fd: int) -> None:
        """A connection is gone, and so is who watched by it."""
        self._idle.closed(fd)
        self._refused.pop(fd, None)
        for each in self._watching.get(fd, ()):
            if each:
                each.cancel()
