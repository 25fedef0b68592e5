"""Templates: how what was seen becomes HTML, in a language."""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.config import Language
from app.web.chart import Chart, clock, svg
from app.web.languages import LANGUAGES, catalogue_in
from app.web.static_files import address_of
from app.wording import duration

FOLDER = Path(__file__).with_name("templates")
LINKS = (
    ("/", "page.campaigns", "see"),
    ("/new", "new.title", "start"),
    ("/people", "page.people", "see"),
    ("/system", "page.system", "see"),
    ("/audit", "audit.title", "audit"),
    ("/accounts", "accounts.title", "manage"),
)
"""What stands above every page: its path, its words, and the right to it."""
LANGUAGE_NAMES = {"en": "English", "zh": "中文"}


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "count": lambda number: f"{number:,}",
        "share": lambda part: f"{part:.1%}",
        "duration": duration,
        "moment": moment,
        "at_ms": lambda unix_ms: moment(datetime.fromtimestamp(unix_ms / 1000, UTC)),
        "clock": clock,
        "clock_ms": lambda unix_ms: f"{datetime.fromtimestamp(unix_ms / 1000, UTC):%H:%M:%S}",
        "path": lambda text: quote(text, safe=""),
        "svg": lambda chart: Markup(svg(chart)) if isinstance(chart, Chart) else "",  # noqa: S704  made of numbers
    }
    made.globals |= {"address_of": address_of, "links": LINKS}
    return made


def moment(at: datetime) -> str:
    """As people read it; in UTC, and saying so."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def render(template: str, language: Language, **context: object) -> str:
    """The template with this, which is escaped."""
    catalogue = catalogue_in(language)
    words = {"say": catalogue.say, "word": catalogue.word, "language": language, "languages": _others(language)}
    return _environment().get_template(template).render(**words, **context)


def _others(language: Language) -> dict[str, str]:
    """Languages that one may change to, by their names in themselves."""
    return {each: LANGUAGE_NAMES[each] for each in LANGUAGES if each != language}
