"""The fields of accounts in docs/gateways.md and docs/templates.md, written from the models in app/gateways/.

`python -m tests.house.gateways_table` renews them.
"""

import ast
import inspect
from pathlib import Path

from pydantic import BaseModel

from app.gateways.accounts import KINDS
from app.gateways.approved import ApprovedTemplate
from app.gateways.cloud_account import CloudAccount
from tests.house.readme_tables import plain, put_between, table
from tests.house.sources import ROOT

GATEWAYS = ROOT / "docs" / "gateways.md"
TEMPLATES_PAGE = ROOT / "docs" / "templates.md"
EXAMPLE = ROOT / "gateways.example.toml"
COMMON = "every cloud provider"
TEMPLATES = "templates"


def gateways_table(kind: str) -> str:
    """Name, default and meaning of every field; of a cloud provider, those that are not as every provider's are. With
    COMMON those; with TEMPLATES those of an approved template."""
    model = {COMMON: CloudAccount, TEMPLATES: ApprovedTemplate}.get(kind) or KINDS[kind]
    common = _all_meanings(CloudAccount)
    is_cloud = issubclass(model, CloudAccount)
    meanings = _all_meanings(model)
    rows = []
    for name, field in model.model_fields.items():
        if name == "kind":
            if kind != COMMON:
                rows.append((f"`{name}`", "must be given", f"`{kind}`"))
            continue
        if is_cloud and kind != COMMON and common.get(name) == meanings[name]:
            continue
        default = "must be given" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        rows.append((f"`{name}`", default, plain(meanings[name])))
    return table(("field", "default", "meaning"), rows)


def _all_meanings(model: type) -> dict[str, str]:
    return {name: said for each in reversed(model.__mro__[:-2]) for name, said in _meanings(each).items()}


def _meanings(model: type) -> dict[str, str]:
    if model is BaseModel:
        return {}
    (found,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(found, ast.ClassDef)
    return {
        ast.unparse(given.target): " ".join(str(ast.literal_eval(told.value)).split())
        for given, told in zip(found.body, found.body[1:], strict=False)
        if isinstance(given, ast.AnnAssign) and isinstance(told, ast.Expr)
    }


def _shown(default: object) -> str:
    if default is None or default in ("", {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def renewed(path: Path) -> str:
    """The same page with the tables as the code has them now."""
    text = path.read_text()
    for kind in (TEMPLATES,) if path == TEMPLATES_PAGE else (COMMON, *KINDS):
        text = put_between(text, kind, gateways_table(kind))
    return text


if __name__ == "__main__":
    for page in (GATEWAYS, TEMPLATES_PAGE):
        page.write_text(renewed(page))
