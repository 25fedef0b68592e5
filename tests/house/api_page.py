"""The operations of the API, in docs/api.md, written from the document that it serves.

`python -m tests.house.api_page` renews them.
"""

import sqlalchemy as sa

from app.config import Config
from app.web.api.gate import PREFIX
from app.web.api.routes import document_of
from app.web.application import make_application
from tests.house.readme_tables import put_between, table
from tests.house.sources import ROOT

PAGE = ROOT / "docs" / "api.md"


def renewed(text: str) -> str:
    """The same page with the operations as the code has them now."""
    document = document_of(make_application(Config(), sa.create_engine("sqlite://")))
    rows = [
        (f"`{method.upper()} {_shown(path, each)}`", f"`{_scope(each)}`", _cell(each["description"]))
        for path, of in document["paths"].items()
        for method, each in of.items()
    ]
    return put_between(text, "operations", table(("operation", "scope", "what it does"), rows))


def _shown(path: str, operation: dict) -> str:  # type: ignore[type-arg]
    asked = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    return path.removeprefix(PREFIX) + (f"?{'&'.join(f'{each}=' for each in asked)}" if asked else "")


def _scope(operation: dict) -> str:  # type: ignore[type-arg]
    ((scope,),) = (each["token"] for each in operation["security"])
    return str(scope)


def _cell(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
