"""What a way out must offer: one that can be undone, as a log, a position to return to; a network an answer to each."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from app.domain.delivery import Delivery
from app.domain.page import Page
from app.domain.price import Price
from app.domain.receipt import Receipt, Reply
from app.sentence import Sentence


class Account(Protocol):
    """What was delivered, to be compared and written anew."""

    def delivered(self, position: int, size: int) -> bytes:
        """What was delivered from `position` on: `size` units, or as many as there are."""

    def lines(self, position: int) -> Iterator[tuple[int, bytes]]:
        """Whole lines that were delivered from `position` on, each with its own position."""

    def begin_anew(self, position: int) -> None:
        """Begin a second account of what was delivered, with what stands before `position`. The first counts on."""

    def deliver_anew(self, text: bytes) -> None:
        """Add lines to the second account."""


class Gateway(Account, Protocol):
    """Delivers the messages of one shard. One process at a time has it. Making one raises ShardTaken when another
    process does. To make one, to return and to deliver raise LogUnusable when the way out does not work now, whatever
    foreign error that is; nothing is lost by trying again later.

    A position counts what was delivered, in the gateway's own unit (bytes, for a log). Whoever takes up a shard first
    returns to the position that the database knows; what came after it is delivered again.
    """

    owner: str
    """Where this gateway's exclusion holds: two that name the same owner cannot both have one shard."""

    def return_to(self, position: int) -> None:
        """Undo what was delivered after `position`. Raises LogDamaged when less than that was ever delivered."""

    def deliver(self, text: str) -> int:
        """Deliver the messages, a line each, durably; the position after them. Raises LogDamaged when the way out is
        not as we left it; then nothing was delivered."""

    def check(self) -> None:
        """Raises LogDamaged when the way out is not as we left it."""

    def end_anew(self) -> int:
        """From here on the second account counts, durably and as a whole, and nothing is left of the first; the
        position at its end."""

    def close(self) -> None:
        """Let the shard go."""


class Submission(NamedTuple):
    """One message for a network: its text, or what its wording gave for it."""

    token: int
    """What its answer bears: the customer's id."""
    mobile: int
    text: str
    parts: int
    """How many SMS it is."""


NO_ANSWER = "no_answer"
"""The error of a message that is in doubt because nothing was said of it in time."""


class Answer(NamedTuple):
    """What a submission came to. After `unknown` another one may come, late."""

    token: int
    state: Delivery
    """One of delivery.ANSWERS."""
    provider_id: str = ""
    error: str = ""
    """The gateway's own name for why not."""
    is_throttled: bool = False
    """It was not taken because we are too quick: to be submitted again, and no attempt."""
    is_unsent: bool = False
    """Its bytes never left, as when the link was down: to be submitted again, and no attempt."""
    part_ids: tuple[str, ...] = ()
    """The gateway's ids of all parts, where it has several; `provider_id` is the first then."""
    fault: str = ""
    """What the gateway says is wrong with us, as the account's balance: nobody is to be submitted any more before a
    person saw to it. It is unsent as well."""

    @property
    def is_attempt(self) -> bool:
        """Whether it counts as one."""
        return not (self.is_throttled or self.is_unsent)


class Line(Protocol):
    """An open way to a network, for one event loop: what is submitted cannot be taken back.

    A link that is lost is made anew by itself; meanwhile there is no room.
    """

    @property
    def room(self) -> int:
        """How many parts may be submitted now; of a network with `calls`, how many messages."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is under way: a message of any length may be submitted, and owes the places it lacks."""

    @property
    def under_way(self) -> int:
        """How many places of the window are taken."""

    @property
    def why_away(self) -> Sentence | None:
        """Why the other side cannot be reached now, as far as the line knows; None: it can."""

    def submit(self, submissions: Sequence[Submission]) -> None:
        """Hand them over. Each gets an answer within the account's answer timeout, in any order."""

    async def answers(self) -> Sequence[Answer]:
        """Wait until there are some, or until there is room again; then none may be there."""

    async def close(self) -> None:
        """End it in order; what is without an answer gets none."""


