"""How a preview looks on a terminal, and for programs."""

from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.campaigns.preview import Estimate, Example, Preview
from app.domain.greeting import MAN, UNKNOWN, WOMAN
from app.wording import counted, harmless


def preview_text(preview: Preview) -> RenderableType:
    """Each message with what it costs below it, then the estimate."""
    return Group(
        *(_example(each) for each in preview.examples), _estimate(preview.estimate), _genders(preview.estimate)
    )


def _example(example: Example) -> RenderableType:
    if example.cost is None:
        return Text(f"customer {example.customer_id} is not greeted: {example.rejected}\n")
    size = counted(len(example.text), "character")
    cost = f"{counted(example.cost.parts, 'SMS', 'SMS')}, {example.cost.encoding}"
    # A message is data: nothing in it is markup, and nothing of a customer's may steer the terminal.
    return Text(f"{harmless(example.text)}\n  customer {example.customer_id}: {size}, {cost}\n")


def _estimate(estimate: Estimate) -> RenderableType:
    about = "" if estimate.is_exact else "about "
    basis = "everybody" if estimate.is_exact else f"a sample of {estimate.sampled:,} spread over the ids"
    table = Table("audience", "messages", "rejected", "SMS in all", "encoding", "seen")
    table.add_row(
        f"{estimate.audience:,}",
        f"{about}{estimate.messages:,}",
        f"{about}{estimate.audience - estimate.messages:,}",
        f"{about}{estimate.total_sms:,}",
        ", ".join(f"{name} {count / estimate.greeted:.1%}" for name, count in sorted(estimate.encodings.items())),
        basis,
    )
    return table


def _genders(estimate: Estimate) -> Text:
    seen = estimate.genders
    counts = {MAN: seen.male, WOMAN: seen.female, UNKNOWN: seen.unknown, "none": sum(seen.odd.values())}
    shown = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return Text(f"genders of those seen: {shown or 'nobody'}")


def preview_facts(preview: Preview) -> dict[str, Any]:
    """The same for `--json`."""
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
            "sampled": estimate.sampled,
            "exact": estimate.is_exact,
            "messages": estimate.messages,
            "rejected": estimate.audience - estimate.messages,
            "sms": estimate.total_sms,
            "encodings": dict(estimate.encodings),
            "genders": asdict(estimate.genders) | {"odd": {str(value): n for value, n in estimate.genders.odd.items()}},
        },
    }
