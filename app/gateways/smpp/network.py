"""An operator's message centre as a network: the ledger's messages go out in SMPP, receipts and replies come in."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from app.domain.delivery import Delivery
from app.domain.mobile import normalise
from app.domain.receipt import Receipt, Reply
from app.domain.sms_parts import LONG_REFERENCE, parts_of
from app.gateways.account_network import AccountNetwork, trusting
from app.gateways.accounts import SmppAccount
from app.gateways.base import NO_ANSWER, Answer, Outstanding, Submission, Take, Wording, plain
from app.gateways.smpp import receipt, status
from app.gateways.smpp.account import Account, Bind
from app.gateways.smpp.away import away
from app.gateways.smpp.errors import SmppError
from app.gateways.smpp.pdu import Pdu
from app.gateways.smpp.receipt import IdForm, State
from app.gateways.smpp.session import Session, probe
from app.gateways.smpp.submission import Envelope, LongText, Submissions
from app.gateways.smpp.window import Answer as SmppAnswer
from app.gateways.smpp.window import Outcome
from app.sentence import Sentence

CONNECT_WITHIN_S = 10.0
PARTLY = "partly_refused"
"""A part was taken and another one refused: to try again would send the first one twice."""

_STATES = {
    State.ENROUTE: Delivery.ACCEPTED,
    State.ACCEPTED: Delivery.ACCEPTED,
    State.UNKNOWN: Delivery.ACCEPTED,
    State.DELIVERED: Delivery.DELIVERED,
    State.EXPIRED: Delivery.EXPIRED,
    State.DELETED: Delivery.UNDELIVERED,
    State.UNDELIVERABLE: Delivery.UNDELIVERED,
    State.REJECTED: Delivery.UNDELIVERED,
}
"""What a receipt proves. That the centre does not know what became of it still proves that it had it."""


class SmppNetwork(AccountNetwork):
    """See gateways/base.py."""

    def __init__(self, name: str, account: SmppAccount) -> None:
        super().__init__(name, account)
        self._account = account
        self.opt_out_key = account.opt_out_key
        self.calls = 0
        self.by_parts = account.long_messages != "payload"
        self.templates: Mapping[str, str] = {}
        self._receiving: Session | None = None

    def message(self, text: str, template_name: str = "") -> tuple[str, int]:
        """See Network."""
        signature = self._account.signature
        text = text if text.startswith(signature) else signature + text
        return text, parts_of(text, LONG_REFERENCE)

    def wording(self, template_name: str) -> Wording:
        """See Network."""
        return plain(self.message)

    async def open(self, take: Take, reference: str, template_name: str = "") -> "SmppLine":
        """See Network."""
        line = SmppLine(self._account, self._for(Bind.TRANSMITTER), take)
        await line.open()
        return line

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        """See Network."""
        reader = _Reader(self._account, take)
        session = Session(self._for(Bind.RECEIVER), on_answers=_nothing, on_late=_nothing, on_deliver=reader.deliver)
        async with session:
            self._receiving = session
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._receiving = None

    @property
    def hears(self) -> bool | None:
        """See Network."""
        return self._receiving.is_bound if self._receiving else None

    @property
    def why_deaf(self) -> Sentence | None:
        """See Network."""
        session = self._receiving
        return away(self._account.address, session.trouble).sentence if session and not session.is_bound else None

    def check_account(self) -> None:
        """Raises ConfigError where a session cannot even be tried: without a password, or with one that is too long."""
        self._for(Bind.TRANSMITTER)

    async def check(self) -> None:
        """See Network."""
        smpp = self._for(Bind.TRANSMITTER)
        try:
            await probe(smpp)
        except SmppError as error:
            raise away(smpp.where, error) from error

    def _for(self, purpose: Bind) -> Account:
        """For a session that sends or receives; where the account says so each does both."""
        account = self._account
        tls = trusting(account.tls_ca) if account.tls else None
        return Account(
            host=account.host,
            port=account.port,
            system_id=account.system_id,
            password=account.password().get_secret_value(),
            system_type=account.system_type,
            bind=Bind.TRANSCEIVER if account.bind == "transceiver" else purpose,
            window=account.window,
            answer_timeout_s=account.answer_timeout_s,
            enquire_link_s=account.enquire_link_s,
            connect_timeout_s=CONNECT_WITHIN_S,
            tls=tls,
        )


class SmppLine:
    """See Line. One session."""

    def __init__(self, account: SmppAccount, smpp: Account, take: Take) -> None:
        self._where = smpp.where
        self._window = account.window
        self._country_code = account.country_code
        self._bodies = Submissions(
            Envelope(
                source=account.source,
                source_ton=account.source_ton,
                source_npi=account.source_npi,
                dest_ton=account.dest_ton,
                dest_npi=account.dest_npi,
                registered_delivery=int(account.receipts),
                validity_s=account.validity_s,
                long_text=LongText.PAYLOAD if account.long_messages == "payload" else LongText.PARTS,
            )
        ).bodies
        on_deliver = None if account.bind == "separate" else _Reader(account, take).deliver
        self._session = Session(smpp, on_answers=self._note, on_late=self._note, on_deliver=on_deliver, quiet=True)
        self._answers: list[Answer] = []
        self._changed = asyncio.Event()

    async def open(self) -> None:
        """Bind. Raises GatewayAway with the reason."""
        await self._session.__aenter__()
        bound = asyncio.ensure_future(self._session.bound())
        deadline = asyncio.get_running_loop().time() + CONNECT_WITHIN_S
        while not bound.done() and self._session.trouble is None and asyncio.get_running_loop().time() < deadline:
            await asyncio.wait([bound], timeout=0.05)
        if not self._session.is_bound:
            trouble = self._session.trouble
            bound.cancel()
            await self._session.close()
            with contextlib.suppress(BaseException):
                await bound
            raise away(self._where, trouble)

    @property
    def room(self) -> int:
        """See Line."""
        return self._window - self._session.outstanding if self._session.is_bound else 0

    @property
    def is_empty(self) -> bool:
        """See Line."""
        return self._session.is_bound and not self._session.outstanding

    @property
    def under_way(self) -> int:
        """See Line."""
        return self._session.outstanding

    @property
    def why_away(self) -> Sentence | None:
        """See Line."""
        return None if self._session.is_bound else away(self._where, self._session.trouble).sentence

    def submit(self, submissions: Sequence[Submission]) -> None:
        """See Line."""
        bodies, country_code = self._bodies, self._country_code
        taken = self._session.submit_all(
            (token, bodies(f"{country_code}{mobile}", text, token & 0xFFFF)) for token, mobile, text, _ in submissions
        )
        if taken < len(submissions):
            self._answers += [Answer(each.token, Delivery.RETRY, is_unsent=True) for each in submissions[taken:]]
            self._changed.set()

    async def answers(self) -> Sequence[Answer]:
        """See Line."""
        if not self._answers:
            self._changed.clear()
            if self._session.is_bound:
                await self._changed.wait()
            else:
                waits = [asyncio.ensure_future(each) for each in (self._changed.wait(), self._session.bound())]
                try:
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for each in waits:
                        each.cancel()
        answers, self._answers = self._answers, []
        return answers

    async def close(self) -> None:
        """See Line."""
        await self._session.close()

    def _note(self, found: list[SmppAnswer]) -> None:
        self._answers.extend(map(_answer, found))
        self._changed.set()


def _answer(found: SmppAnswer) -> Answer:
    token, outcome, provider_ids, code = found
    provider_id = provider_ids[0] if provider_ids else ""
    part_ids = provider_ids if len(provider_ids) > 1 else ()
    if outcome is Outcome.ACCEPTED:
        return Answer(token, Delivery.ACCEPTED, provider_id, part_ids=part_ids)
    if outcome is Outcome.UNSENT:
        return Answer(token, Delivery.RETRY, is_unsent=True)
    if outcome is Outcome.UNANSWERED:
        return Answer(token, Delivery.UNKNOWN, error=NO_ANSWER)
    if outcome is Outcome.PARTIAL:
        return Answer(token, Delivery.REFUSED, provider_id, PARTLY, part_ids=part_ids)
    kind = status.kind(code)
    if kind is status.Kind.PERMANENT:
        return Answer(token, Delivery.REFUSED, error=status.name(code))
    return Answer(token, Delivery.RETRY, error=status.name(code), is_throttled=kind is status.Kind.THROTTLED)


class _Reader:
    """Receipts and replies of one account, as the product has them."""

    def __init__(self, account: SmppAccount, take: Take) -> None:
        self._ids = IdForm(account.receipt_ids)
        self._country_code = account.country_code
        self._take = take

    async def deliver(self, pdus: Sequence[Pdu]) -> None:
        """Put them on record. What says nothing of a message of ours is acknowledged, and forgotten."""
        now = datetime.now(UTC)
        news: list[Receipt | Reply] = []
        for pdu in pdus:
            found = receipt.read(pdu, self._ids)
            if isinstance(found, receipt.Receipt):
                state = _STATES[found.state]
                error = "" if state is Delivery.DELIVERED else f"{found.state.value} {found.error}".strip()
                news.append(Receipt(found.message_id, self._mobile(found.number), state, error, now))
            elif isinstance(found, receipt.Reply):
                news.append(Reply(self._mobile(found.number), found.text, now))
        if news:
            await self._take(news)

    def _mobile(self, number: str) -> int:
        """In the form that the ledger has, 0 for what is none."""
        digits = number.strip().lstrip("+")
        national = digits.removeprefix(self._country_code) if self._country_code else digits
        usable = (
            normalise(national) or normalise(digits) or (digits if digits.isdecimal() and len(digits) < 19 else "0")
        )
        return int(usable)


def _nothing(_answers: list[SmppAnswer]) -> None:
    """A session that receives submits nothing."""