Wording = Callable[[Page], tuple[list[str], list[int]]]
"""What each of those who are greeted is given by a network, and in how many parts they read it: 0 where a value of
theirs cannot be sent."""


def plain(message: Callable[[str], tuple[str, int]]) -> Wording:
    """The wording of a network that takes any text, by its `message`."""

    def word(page: Page) -> tuple[list[str], list[int]]:
        made = [message(each) for each in page.text.split("\n")[:-1]]
        return [text for text, _ in made], [parts for _, parts in made]

    return word


class Open(NamedTuple):
    """A message of which the last word is not known."""

    campaign_id: int
    customer_id: int
    mobile: int
    provider_id: str
    """'' where the gateway did not say."""
    reference: str
    """What the gateway was told, see Network.open."""
    epoch: int
    """Of the attempt."""
    submitted_at: datetime


class Outstanding(Protocol):
    """What a gateway that has to be asked is to be asked for."""

    async def since(self) -> datetime | None:
        """No message that is open was submitted before; None where there is none."""

    async def page(self, after: tuple[int, int] = (0, 0)) -> Sequence[Open]:
        """Some that are open, by campaign and customer, from behind these two on; none at the end."""


Take = Callable[[Sequence[Receipt | Reply]], Awaitable[None]]
"""Puts receipts and replies on record; they are acknowledged to the network once it returns."""


class Outgoing(Protocol):
    """What a text becomes on its way out. This alone decides, for what is sent and for what is told before."""

    name: str
    price: Price | None
    """Of one part; None where nobody said."""

    templates: Mapping[str, str]
    """Texts that the provider approved, by the operator's name for each; nothing else can be sent then. Empty: any text
    can."""

    def message(self, text: str, template_name: str = "") -> tuple[str, int]:
        """The text as it is read, and in how many parts. Parts above the account's most are not sent.
        `template_name`: of one of `templates`, where there are any."""

    @property
    def max_parts(self) -> int:
        """Longest message that it takes."""

    def wording(self, template_name: str) -> Wording:
        """For one of `templates`, or '' where there are none. Raises ConfigError for one that is not there."""


class Network(Outgoing, Protocol):
    """A gateway that cannot take back what it was given."""

    rate: float | None
    """Parts per second for all processes and hosts; None: no limit."""
    opt_out_key: str
    binds: int
    """Sessions that may send at once, over all processes and hosts."""
    answer_timeout_s: float
    validity_s: int
    receipts_for_s: int
    """How long receipts may come after a message; 0: none come."""
    doubt: Delivery
    """What a message becomes of which nobody knows whether it was taken: unknown, or retry."""
    calls: int
    """Messages in one call, where it is called: a lost answer leaves all of them in doubt. 0 where it takes one after
    the other over a link, and counts their parts."""

    by_parts: bool
    """Whether each part of a message has an id and receipts of its own."""

    def check_account(self) -> None:
        """Raises ConfigError where nothing can even be tried: without a secret, as a rule."""

    async def open(self, take: Take, reference: str, template_name: str = "") -> Line:
        """Connect, to send; what comes in meanwhile goes to `take`. A gateway that keeps an id of ours with a message
        is told `reference`, 64 characters at most; `template_name` is of one of its templates. Raises GatewayAway when
        it cannot be reached now."""

    async def check(self) -> None:
        """Connect as to send, and leave again. Raises GatewayAway when that does not work now."""

    @property
    def hears(self) -> bool | None:
        """Whether the session that receives here is bound now; None where there is none, as where it is asked."""

    @property
    def why_deaf(self) -> Sentence | None:
        """Why it is not bound, where it is to be."""

    async def receive(self, take: Take, outstanding: Outstanding) -> None:
        """Get what comes in, or ask for it, again and again; for ever."""
