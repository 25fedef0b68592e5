"""A campaign that somebody is about to start: what they typed, what it would come to, and what is wrong with it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from app.campaigns.checked_audience import checked_audience
from app.campaigns.checked_template import text_of
from app.campaigns.preview import Estimate, Example, preview
from app.campaigns.spending import Spending
from app.campaigns.start import Dispatched, dispatch
from app.domain.actor import Actor
from app.domain.audience import CUSTOMERS
from app.domain.choice import HIGHEST_ID, Sample
from app.domain.greeting import DEFAULT_TEMPLATE, PLACEHOLDERS
from app.domain.price import Price
from app.domain.template_doubts import Doubt, doubts
from app.errors import AppError, BadRequest
from app.gateways.networks import accounts_of, outgoing
from app.store import customers
from app.web.house import House

_FIELD_OF = {
    **dict.fromkeys(("bad_name", "other_template", "other_gateway", "other_audience", "other_customers"), "name"),
    **dict.fromkeys(("bad_template", "text_too_long", "no_template"), "template"),
    **dict.fromkeys(("unknown_template", "no_named_templates", "template_twice"), "template_name"),
    **dict.fromkeys(("bad_audience", "bad_ids", "too_many_shards"), "audience"),
    **{"unknown_gateway": "gateway", "bad_choice": "sample", "cost": "confirm", "bad_confirm": "confirm"},
}
"""Beside which field an error stands, by its code."""


@dataclass(frozen=True, slots=True)
class Draft:
    """As it was typed."""

    name: str = ""
    audience: str = CUSTOMERS
    template: str = DEFAULT_TEMPLATE
    template_name: str = ""
    gateway: str = ""
    duplicates: bool = False
    sample: str = ""
    asked: str = ""
    """How many SMS they were asked to agree to, """
    asked_of: str = ""
    """of which draft, see `digest`, and """
    confirm: str = ""
    """what they typed then."""

    @property
    def choice(self) -> Sample | None:
        """Raises BadRequest."""
        if not self.sample:
            return None
        count = number_in(self.sample)
        if count is None or not 1 <= count <= HIGHEST_ID:
            raise BadRequest("bad_choice.no_count", most=HIGHEST_ID)
        return Sample(count)

    def digest(self, price: Price | None) -> str:
        """Of all that its sum depends on, beside how many people there are."""
        whole = (
            self.gateway,
            str(price),
            self.audience,
            self.template,
            self.template_name,
            self.duplicates,
            self.sample,
        )
        return hashlib.sha256(repr(whole).encode(errors="surrogatepass")).hexdigest()

    def agreed_parts(self, price: Price | None) -> int | None:
        """None where they did not agree, or to another draft. Raises BadRequest where they typed another number than
        they were asked for."""
        asked = number_in(self.asked)
        if asked is None or not self.confirm or self.asked_of != self.digest(price):
            return None
        if number_in(self.confirm) != asked:
            raise BadRequest("bad_confirm", parts=asked)
        return asked


def read(fields: Mapping[str, str], default_gateway: str) -> Draft:
    """Of the form. What a gateway has approved is sent by its name, and any other text as it stands."""
    return Draft(
        name=fields.get("name", "").strip(),
        audience=fields.get("audience", "").strip() or CUSTOMERS,
        template=fields.get("template", "").strip("\r\n"),
        template_name=fields.get("template_name", ""),
        gateway=fields.get("gateway", "") or default_gateway,
        duplicates="duplicates" in fields,
        sample=fields.get("sample", "").strip(),
        asked=fields.get("asked", ""),
        asked_of=fields.get("asked_of", ""),
        confirm=fields.get("confirm", "").strip(),
    )


def number_in(text: str) -> int | None:
    """Of `1,234` or `1 234`; None where it is none. Pure."""
    digits = text.translate(str.maketrans("", "", ", \u00a0\u202f，"))
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 12 else None


def field_of(error: AppError) -> str:
    """Beside which field it is said; '' for above them all. Pure."""
    return _FIELD_OF.get(error.code, "")


@dataclass(frozen=True, slots=True)
class Choices:
    """What a form offers."""

    gateways: dict[str, list[str]]
    """By name, each with the names of the templates that it sends alone; none where it sends any text."""
    placeholders: list[str]


def choices(house: House) -> Choices:
    """Raises ConfigError."""
    accounts = accounts_of(house.settings)
    with house.database.connect() as connection:
        columns = customers.columns(connection, CUSTOMERS, house.settings.template_columns)
    found = {name: sorted(getattr(each, "templates", {})) for name, each in accounts.items()}
    return Choices({"log": [], **found}, [*PLACEHOLDERS, *columns])


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a draft would come to."""

    examples: list[Example]
    is_exact: bool
    audience: int
    messages: int
    rejected: int
    sms: int
    whole: Estimate
    sum: str
    """'' where the gateway has no price."""
    doubts: list[Doubt]


def look_ahead(house: House, draft: Draft) -> Outlook:
    """Of a sample the counts are those of everybody, made smaller. Raises BadRequest, ConfigError."""
    settings, choice = house.settings, draft.choice
    by = outgoing(settings, draft.gateway)
    template_name = draft.template_name if by and by.templates else ""
    text = text_of(by, draft.gateway, None if template_name else draft.template, template_name or None)
    found = preview(
        house.database,
        text or "",
        added_columns=settings.template_columns,
        masked=True,
        by=by,
        audience=checked_audience(house.database, draft.audience),
        template_name=template_name,
    )
    whole = found.estimate
    audience = min(choice.count, whole.audience) if choice else whole.audience

    def of_them(count: int) -> int:
        return round(count * audience / whole.audience) if whole.audience else 0

    messages, sms = of_them(whole.messages), of_them(whole.total_sms)
    return Outlook(
        examples=found.examples,
        is_exact=whole.is_exact and audience == whole.audience,
        audience=audience,
        messages=messages,
        rejected=audience - messages,
        sms=sms,
        whole=whole,
        sum=by.price.shown(sms) if by and by.price else "",
        doubts=[] if template_name else doubts(text or ""),
    )


def digest(house: House, draft: Draft) -> str:
    """See Draft.digest. Raises ConfigError."""
    by = outgoing(house.settings, draft.gateway)
    return draft.digest(by.price if by else None)


def start(house: House, draft: Draft, by: Actor) -> Dispatched:
    """As the trigger does. Raises BadRequest, ConfigError."""
    settings, networks = house.settings, house.networks
    network = networks.get(draft.gateway)
    is_named = bool(network and network.templates)
    return dispatch(
        house.database,
        draft.name,
        settings.sms_shard_size,
        template=None if is_named else draft.template,
        allow_duplicates=draft.duplicates,
        added_columns=settings.template_columns,
        gateway=draft.gateway,
        networks=networks,
        template_name=draft.template_name if is_named else None,
        spending=Spending(settings.sms_ask_above, draft.agreed_parts(network.price if network else None)),
        audience=draft.audience,
        choice=draft.choice,
        by=by,
    )
