"""Gateways over the API: which there are, and whether they are to send."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import Connection

from app.campaigns.drain import GatewayState, put
from app.campaigns.trial_message import trial_of
from app.domain.actor import Actor
from app.domain.delivery import Delivery
from app.domain.mobile import mask_all, normalise
from app.domain.rights import Right
from app.errors import BadNumber
from app.gateways.accounts import Account
from app.gateways.base import Answer
from app.gateways.networks import accounts_of, check_gateway, network_of
from app.sending.trial import Trial
from app.store import drains
from app.store.accounts import binds_in_use
from app.store.drains import Drain
from app.web.api.answers import problems
from app.web.api.campaigns import Sees
from app.web.api.gate import needs
from app.web.api.models import Drained, Model, Name
from app.web.api.once import Key, once
from app.web.house import house_of
from app.web.languages import catalogue_of

router = APIRouter(prefix="/gateways", tags=["sending"])

Drains = Annotated[Actor, needs(Right.DRAIN)]
Tests = Annotated[Actor, needs(Right.TEST)]


class Gateway(Model):
    """An account that messages can go out by. No secret is in it."""

    name: str
    kind: str
    address: str
    rate: float | None = Field(description="SMS per second.")
    sessions: int
    sessions_in_use: int
    receipts: bool
    state: GatewayState
    drained: Drained | None

    @classmethod
    def of(cls, name: str, account: Account, in_use: int, drain: Drain | None) -> "Gateway":
        return cls(
            name=name,
            kind=account.kind,
            address=account.address,
            rate=account.rate,
            sessions=account.binds,
            sessions_in_use=in_use,
            receipts=account.receipts,
            state=GatewayState.DRAINED if drain else GatewayState.ACTIVE,
            drained=Drained.of(drain),
        )


class Gateways(Model):
    """All of them; there is `log` besides, which writes messages to files."""

    gateways: list[Gateway]
    default: str = Field(description="That of a campaign that names none.")


class WantedState(Model):
    """What is wanted of it."""

    state: GatewayState


@router.get("", operation_id="listGateways")
async def list_gateways(request: Request, by: Sees) -> Gateways:
    """Which there are, whether they are to send, and how many of their sessions do so now."""
    house = house_of(request)

    def look() -> list[Gateway]:
        accounts = accounts_of(house.settings)
        with house.database.connect() as connection:
            in_use, drained = _standing(connection)
        return [Gateway.of(name, each, in_use.get(name, 0), drained.get(name)) for name, each in accounts.items()]

    return Gateways(gateways=await house.threads.run(look), default=house.settings.sms_gateway)


@router.put("/{name}/state", operation_id="setGatewayState", responses=problems(404))
async def set_state(request: Request, name: Name, wanted: WantedState, by: Drains) -> Gateway:
    """Drain it: nothing more is submitted over it, from any host, and its campaigns wait; receipts go on. Or activate
    it again. Where it is so already nothing happens. A drain waits for answers that are out, up to 5 s."""
    house = house_of(request)

    def change() -> Gateway:
        check_gateway(house.settings, name)
        done = put(house.database, name, wanted.state, by)
        with house.database.connect() as connection:
            in_use, _ = _standing(connection)
        return Gateway.of(name, accounts_of(house.settings)[name], in_use.get(name, 0), done.drain)

    return await house.controlling.run(change)


class NewTrial(Model):
    """A message that is in no campaign, to see whether it arrives."""

    number: str = Field(max_length=40, examples=["13800000001"])
    text: str | None = Field(None, min_length=1, max_length=2_000, description="Where the gateway takes any text.")
    template_name: str | None = Field(None, max_length=64, description="One that the gateway's provider approved.")


class Tried(Model):
    """What the gateway said of it. Receipts are not waited for."""

    number: str = Field(description="Masked.", examples=["138****0001"])
    text: str
    parts: int
    state: Delivery
    error: str
    provider_ids: list[str]


@router.post("/{name}/trials", operation_id="sendTrial", responses=problems(404, 409))
async def send_trial(request: Request, name: Name, wanted: NewTrial, by: Tests, key: Key = None) -> Tried:
    """Send one message now, and wait for the gateway's answer. With a key it is sent once: where nobody knows how it
    ended, as after a crash, it is not sent again, and answered with 409."""
    house = house_of(request)
    mobile = normalise(wanted.number)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(wanted.number))
    usual = catalogue_of(request).say("trial.by_api", at=f"{datetime.now(UTC):%H:%M:%S} UTC")

    def send() -> Tried:
        account = accounts_of(house.settings)[name]
        network = network_of(name, account)
        made = trial_of(network, int(mobile), wanted.text, wanted.template_name, usual)
        answers: list[Answer] = []
        trial = Trial(house.database, network, [int(mobile)], made.text, made.parts, made.template_name, by)
        (fate,) = asyncio.run(trial.run(lambda _, answer, __: answers.append(answer), 0))
        return Tried(
            number=mask_all(mobile),
            text=mask_all(made.shown),
            parts=made.parts,
            state=fate.state,
            error=fate.error,
            provider_ids=[*filter(None, answers[0].part_ids or (answers[0].provider_id,))],
        )

    def do() -> Tried:
        check_gateway(house.settings, name)
        return once(house.database, by, f"sendTrial {name}", key, wanted, send, Tried)

    return await house.trying.run(do)


def _standing(connection: Connection) -> tuple[dict[str, int], dict[str, Drain]]:
    return binds_in_use(connection), drains.every(connection)
