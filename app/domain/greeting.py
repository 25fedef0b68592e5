"""What a message says. A template is checked once, then filled in for whole pages of customers. Pure."""

import re
import string
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from typing import Any, NamedTuple

from app.domain.people import People
from app.domain.suggestion import closest
from app.errors import BadRequest, UnknownPlaceholder

DEFAULT_TEMPLATE = "尊敬的手机号为{mobile}的{name}_{honorific}_你好，然后xxxxxx省...."
MAX_TEMPLATE_CHARACTERS = 2_000
"""Some thirty SMS; MySQL's TEXT would take 65,535 bytes, and a page of such messages is 20 million characters."""

_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")
_AROUND = 8
"""Characters on each side of a brace that is shown."""

MAN, WOMAN, UNKNOWN = "先生", "女士", "客户"
_BY_GENDER: dict[int | None, str] = {0: WOMAN, None: UNKNOWN}

_LINE_BREAK = re.compile("\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
"""Everything that `str.splitlines` takes for the end of a line. Source: The Python Standard Library, Text Sequence
Type."""


def honorific(gender: int | None) -> str:
    """How a customer of this gender is addressed."""
    return _BY_GENDER.get(gender, MAN)


class Placeholder(NamedTuple):
    """What a template shows of each customer."""

    column: int
    """A place in `People.columns`."""
    show: Callable[[Any], str] | None = None
    """What becomes of each value, called once for those that are equal; without it they are shown as they are."""
    meaning: str = ""
    """For those who write templates."""


_MOBILE, _NAME, _GENDER = 1, 2, 3
_EXTRA = 4
"""Where the template's own columns begin in `People.columns`."""

PLACEHOLDERS = {
    "mobile": Placeholder(_MOBILE, None, "the mobile, 11 digits"),
    "name": Placeholder(_NAME, None, "the name"),
    "honorific": Placeholder(_GENDER, honorific, f"{MAN}, {WOMAN}, or {UNKNOWN} where the gender is not known"),
}
"""Those that every template knows; columns of the table come after them. Whoever adds one does it here: the commands'
help, what a refusal lists and, by `python -m tests.house.app_settings`, docs/templates.md take them from here."""

_NAME_OF = {each.column: name for name, each in PLACEHOLDERS.items()}


@dataclass(frozen=True, slots=True)
class Template:
    """A checked template: literal text with a field between each two pieces of it."""

    columns: tuple[str, ...]
    """Columns of the table that it shows besides mobile and name; a customer's values come in this order."""
    _literals: tuple[str, ...]
    _fields: tuple[Placeholder, ...]
    """What stands behind each literal but the last."""

    def fill(self, people: People) -> str:
        """Their messages, a line each.

        A line break of any kind in a value becomes a space, so that one message is one line.
        """
        if not people:
            return ""
        # Whole columns are joined by the interpreter's own loops: in two thirds of the time that a % for each takes.
        # The fewer pieces the better, so what is made of a value comes with the text around it.
        parts: list[Iterable[str]] = []
        before, *literals = self._literals
        for literal, field in zip(literals, self._fields, strict=True):
            values = people.columns[field.column]
            if field.show:
                parts.append(_shown(values, field.show, before, literal))
                before = ""
            else:
                parts += [repeat(before, len(people)), _in_one_line(values)]
                before = literal
        parts.append(repeat(before, len(people)))
        return "".join(chain.from_iterable(zip(*parts, strict=True)))

    @property
    def names(self) -> tuple[str, ...]:
        """Its placeholders, each once, in the order in which they come."""
        of_column = {_EXTRA + place: name for place, name in enumerate(self.columns)}
        names = [of_column.get(each.column) or _NAME_OF[each.column] for each in self._fields]
        return tuple(dict.fromkeys(names))

    def values(self, people: People, name: str) -> Sequence[str]:
        """What it shows for each of them in the place of this placeholder, which is one of its own."""
        field = PLACEHOLDERS.get(name) or Placeholder(_EXTRA + self.columns.index(name))
        column = people.columns[field.column]
        return _in_one_line([field.show(value) for value in column] if field.show else column)

    @property
    def shows_mobile(self) -> bool:
        """Whether a message tells whom it went to."""
        return any(each.column == _MOBILE and not each.show for each in self._fields)

    def addressee(self, line: bytes) -> bytes | None:
        """The mobile in a message of this template, whatever else is filled in; where it shows none the whole message.
        None for a line that is no message of it."""
        found = _pattern(self._literals, self._fields).fullmatch(line)
        return found and found.group(found.lastindex or 0)


@lru_cache(maxsize=16)
def _pattern(literals: tuple[str, ...], fields: tuple[Placeholder, ...]) -> re.Pattern[bytes]:
    pieces = [re.escape(literals[0].encode())]
    has_mobile = False
    for field, literal in zip(fields, literals[1:], strict=True):
        is_mobile = field.column == _MOBILE and not field.show
        is_first_mobile = is_mobile and not has_mobile
        has_mobile |= is_mobile
        pieces += [rb"(1[0-9]{10})" if is_first_mobile else rb"[^\n]*?", re.escape(literal.encode())]
    return re.compile(b"".join(pieces))


def compile_template(template: str, known_columns: Collection[str] | None = ()) -> Template:
    """Check a template and take it apart.

    PLACEHOLDERS and columns of the table are filled in; `{{` and `}}` are braces; nothing else has a meaning.
    `known_columns`: what the table has; None takes any name for a column, as for a template that was checked before.
    Raises UnknownPlaceholder, and BadRequest for the rest, such as a line break or a control character (Unicode's
    category Cc).
    """
    if len(template) > MAX_TEMPLATE_CHARACTERS:
        raise BadRequest("bad_template.too_long", most=MAX_TEMPLATE_CHARACTERS)
    if any(letter in template for letter in "\n\r\u2028\u2029"):
        raise BadRequest("bad_template.line_break")
    if any(unicodedata.category(letter) == "Cc" for letter in template):
        raise BadRequest("bad_template.control")
    if any("\ud800" <= letter <= "\udfff" for letter in template):  # JSON may hold half a pair, UTF-8 may not
        raise BadRequest("bad_template.no_unicode")
    if not template.strip():
        raise BadRequest("bad_template.empty")
    literals, names = _parse(template + "\n")
    columns = tuple(dict.fromkeys(name for name in names if name not in PLACEHOLDERS))
    for name in columns:
        if not is_placeholder(name) or (known_columns is not None and name not in known_columns):
            known = dict.fromkeys([*PLACEHOLDERS, *(known_columns or ())])
            raise UnknownPlaceholder(name, known, closest(name, known))
    fields = PLACEHOLDERS | {name: Placeholder(_EXTRA + index) for index, name in enumerate(columns)}
    return Template(columns, literals, tuple(fields[name] for name in names))


def is_placeholder(column: str) -> bool:
    """Whether a column can be named in a template: letters of any script, digits and `_`, no digit first."""
    return re.fullmatch(r"[^\W\d]\w*", column) is not None


def _parse(template: str) -> tuple[tuple[str, ...], list[str]]:
    """Literal pieces and the names between them; there is one piece more than there are names."""
    literals, names = [""], []
    try:
        for literal, name, spec, conversion in string.Formatter().parse(template):
            literals[-1] += literal
            if name is None:
                continue
            marks = f"{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}"
            names.append(f"{name}{marks}")
            literals.append("")
    except ValueError:  # a single brace
        raise _what_braces(template) from None
    return tuple(literals), names


def _what_braces(template: str) -> BadRequest:
    """What is wrong with them: the first one without its other half is shown, with what stands next to it."""
    if (at := next((each.start() for each in _BRACES.finditer(template) if len(each[0]) == 1), None)) is None:
        return BadRequest("bad_template.braces")
    return BadRequest("bad_template.single_brace", around=template[max(0, at - _AROUND) : at + 1 + _AROUND].strip())


def _shown(values: Sequence[Any], show: Callable[[Any], str], before: str, after: str) -> Iterable[str]:
    shown = {value: f"{before}{_LINE_BREAK.sub(' ', show(value))}{after}" for value in set(values)}
    return map(shown.__getitem__, values)


def _in_one_line(values: Sequence[str]) -> Sequence[str]:
    joined = "\0".join(values)
    if joined.splitlines() in ([joined], []):
        return values
    return [_LINE_BREAK.sub(" ", value) for value in values]
