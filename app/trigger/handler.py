"""Sees to the requests of clients: who may ask, what is done, what goes back, who watches."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing, nullcontext, suppress
from dataclasses import asdict
from weakref import WeakValueDictionary

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.access import keyring
from app.access.keyring import Bearer, Keyring
from app.campaigns.control import control
from app.campaigns.spending import Spending
from app.campaigns.start import Dispatched, dispatch, look_up
from app.config import Config
from app.domain.actor import Actor, Via
from app.domain.campaign import Verb
from app.domain.choice import Choice, Sample, These, these
from app.domain.rights import Right, scope_for
from app.errors import AppError, BadRequest, Forbidden, Pruned, UnknownCampaign, WrongState
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
        keys: Keyring,
        database: Engine,
        *,
        networks: Mapping[str, Network],
        changed: Callable[[int], None],
        nudge: Callable[[], None],
    ) -> None:
        self._server = server
        self._config = config
        self._keys = keys
        self._database = database
        self._networks = networks
        self._changed = changed
        self._nudge = nudge
        self._watchers = Watchers(database)
        self._asking = Threads("triggers", 4)
        self._sampling = asyncio.Lock()
        """A sample reads all of its audience: one at a time, so that the others' threads are free."""
        self._controlling = Threads("control", 2)
        """These wait for tasks to stop, up to 5 s."""
        self._looking = Threads("tokens", 1)
        self._turns: WeakValueDictionary[int, _Turn] = WeakValueDictionary()
        """By connection; each lives as long as a request waits for it."""
        self._idle = IdleConnections()
        self._refused: dict[int, _Turn] = {}
        """Turns of connections that were refused, until these are closed."""
        self._refusals = Refusals()
        self._watching: dict[int, set[asyncio.Task[None] | None]] = {}
        """Requests that watch a campaign, by connection."""
        self._close_idle()
        loop = asyncio.get_running_loop()
        self._first_look = self._begin_to_look()
        self._jobs = [loop.create_task(each) for each in (self._keep_alive(), self._keep_looking())]

    def tell(self, campaign_id: int) -> None:
        """A campaign changed: say so to who watches it here."""
        self._watchers.tell(campaign_id)

    def dismiss(self) -> None:
        """Let everyone go who watches: there will be no more news from this process."""
        self._watchers.dismiss()

    def stop(self) -> None:
        """Nobody is answered any more."""
        for job in (self._first_look, *self._jobs):
            job.cancel()
        self._refusals.say_rest()
        for each in (self._watchers, self._asking, self._controlling, self._looking):
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

    async def _keep_looking(self) -> None:
        """So that a token is known, or no longer, some moments after it was made or revoked."""
        while True:
            await asyncio.sleep(keyring.LOOK_EVERY_S)
            with suppress(SQLAlchemyError):  # those count that were known last
                await self._look()

    def _begin_to_look(self) -> asyncio.Task[None]:
        look = asyncio.get_running_loop().create_task(self._look())
        look.add_done_callback(lambda done: done.cancelled() or done.exception())  # there may be nobody who waits
        return look

    async def _look(self) -> None:
        await self._looking.run(self._keys.look)

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
        except Exception:  # which the engine logs, and keeps the connection: nobody is to wait for an answer
            self._server.close(fd)
            raise

    async def _answer(self, fd: int, body: bytes, as_json: bool) -> None:
        """Obey a request, or say why not. Raises SendBufferFull for a client that does not read its answers."""
        try:
            await self._obey(fd, body, as_json)
        except (BadRequest, UnknownCampaign, WrongState, Pruned, Forbidden) as error:
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
            bearer, request = await self._admitted(body)
            if bearer is None or request is None:
                self._turn_away(fd, turn, as_json)
                return
            _check_right(bearer, request)
            if isinstance(request, Control):
                await self._control(fd, request, bearer, as_json)
                return
            if isinstance(request, AskStats):
                self._server.send(fd, answers.stats(asdict(self._server.stats())))
                return
            if isinstance(request, Watch):
                done = await self._asking.run(look_up, self._database, request.campaign)
            else:
                async with nullcontext() if request.sample is None else self._sampling:
                    done = await self._asking.run(self._start, request, self._actor(fd, bearer))
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
            await self._watch(fd, campaign, bearer, as_json)

    def _actor(self, fd: int, bearer: Bearer) -> Actor:
        """For the audit trail."""
        info = self._server.get_client_info(fd)
        return Actor(bearer.who, Via.TRIGGER, str(info["remote_ip"]) if info else "")

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

    async def _admitted(self, body: bytes) -> tuple[Bearer | None, Trigger | Watch | AskStats | Control | None]:
        """Who asks, and for what; None where that is nobody we know, whatever else they say. Raises BadRequest for a
        request that cannot be understood, and before the first look at the tokens what the database raises."""
        token = requests.token_of(body)
        bearer = self._keys.bearer(token)
        if bearer is None and not self._keys.has_looked:
            await self._look_first()
            bearer = self._keys.bearer(token)
        if bearer is None:
            return None, None
        request = requests.parse(body)
        return (bearer, request) if self._keys.bearer(request.token) == bearer else (None, None)

    async def _look_first(self) -> None:
        if self._first_look.done():  # without success
            self._first_look = self._begin_to_look()
        await asyncio.shield(self._first_look)

    def _turn_away(self, fd: int, turn: _Turn, as_json: bool) -> None:
        """One answer, and nothing more to this client, however much it has asked already."""
        turn.is_refused = True
        info = self._server.get_client_info(fd)
        self._refusals.note(f"{info['remote_ip']}:{info['remote_port']}" if info else "gone already")
        if info:
            self._refused[fd] = turn
            self._server.send(fd, answers.refused(Sentence("forbidden"), as_json=as_json))
            self._server.close(fd)

    async def _control(self, fd: int, request: Control, bearer: Bearer, as_json: bool) -> None:
        verb = Verb(request.verb)
        done = await self._controlling.run(
            control, self._database, self._config.sms_log_dir, request.campaign, verb, self._actor(fd, bearer)
        )
        campaign, sent = done.snapshot.campaign, done.snapshot.sent
        self._server.send(
            fd, answers.controlled(verb, campaign.name, campaign.state, sent, done.still_sending, as_json=as_json)
        )
        log.info("campaign controlled", extra={"campaign": campaign.name, "verb": verb, "state": campaign.state})
        self._changed(campaign.id)
        if verb is Verb.RESUME:
            self._nudge()

    async def _watch(self, fd: int, campaign: Campaign, bearer: Bearer, as_json: bool) -> None:
        watching = self._watching.setdefault(fd, set())
        watching.add(this := asyncio.current_task())
        try:
            async with aclosing(self._watchers.follow(campaign)) as snapshots:
                async for now in snapshots:
                    line = answers.progress(
                        campaign.name,
                        now.campaign.state,
                        now.campaign.reason,
                        now.progress,
                        preparing=now.campaign.is_preparing,
                        held_up_by=now.held_up_by,
                        as_json=as_json,
                    )
                    if not self._server.send(fd, line):
                        return
                    if not self._keys.still_holds(bearer):  # such as a token that was revoked meanwhile
                        self._server.close(fd)
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


def _check_right(bearer: Bearer, request: Trigger | Watch | AskStats | Control) -> None:
    """Raises Forbidden."""
    if isinstance(request, Control):
        needed = [Right.CONTROL]
    elif isinstance(request, Watch | AskStats):
        needed = [Right.SEE]
    else:
        needed = [Right.START, Right.SEE] if request.then_watch else [Right.START]
    for right in needed:
        if not bearer.may(right):
            raise Forbidden("forbidden.scope", scope=scope_for(right))
