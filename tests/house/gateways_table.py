"""The fields of an account in docs/sending.md, written from app/gateways/accounts.py.

`python -m tests.house.gateways_table` renews them.
"""

import ast

from app.gateways.accounts import SmppAccount
from tests.house.readme_tables import plain, put_between, table
from tests.house.sources import ROOT

SENDING = ROOT / "docs" / "sending.md"
EXAMPLE = ROOT / "gateways.example.toml"


def gateways_table() -> str:
    """Name, default and meaning of every field."""
    source = ast.parse((ROOT / "app" / "gateways" / "accounts.py").read_text())
    (account,) = [each for each in source.body if isinstance(each, ast.ClassDef) and each.name == "SmppAccount"]
    meanings = {
        ast.unparse(given.target): " ".join(str(ast.literal_eval(told.value)).split())
        for given, told in zip(account.body, account.body[1:], strict=False)
        if isinstance(given, ast.AnnAssign) and isinstance(told, ast.Expr)
    }
    meanings["kind"] = "`smpp`: the only kind there is."
    rows = []
    for name, field in SmppAccount.model_fields.items():
        default = "must be given" if field.is_required() else _shown(field.default)
        rows.append((f"`{name}`", default, plain(meanings[name])))
    return table(("field", "default", "meaning"), rows)


def _shown(default: object) -> str:
    if default is None or default == "":
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def renewed(text: str) -> str:
    """The same page with the table as the code has it now."""
    return put_between(text, "gateways", gateways_table())


if __name__ == "__main__":
    SENDING.write_text(renewed(SENDING.read_text()))
