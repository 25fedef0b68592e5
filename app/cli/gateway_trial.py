"""What `gateways test` and `test` share: a message to a few numbers, after a question, and what becomes of it."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from sqlalchemy import Engine

from app import console
from app.campaigns.trial_message import TrialMessage, trial_of
from app.catalogue import say
from app.cli.asking import asked
from app.cli.shared import opened
from app.config import Config
from app.console import out
from app.domain.delivery import Delivery
from app.domain.mobile import mask_all, normalise
from app.domain.sms_parts import cost
from app.errors import BadNumber, BadRequest
from app.gateways.accounts import Account, SmppAccount
from app.gateways.base import Answer, Network
from app.gateways.networks import accounts_of, network_of
from app.sending.trial import Fate, Trial
from app.wording import harmless

WAIT_S = 10.0


class Tried:
    """One account of the gateways file, to be tried. To make one raises BadRequest and ConfigError."""

    def __init__(self, settings: Config, name: str) -> None:
        accounts = accounts_of(settings)
        if name not in accounts:
            raise BadRequest("unknown_gateway", gateway=name[:64], known=", ".join(accounts) or "-")
        self.account: Account = accounts[name]
        self.network: Network = network_of(name, self.account)

    def waits_s(self, wait_s: float | None) -> float:
        """How long receipts are waited for: as somebody says, or as long as they take as a rule."""
        if not self.account.receipts:
            return 0.0
        if wait_s is not None:
            return wait_s
        return WAIT_S if isinstance(self.account, SmppAccount) else WAIT_S + 2 * self.account.receipts_every_s


def number_of(text: str) -> int:
    """Raises BadNumber."""
    mobile = normalise(text)
    if mobile is None:
        raise BadNumber("bad_number", number=mask_all(text[:40]))
    return int(mobile)


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
    """`gateways test`. Exit status 1 when the message is not taken, or not delivered; 130 when it is not waited for."""
    tried = Tried(settings, name)
    number = number_of(to)
    made = trial_of(tried.network, number, text, template_name, say("trial.text", at=f"{datetime.now(UTC):%H:%M:%S}"))
    facts, fates = carry_out(tried, opened(settings), [number], made, wait_s=wait_s, yes=yes, as_json=as_json)
    if as_json:
        (message,) = facts.pop("messages")
        console.print_json(facts | {key: value for key, value in message.items() if key != "number"})
    raise typer.Exit(0 if all(each.is_well for each in fates) else 1)


def carry_out(
    tried: Tried,
    database: Engine,
    numbers: Sequence[int],
    made: TrialMessage,
    *,
    wait_s: float | None,
    yes: bool,
    as_json: bool,
) -> tuple[dict[str, Any], list[Fate]]:
    """Show the message, ask, send it, and say what becomes of it; the same for `--json`, and by number. Raises
    NotTried and GatewayAway, and Exit where nobody agrees."""
    network, parts = tried.network, made.parts
    trial = Trial(database, network, numbers, made.text, parts, made.template_name)
    trial.check()
    if not as_json:
        shown = ", ".join(mask_all(str(each)) for each in numbers)
        encoding = cost(made.shown).encoding
        out.print(say("trial", gateway=network.name, number=shown, count=parts, encoding=encoding))
        out.print(f"  {harmless(made.shown)}")
        if network.price is not None:
            out.print(say("trial.cost", sum=network.price.shown(parts * len(numbers))))
    if not (yes or asked(network.name, say("trial.question"))):
        raise typer.Exit(1)
    wait_s = tried.waits_s(wait_s)
    telling = _Telling(tried, numbers, wait_s, as_json=as_json)
    try:
        with _quiet():
            fates = asyncio.run(trial.run(telling.on_answer, wait_s))
    except KeyboardInterrupt:
        console.err.print(say("trial.stopped"))
        raise typer.Exit(130) from None
    telling.end(fates)
    facts = {"gateway": network.name, "text": made.shown, "parts": parts, "messages": telling.facts}
    return facts, fates


class _Telling:
    """Says what becomes of each message, with its number where there are several."""

    def __init__(self, tried: Tried, numbers: Sequence[int], wait_s: float, *, as_json: bool) -> None:
        self._tried = tried
        self._numbers = numbers
        self._wait_s = wait_s
        self._as_json = as_json
        self.facts: list[dict[str, Any]] = []

    def on_answer(self, number: int, answer: Answer, took_s: float) -> None:
        ids = list(answer.part_ids) or ([answer.provider_id] if answer.provider_id else [])
        shown = mask_all(str(number))
        told = {"answer": answer.state.value, "answer_s": round(took_s, 3), "provider_ids": ids, "error": answer.error}
        self.facts.append({"number": shown, **told})
        what = say("trial.not_now" if answer.state is Delivery.RETRY else f"delivery.{answer.state}")
        self._say(shown, say("trial.answer", what=what, ids=", ".join(ids), error=answer.error, took=took_s))
        if answer.fault and not self._as_json:
            out.print(harmless(answer.fault))

    def end(self, fates: Sequence[Fate]) -> None:
        for facts, (state, error, took_s) in zip(self.facts, fates, strict=True):
            has_receipt = facts["answer"] == Delivery.ACCEPTED and state is not Delivery.ACCEPTED
            awaited = len(facts["provider_ids"])
            facts |= {"state": state.value, "error": error, "receipt_s": round(took_s, 3) if has_receipt else None}
            if has_receipt:
                self._say(
                    facts["number"], say("trial.receipt", what=say(f"delivery.{state}"), error=error, took=took_s)
                )
            elif state is Delivery.ACCEPTED:
                none_came = say("trial.no_receipt", wait=self._wait_s, count=awaited)
                self._say(facts["number"], none_came if self._wait_s else say("trial.not_waited"))
        if self._as_json:
            return
        account = self._tried.account
        waits_in_vain = self._wait_s and any(each.state is Delivery.ACCEPTED for each in fates)
        if waits_in_vain and isinstance(account, SmppAccount) and account.bind == "separate":
            out.print(say("trial.separate", gateway=self._tried.network.name))
        if left := len(self._numbers) - len(fates):
            out.print(say("trial.left", count=left))

    def _say(self, number: str, what: str) -> None:
        if not self._as_json:
            what = what.strip(" ,")
            out.print(f"{number}: {what}" if len(self._numbers) > 1 else what)


@contextmanager
def _quiet() -> Iterator[None]:
    """What the gateway writes to the server's log says nothing here that the command does not."""
    handler, log = logging.NullHandler(), logging.getLogger("app")
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
