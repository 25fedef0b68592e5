"""Records of a file as rows of an audience, and what is wrong with those that can be none. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from app.importing.columns import Columns
from app.importing.people_file import UNREADABLE, Part
from app.importing.seen_ids import SeenIds

HIGHEST_ID = 2**32 - 1
_LONGEST_NAME, _LONGEST_MOBILE, _LONGEST_OTHER = 64, 20, 255
_LONGEST_ID, _FEW_DIGITS = 1_000, 18
"""Digits that Python takes for a number without asking how many there are, most of them zeros; and that fit 64 bits."""
_WOMEN = ("0", "女", "女士", "女性", "小姐", "F", "FEMALE", "f", "female", "Female", "W")
_MEN = ("1", "男", "男士", "男性", "先生", "M", "MALE", "m", "male", "Male")
_UNKNOWN = ("", "未知", "不详", "NULL", "null", "\\N", "unknown", "Unknown", "客户")
GENDERS = {**dict.fromkeys(_WOMEN, "0"), **dict.fromkeys(_MEN, "1"), **dict.fromkeys(_UNKNOWN, "")}
"""What a file has for a gender, and what the table has then; '' is NULL."""
_SHORTENED = re.compile(r"\d(\.\d+)?[eE]\+?\d+")
"""What a spreadsheet makes of a long number."""

Row = Sequence[str]
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
        self._seen = SeenIds()

    def pages(self, parts: Iterable[Part]) -> Iterator[Page]:
        """A page for each part of a file."""
        for part in parts:
            rows = self._all(part.records)
            yield Page(rows) if rows is not None else self._one_by_one(part.numbered())

    def _all(self, records: list[list[str]]) -> list[Row] | None:
        """The rows of these, column by column; None where one of them may be bad, and then nothing is noted. To look at
        each costs three times as much."""
        if set(map(len, records)) != {self._width}:
            return None
        columns = list(zip(*records, strict=True))
        names, mobiles = (list(map(str.strip, columns[each])) for each in (self._name, self._mobile))
        others = [columns[each] for each in self._others]
        genders: list[str | None] = [""] * len(records)
        if self._gender is not None:
            genders = list(map(GENDERS.get, map(str.strip, columns[self._gender])))
        if None in genders or any(map(_has_odd_letters, columns)) or _is_shortened("".join(mobiles)):
            return None
        if _longest(names) > _LONGEST_NAME or _longest(mobiles) > _LONGEST_MOBILE:
            return None
        if any(_longest(each) > _LONGEST_OTHER for each in others):
            return None
        numbers = self._numbers(len(records), () if self._id is None else columns[self._id])
        return None if numbers is None else list(zip(numbers, names, genders, mobiles, *others, strict=True))

    def _numbers(self, count: int, texts: Sequence[str]) -> Iterable[str] | None:
        """So many ids, which are noted; None, and nothing is noted, where one is none or was there before."""
        if self._id is None:
            first = self._next_id
            if first + count - 1 > HIGHEST_ID:
                return None
            self._next_id += count
            return map(str, range(first, first + count))
        texts = list(map(str.strip, texts))
        text = "".join(texts)
        if not (text.isascii() and text.isdecimal() and all(texts)) or _longest(texts) > _FEW_DIGITS:
            return None
        numbers = np.array(list(map(int, texts)), np.uint64)
        if numbers.min() < 1 or numbers.max() > HIGHEST_ID or not self._seen.add_all(numbers):
            return None
        return texts if min(texts) >= "1" else map(str, numbers.tolist())  # of some of them zeros come first

    def _one_by_one(self, records: Iterable[tuple[int, list[str]]]) -> Page:
        page = Page()
        width, name, gender, mobile, others = self._width, self._name, self._gender, self._mobile, self._others
        for line, fields in records:
            if len(fields) != width:
                page.bad.append(Bad(line, "width", str(len(fields))))
                continue
            its_gender = "" if gender is None else GENDERS.get(fields[gender].strip())
            row = ("", fields[name].strip(), its_gender or "", fields[mobile].strip(), *[fields[at] for at in others])
            if its_gender is None:
                page.bad.append(Bad(line, "gender", fields[gender or 0]))
            elif wrong := _wrong(row):
                page.bad.append(Bad(line, *wrong))
            elif (number := self._number(fields)) is None:
                page.bad.append(Bad(line, "id", fields[self._id or 0]))
            else:
                page.rows.append((number, *row[1:]))
        return page

    def _number(self, fields: list[str]) -> str | None:
        """The id, which is noted; None for what is none or was there before."""
        if self._id is None:
            self._next_id += 1
            return str(self._next_id - 1) if self._next_id - 1 <= HIGHEST_ID else None
        text = fields[self._id].strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID):
            return None
        number = int(text)
        return str(number) if 1 <= number <= HIGHEST_ID and self._seen.add(number) else None


def _longest(texts: Iterable[str]) -> int:
    return max(map(len, texts), default=0)


def _has_odd_letters(texts: Iterable[str]) -> bool:
    text = "".join(texts)
    return UNREADABLE in text or "\n" in text or "\r" in text or "\0" in text


def _is_shortened(text: str) -> bool:
    """Whether some number in it may be; no, for nearly every page."""
    return "e" in text or "E" in text


def _wrong(row: Row) -> tuple[str, str] | None:
    """What is wrong with it, and the value."""
    text = "".join(row)
    if _has_odd_letters(row):
        return "letters" if UNREADABLE in text else "line_break", row[1]
    if len(row[1]) > _LONGEST_NAME or len(row[3]) > _LONGEST_MOBILE:
        return "long", row[1][:_LONGEST_NAME]
    if not row[3].isdecimal() and _SHORTENED.fullmatch(row[3]):
        return "shortened", row[3]
    if len(row) > 4 and max(map(len, row[4:])) > _LONGEST_OTHER:
        return "long", row[1]
    return None
