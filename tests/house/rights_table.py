"""Who may do what, in docs/access.md, written from app/domain/rights.py.

`python -m tests.house.rights_table` renews it.
"""

import ast

from app.domain.rights import HOLDERS, Right, Role, Scope
from tests.house.readme_tables import plain, put_between, table
from tests.house.sources import ROOT

PAGE = ROOT / "docs" / "access.md"


def renewed(text: str) -> str:
    """The same page with the table as the code has it now."""
    holders = [*Role, *Scope]
    head = ("right", "what it allows", *(f"`{each}`" for each in holders))
    rows = [
        (f"`{right}`", plain(meaning), *("yes" if each in HOLDERS[right] else "" for each in holders))
        for right, meaning in zip(Right, _meanings(), strict=True)
    ]
    return put_between(text, "rights", table(head, rows))


def _meanings() -> list[str]:
    source = ast.parse((ROOT / "app" / "domain" / "rights.py").read_text())
    (rights,) = [each for each in source.body if isinstance(each, ast.ClassDef) and each.name == "Right"]
    told = [each for each in rights.body[1:] if isinstance(each, ast.Expr)]
    return [" ".join(str(ast.literal_eval(each.value)).split()) for each in told]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
