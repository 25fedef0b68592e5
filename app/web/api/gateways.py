"""Gateways over the API: which there are, and whether they are to send."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import Connection

from app.campaigns.drain import GatewayState, put
from app.domain.actor import Actor
from app.domain.rights import Right
from app.gateways.accounts import Account
from app.gateways.networks import accounts_of, check_gateway
from app.store import drains
from app.store.accounts import binds_in_use
from app.store.drains import Drain
from app.web.api.answers import problems
from app.web.api.campaigns import Sees
from app.web.api.gate import needs
from app.web.api.models import Drained, Model, Name
from app.web.house import house_of

router = APIRouter(prefix="/gateways", tags=["sending"])

Drains = Annotated[Actor, needs(Right.DRAIN)]


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


def _standing(connection: Connection) -> tuple[dict[str, int], dict[str, Drain]]:
    return binds_in_use(connection), drains.every(connection)
