"""`python -m app gateways test`."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer

from app import console
from app.catalogue import say
from app.cli.asking import asked
from app.cli.shared import opened
from app.config import Config
from app.console import out
from app.domain.delivery import Delivery
from app.domain.mobile import mask_all, normalise
from app.domain.sms_parts import cost
from app.errors import BadNumber, BadRequest
from app.gateways.accounts import SmppAccount
from app.gateways.base import Answer
from app.gateways.networks import accounts_of, network_of
from app.sending.trial import Trial
from app.wording import harmless

_WELL = frozenset({Delivery.ACCEPTED, Delivery.DELIVERED})


def try_out(settings: Config, name: str, to: str, text: str | None, *, wait_s: float, yes: bool, as_json: bool) -> None:
    """Exit status 1 when the message is not taken, or not delivered; 130 when it is not waited for."""
    accounts = accounts_of(settings)
    if name not in accounts:
        raise BadRequest("unknown_gateway", gateway=name[:64], known=", ".join(accounts) or "-")
    account = accounts[name]
    network = network_of(name, account)
    mobile = normalise(to)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(to[:40]))
    message, parts = network.message(text or say("trial.text", at=f"{datetime.now(UTC):%H:%M:%S}"))
    if parts > network.max_parts:
        raise BadRequest("text_too_long", gateway=name, parts=parts, most=network.max_parts)
    trial = Trial(opened(settings), network, int(mobile), message, parts)
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


@contextmanager
def _quiet() -> Iterator[None]:
    """What the gateway writes to the server's log says nothing here that the command does not."""
    handler, log = logging.NullHandler(), logging.getLogger("app")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
