"""Before anything is sent: previews."""

from fastapi import APIRouter, Request
from pydantic import Field

from app.campaigns.checked_audience import checked_audience
from app.campaigns.preview import Example, Preview, preview
from app.domain.audience import CUSTOMERS
from app.domain.greeting import DEFAULT_TEMPLATE
from app.domain.price import Price
from app.domain.reject import Reason
from app.domain.sms_parts import Encoding
from app.gateways.networks import outgoing
from app.web.api.answers import problems
from app.web.api.campaigns import Sees
from app.web.api.models import CustomerId, Model
from app.web.house import house_of

router = APIRouter(tags=["sending"])


class Draft(Model):
    """What might be sent."""

    template: str = Field(DEFAULT_TEMPLATE, max_length=2_000, examples=["{name}{honorific}，您好"])
    gateway: str | None = Field(None, max_length=64, examples=["log"])
    audience: str = Field(CUSTOMERS, max_length=64)
    customer_id: CustomerId | None = Field(None, description="The message of this one, instead of three.")


class Shown(Model):
    """One customer's message, as it would leave; or why there is none. Numbers in it are masked."""

    customer_id: CustomerId
    text: str
    sms: int
    encoding: Encoding | None
    rejected: Reason | None


class Cost(Model):
    """What parts come to, as text: a program may not lose a hundredth."""

    price: str
    currency: str
    sum: str


class Parts(Model):
    """SMS of one message."""

    least: int
    mean: float
    most: int


class Previewed(Model):
    """Some messages, and what everybody comes to; worked out from a sample unless it is `exact`."""

    examples: list[Shown]
    audience: int
    exact: bool
    messages: int
    rejected: int
    sms: int
    parts: Parts
    cost: Cost | None


@router.post("/previews", operation_id="preview", responses=problems(404))
async def make_preview(request: Request, draft: Draft, by: Sees) -> Previewed:
    """Messages as they would be sent, and an estimate. Nothing is sent or kept."""
    house = house_of(request)

    def look() -> tuple[Preview, Price | None]:
        settings = house.settings
        way_out = outgoing(settings, draft.gateway or settings.sms_gateway)
        found = preview(
            house.database,
            draft.template,
            draft.customer_id,
            added_columns=settings.template_columns,
            masked=True,
            by=way_out,
            audience=checked_audience(house.database, draft.audience),
        )
        return found, way_out.price if way_out else None

    async with house.previewing:
        found, price = await house.threads.run(look)
    whole = found.estimate
    return Previewed(
        examples=[_shown(each) for each in found.examples],
        audience=whole.audience,
        exact=whole.is_exact,
        messages=whole.messages,
        rejected=whole.audience - whole.messages,
        sms=whole.total_sms,
        parts=Parts(least=whole.least, mean=round(whole.mean, 4), most=whole.most),
        cost=_cost(price, whole.total_sms) if price else None,
    )


def _shown(example: Example) -> Shown:
    cost = example.cost
    return Shown(
        customer_id=example.customer_id,
        text=example.text,
        sms=cost.parts if cost else 0,
        encoding=cost.encoding if cost else None,
        rejected=example.rejected,
    )


def _cost(price: Price, parts: int) -> Cost:
    return Cost(price=f"{price.per_part:f}", currency=price.currency, sum=f"{price.of(parts):f}")
