"""`python -m app gateways test`."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

import typer

from app import console
from app.catalogue import say
from app.cli.asking import asked
from app.cli.shared import opened
from app.config import Config
from app.console import out
from app.domain.delivery import Delivery
from app.domain.greeting import compile_template
from app.domain.mobile import mask_all, normalise
from app.domain.page import prepare
from app.domain.people import People
from app.domain.sms_parts import cost
from app.errors import BadNumber, BadRequest, NotTried
from app.gateways.accounts import SmppAccount
from app.gateways.base import Answer, Network
from app.gateways.networks import accounts_of, network_of
from app.sending.trial import Trial
from app.wording import harmless

WAIT_S = 10.0
SOMEBODY = "测试"
"""Stands for every value in a template that a provider approved."""
_WELL = frozenset({Delivery.ACCEPTED, Delivery.DELIVERED})


def try_out(
    settings: Config,
    name: str,
    to: str,
    text: str | None,
    template_name: str | None,
    *,
    wait_s: float | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Exit status 1 when the message is not taken, or not delivered; 130 when it is not waited for."""
    accounts = accounts_of(settings)
    if name not in accounts:
        raise BadRequest("unknown_gateway", gateway=name[:64], known=", ".join(accounts) or "-")
    account = accounts[name]
    network = network_of(name, account)
    mobile = normalise(to)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(to[:40]))
    made = _made(network, mobile, text, template_name)
    if made.parts > network.max_parts:
        raise BadRequest("text_too_long", gateway=name, parts=made.parts, most=network.max_parts)
    message, parts = made.shown, made.parts
    trial = Trial(opened(settings), network, int(mobile), made.text, parts, made.template_name)
    trial.check()
    if not as_json:
        out.print(say("trial", gateway=name, number=mask_all(mobile), count=parts, encoding=cost(message).encoding))
        out.print(f"  {harmless(message)}")
    if not (yes or asked(name, say("trial.question"))):
        raise typer.Exit(1)
    facts: dict[str, Any] = {"gateway": name, "text": message, "parts": parts}

    def on_answer(answer: Answer, took_s: float) -> None:
        ids = list(answer.part_ids) or ([answer.provider_id] if answer.provider_id else [])
        facts.update(answer=answer.state.value, answer_s=round(took_s, 3), provider_ids=ids, error=answer.error)
        if not as_json:
            what = say("trial.not_now" if answer.state is Delivery.RETRY else f"delivery.{answer.state}")
            out.print(say("trial.answer", what=what, ids=", ".join(ids), error=answer.error, took=took_s).strip(" ,"))

    if wait_s is None:
        wait_s = WAIT_S if isinstance(account, SmppAccount) else WAIT_S + 2 * account.receipts_every_s
    waits = account.receipts and wait_s > 0
    try:
        with _quiet():
            state, error, took_s = asyncio.run(trial.run(on_answer, wait_s if waits else 0.0))
    except KeyboardInterrupt:
        console.err.print(say("trial.stopped"))
        raise typer.Exit(130) from None
    has_receipt = facts["answer"] == Delivery.ACCEPTED and state is not Delivery.ACCEPTED
    awaited = len(facts["provider_ids"])
    facts |= {"state": state.value, "error": error, "receipt_s": round(took_s, 3) if has_receipt else None}
    if as_json:
        console.print_json(facts)
    elif has_receipt:
        out.print(say("trial.receipt", what=say(f"delivery.{state}"), error=error, took=took_s).strip(" ,"))
    elif state is Delivery.ACCEPTED:
        out.print(say("trial.no_receipt", wait=wait_s, count=awaited) if waits else say("trial.not_waited"))
        if waits and isinstance(account, SmppAccount) and account.bind == "separate":
            out.print(say("trial.separate", gateway=name))
    raise typer.Exit(0 if state in _WELL else 1)


class _Message(NamedTuple):
    """What goes out; `shown` is what it is read as."""

    text: str
    shown: str
    parts: int
    template_name: str = ""


def _made(network: Network, mobile: str, text: str | None, template_name: str | None) -> _Message:
    if not network.templates:
        if template_name is not None:
            raise BadRequest("no_named_templates", gateway=network.name)
        message, parts = network.message(text or say("trial.text", at=f"{datetime.now(UTC):%H:%M:%S}"))
        return _Message(message, message, parts)
    chosen = template_name or next(iter(network.templates))
    if text is not None or chosen not in network.templates:
        raise BadRequest("unknown_template", gateway=network.name, known=", ".join(network.templates))
    template = compile_template(network.templates[chosen], None)
    page = prepare(template, People.of([(1, mobile, SOMEBODY, 1, *[SOMEBODY] * len(template.columns))]))
    (value,), (parts,) = network.wording(chosen)(page)
    if not parts:
        raise NotTried("not_tried.value", gateway=network.name, template=chosen)
    return _Message(value, network.message(page.text.rstrip("\n"))[0], parts, chosen)


@contextmanager
def _quiet() -> Iterator[None]:
    """What the gateway writes to the server's log says nothing here that the command does not."""
    handler, log = logging.NullHandler(), logging.getLogger("app")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
