"""What docs/ say of placeholders and of reasons for a reject, written from the code."""

import ast

from app.domain.greeting import PLACEHOLDERS
from app.domain.reject import Reason
from app.store.tables import customers
from tests.house.readme_tables import plain, table
from tests.house.sources import ROOT


def placeholders_table() -> str:
    """What a template may name."""
    rows = [(f"`{{{name}}}`", each.meaning) for name, each in PLACEHOLDERS.items()]
    others = [each.name for each in customers.columns if each.name not in PLACEHOLDERS]
    columns = " ".join(f"`{{{name}}}`" for name in others)
    return table(("placeholder", "is"), [*rows, (columns, "what stands in the column of that name")])


def reasons_table() -> str:
    """Why somebody is not greeted, in the order in which reasons count."""
    source = ast.parse((ROOT / "app" / "domain" / "reject.py").read_text())
    (reasons,) = [each for each in source.body if isinstance(each, ast.ClassDef) and each.name == "Reason"]
    told = [each for each in reasons.body[1:] if isinstance(each, ast.Expr)]
    meanings = [" ".join(str(ast.literal_eval(each.value)).split()) for each in told]
    rows = [(f"`{reason}`", plain(meaning)) for reason, meaning in zip(Reason, meanings, strict=True)]
    return table(("reason", "when"), rows)
