"""`python -m app gateways`: which accounts there are, and whether one works."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from app import config, console
from app.campaigns.drain import GatewayState, put
from app.catalogue import say, word
from app.cli import views
from app.cli.shared import Json, Yes, opened
from app.config import Config
from app.console import out
from app.gateways.accounts import SmppAccount
from app.gateways.networks import accounts_of, check_gateway
from app.store import drains
from app.store.accounts import binds_in_use
from app.store.drains import Drain


class Action(StrEnum):
    """What is to be done."""

    LIST = "list"
    TEST = "test"
    DRAIN = "drain"
    ACTIVATE = "activate"


def gateways(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.LIST,
    name: Annotated[str | None, typer.Argument(help="All but list: which one.", metavar="[NAME]")] = None,
    to: Annotated[str | None, typer.Option(metavar="NUMBER", help="test: who gets the message.")] = None,
    text: Annotated[str | None, typer.Option(help="test: another message than the usual one.")] = None,
    wait_s: Annotated[
        float | None,
        typer.Option(
            "--wait",
            min=0,
            max=3600,
            metavar="SECONDS",
            help="test: for the receipt; 10 by default, more of a provider that has to be asked.",
        ),
    ] = None,
    template_name: Annotated[
        str | None, typer.Option(help="test: one of the templates that the provider approved; the first by default.")
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """List the accounts that messages can go out by, and how many of their sessions send now; or send one message by
    one of them, after a question, and show what becomes of it. `drain` has nothing more submitted over one, from any
    host, until `activate`; receipts go on, and campaigns wait."""
    settings = config.load()
    if action is Action.TEST:
        if name is None or to is None:
            raise typer.BadParameter("test takes the name of a gateway, and --to NUMBER")
        from app.cli.gateway_trial import try_out  # noqa: PLC0415  only this needs it

        try_out(settings, name, to, text, template_name, wait_s=wait_s, yes=yes, as_json=as_json)
        return
    if to is not None or text is not None:
        raise typer.BadParameter("to send a message: test NAME --to NUMBER")
    if action is not Action.LIST:
        if name is None:
            raise typer.BadParameter(f"{action} takes the name of a gateway")
        _put(settings, name, GatewayState.DRAINED if action is Action.DRAIN else GatewayState.ACTIVE, as_json=as_json)
        return
    if name is not None:
        raise typer.BadParameter("list takes no name")
    _list(settings, as_json=as_json)


def _list(settings: Config, *, as_json: bool) -> None:
    accounts = accounts_of(settings)
    with opened(settings).connect() as connection:
        in_use, drained = binds_in_use(connection), drains.every(connection)
    found: list[dict[str, Any]] = [
        {
            "gateway": name,
            "kind": each.kind,
            "address": each.address,
            "account": each.login,
            "rate": each.rate,
            "binds": each.binds,
            "binds_in_use": in_use.get(name, 0),
            "receives": each.bind if isinstance(each, SmppAccount) else "pull" if each.receipts else "",
            **_drain_facts(drained.get(name)),
        }
        for name, each in accounts.items()
    ]
    if as_json:
        console.print_json(found)
    elif found:
        rows = [
            {
                "gateway": each["gateway"],
                "kind": each["kind"],
                "address": each["address"],
                "account": each["account"],
                "parts_per_s": "" if each["rate"] is None else f"{each['rate']:,g}",
                "binds_in_use": f"{each['binds_in_use']}/{each['binds']}",
                "receives": each["receives"],
                "state": say(f"gateway_state.{each['state']}"),
            }
            for each in found
        ]
        out.print(views.table(rows, ("kind", "account", "receives")))
        for name, drain in drained.items():
            if name in accounts:
                out.print(word(drains.said(name, drain)))
    else:
        out.print(say("gateways.none"))


def _put(settings: Config, name: str, state: GatewayState, *, as_json: bool) -> None:
    check_gateway(settings, name)
    done = put(opened(settings), name, state)
    if as_json:
        console.print_json({"gateway": name, **_drain_facts(done.drain), "binds_in_use": done.sessions})
        return
    out.print(word(drains.said(name, done.drain)) if done.drain else say("gateway_active", gateway=name))
    if done.sessions:
        out.print(say("gateway_drained.not_yet", gateway=name, count=done.sessions))


def _drain_facts(drain: Drain | None) -> dict[str, str | None]:
    return {
        "state": GatewayState.DRAINED if drain else GatewayState.ACTIVE,
        "drained_since": drain.since.isoformat() if drain else None,
        "drained_by": drain.who if drain else None,
    }
