"""How a preview looks on a terminal, and for programs."""

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.campaigns.preview import Estimate, Example, Preview
from app.catalogue import say
from app.cli.views import cost_facts, title
from app.domain.greeting import MAN, UNKNOWN, WOMAN
from app.domain.price import Price
from app.sentence import Sentence
from app.wording import harmless


def preview_text(preview: Preview, price: Price | None = None) -> RenderableType:
    """Each message with what it costs below it, then the estimate."""
    return Group(
        *(_example(each) for each in preview.examples),
        _estimate(preview.estimate),
        _parts(preview.estimate, price),
        _genders(preview.estimate),
    )


def _example(example: Example) -> RenderableType:
    if example.cost is None:
        return Text(say("preview.rejected", id=example.customer_id, reason=example.rejected) + "\n")
    size = Sentence("characters", count=len(example.text))
    cost = say(
        "preview.cost", id=example.customer_id, size=size, sms=example.cost.parts, encoding=example.cost.encoding
    )
    # A message is data: nothing in it is markup, and nothing of a customer's may steer the terminal.
    return Text(f"{harmless(example.text)}\n  {cost}\n")


def _estimate(estimate: Estimate) -> RenderableType:
    basis = say("preview.everybody") if estimate.is_exact else say("preview.sample", sampled=estimate.sampled)
    table = Table(*(title(each) for each in ("audience", "messages", "rejected", "sms_in_all", "encoding", "seen")))

    def shown(count: int) -> str:
        return f"{count:,}" if estimate.is_exact else say("preview.about", number=count)

    table.add_row(
        f"{estimate.audience:,}",
        shown(estimate.messages),
        shown(estimate.audience - estimate.messages),
        shown(estimate.total_sms),
        ", ".join(f"{name} {count / estimate.greeted:.1%}" for name, count in sorted(estimate.encodings.items())),
        basis,
    )
    return table


def _parts(estimate: Estimate, price: Price | None) -> Text:
    said = [say("preview.parts", least=estimate.least, mean=estimate.mean, most=estimate.most)]
    if price is not None:
        whole = price.shown(estimate.total_sms)
        shown = whole if estimate.is_exact else say("preview.about_sum", sum=whole)
        said.append(say("preview.sum", sum=shown, price=price.each))
    return Text("\n".join(said))


def _genders(estimate: Estimate) -> Text:
    seen = estimate.genders
    counts = {
        MAN: seen.male,
        WOMAN: seen.female,
        UNKNOWN: seen.unknown,
        say("preview.no_gender"): sum(seen.odd.values()),
    }
    shown = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return Text(say("preview.genders", shown=shown or say("preview.nobody")))


def preview_facts(preview: Preview, price: Price | None = None, not_there: int = 0) -> dict[str, Any]:
    """The same for `--json`; so many ids that were given are `not_there`."""
    estimate = preview.estimate
    return {
        "examples": [
            {
                "customer": each.customer_id,
                "text": each.text,
                "characters": len(each.text),
                "sms": each.cost.parts if each.cost else 0,
                "units": each.cost.units if each.cost else 0,
                "encoding": each.cost.encoding if each.cost else None,
                "rejected": each.rejected,
            }
            for each in preview.examples
        ],
        "estimate": {
            "audience": estimate.audience,
            "not_there": not_there,
            "sampled": estimate.sampled,
            "exact": estimate.is_exact,
            "messages": estimate.messages,
            "rejected": estimate.audience - estimate.messages,
            "sms": estimate.total_sms,
            "parts": {"least": estimate.least, "mean": round(estimate.mean, 4), "most": estimate.most},
            "cost": cost_facts(price, estimate.total_sms),
            "encodings": dict(estimate.encodings),
            "genders": asdict(estimate.genders) | {"odd": {str(value): n for value, n in estimate.genders.odd.items()}},
        },
    }
