"""Records of a file as rows of an audience, and what is wrong with those that can be none. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice

from app.importing.columns import Columns
from app.importing.people_file import UNREADABLE

HIGHEST_ID = 2**32 - 1
AT_ONCE = 50_000
_LONGEST_NAME, _LONGEST_MOBILE, _LONGEST_OTHER = 64, 20, 255
_WOMEN = ("0", "女", "女士", "女性", "小姐", "F", "FEMALE", "f", "female", "Female", "W")
_MEN = ("1", "男", "男士", "男性", "先生", "M", "MALE", "m", "male", "Male")
_UNKNOWN = ("", "未知", "不详", "NULL", "null", "\\N", "unknown", "Unknown", "客户")
GENDERS = {**dict.fromkeys(_WOMEN, "0"), **dict.fromkeys(_MEN, "1"), **dict.fromkeys(_UNKNOWN, "")}
"""What a file has for a gender, and what the table has then; '' is NULL."""
_SHORTENED = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
"""What a spreadsheet makes of a long number."""

Row = list[str]
"""id, name, gender, mobile, then the others in the order of the file."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is left out; `reason` is a code, and `value` what it is about."""

    line: int
    reason: str
    value: str


@dataclass(slots=True)
class Page:
    """Some records."""

    rows: list[Row] = field(default_factory=list)
    bad: list[Bad] = field(default_factory=list)


class Rows:
    """Makes pages of rows. Where the file has no ids they are given out from `first_id` on."""

    def __init__(self, columns: Columns, first_id: int = 1) -> None:
        self._width = len(columns.names)
        self._next_id = first_id
        self._id, self._gender = columns.place("id"), columns.place("gender")
        name, mobile = columns.place("name"), columns.place("mobile")
        if name is None or mobile is None:
            raise ValueError("a header without these is refused")
        self._name, self._mobile = name, mobile
        self._others = [columns.names.index(each) for each in columns.others]
        self._seen: dict[int, bytearray] = {}
        """A bit for each id, by 65,536 of them."""

    def pages(self, records: Iterable[tuple[int, list[str]]]) -> Iterator[Page]:
        """All of them, some at a time."""
        records = iter(records)
        while some := list(islice(records, AT_ONCE)):
            yield self._page(some)

    def _page(self, records: list[tuple[int, list[str]]]) -> Page:
        page = Page()
        width, name, gender, mobile, others = self._width, self._name, self._gender, self._mobile, self._others
        looks_odd = _looks_odd([fields for _, fields in records])  # to look at each costs as much as all the rest
        for line, fields in records:
            if len(fields) != width:
                page.bad.append(Bad(line, "width", str(len(fields))))
                continue
            its_gender = "" if gender is None else GENDERS.get(fields[gender].strip())
            row = [
                "",
                fields[name].strip(),
                its_gender or "",
                fields[mobile].strip(),
                *[fields[each] for each in others],
            ]
            if its_gender is None:
                page.bad.append(Bad(line, "gender", fields[gender or 0]))
            elif looks_odd and (wrong := _wrong(row)):
                page.bad.append(Bad(line, *wrong))
            elif (number := self._number(fields)) is None:
                page.bad.append(Bad(line, "id", fields[self._id or 0]))
            else:
                row[0] = number
                page.rows.append(row)
        return page

    def _number(self, fields: list[str]) -> str | None:
        """The id, which is noted; None for what is none or was there before."""
        if self._id is None:
            self._next_id += 1
            return str(self._next_id - 1) if self._next_id - 1 <= HIGHEST_ID else None
        text = fields[self._id].strip()
        if not (text.isascii() and text.isdecimal() and 1 <= (number := int(text)) <= HIGHEST_ID):
            return None
        bits = self._seen.get(number >> 16)
        if bits is None:
            bits = self._seen[number >> 16] = bytearray(8192)
        at, bit = (number & 0xFFFF) >> 3, 1 << (number & 7)
        if bits[at] & bit:
            return None
        bits[at] |= bit
        return str(number)


def _looks_odd(records: list[list[str]]) -> bool:
    """Whether anything in them may be what `_wrong` looks for; no, for nearly every page."""
    text = "".join(chain.from_iterable(records))
    longest = max(map(len, chain.from_iterable(records)), default=0)
    return longest > _LONGEST_MOBILE or UNREADABLE in text or not text.isprintable() or "e" in text or "E" in text


def _wrong(row: Row) -> tuple[str, str] | None:
    """What is wrong with it, and the value."""
    text = "".join(row)
    if UNREADABLE in text:
        return "letters", row[1]
    if not text.isprintable() and ("\n" in text or "\r" in text or "\0" in text):
        return "line_break", row[1]
    if len(row[1]) > _LONGEST_NAME or len(row[3]) > _LONGEST_MOBILE:
        return "long", row[1][:_LONGEST_NAME]
    if not row[3].isdecimal() and _SHORTENED.fullmatch(row[3]):
        return "shortened", row[3]
    if len(row) > 4 and max(map(len, row[4:])) > _LONGEST_OTHER:
        return "long", row[1]
    return None
