"""A document and its twin in Chinese: where the two do not say the same, as far as that can be seen by a program."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from tests.house.documents import headings, links, spans, tables
from tests.house.sources import ROOT

CHINESE = sorted([ROOT / "README.zh-CN.md", *(ROOT / "docs" / "zh").glob("*.md")])
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
_COMMENT = re.compile(r"(^|\s+)# .*$", re.M)
_PROMPT = re.compile(r"[\w-]*\$ ")
_PICTURE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_SETTING = re.compile(r"\b(?:SMS|DATABASE)_[A-Z][A-Z_]*\b")
_MOST_HEAD_LINES = 4


class Section(NamedTuple):
    """What stands below one heading, down to the next."""

    level: int
    heading: str
    text: str


def english_of(chinese: Path) -> Path:
    """The document that this one is the twin of."""
    return ROOT / "README.md" if chinese.parent == ROOT else ROOT / "docs" / chinese.name


def differences(english: Path, chinese: Path) -> list[str]:
    """A sentence for each; none where the two hold together."""
    ours, theirs = (_sections(each.read_text("utf-8")) for each in (english, chinese))
    found = [f"{each.name} has no link to {other.name} in its head" for each, other in _unswitched(english, chinese)]
    if [each.level for each in ours] != [each.level for each in theirs]:
        return [*found, *_headings(ours, theirs)]
    for one, other in zip(ours, theirs, strict=True):
        place = f'"{one.heading}" / "{other.heading}"'
        found += [f"{place}: {each}" for each in _of_section(one, english, other, chinese)]
    return found


def _sections(text: str) -> list[Section]:
    found = [("", 0, 0)]
    position = 0
    for level, words in headings(text):
        line = f"{'#' * level} {words}\n"
        position = re.compile(rf"^{re.escape(line)}", re.M).search(text, position).start()  # type: ignore[union-attr]
        found.append((words, level, position))
        position += len(line)
    ends = [each[2] for each in found[1:]] + [len(text)]
    return [Section(level, words, text[at:end]) for (words, level, at), end in zip(found, ends, strict=True)]


def _unswitched(english: Path, chinese: Path) -> Iterator[tuple[Path, Path]]:
    for document, other in ((english, chinese), (chinese, english)):
        head = "\n".join(document.read_text("utf-8").splitlines()[:_MOST_HEAD_LINES])
        if other not in _targets(head, document):
            yield document, other


def _headings(ours: list[Section], theirs: list[Section]) -> Iterator[str]:
    nothing = Section(0, "", "")
    for one, other in zip_longest(ours, theirs, fillvalue=nothing):
        if one.level != other.level:
            shown = [f"{'#' * each.level} {each.heading}" if each.level else "nothing" for each in (one, other)]
            yield f"headings differ from here on: {shown[0]} / {shown[1]}"
            return


def _of_section(one: Section, english: Path, other: Section, chinese: Path) -> Iterator[str]:
    yield from _compared("line of code", _code(one.text), _code(other.text))
    rows, others = _rows(one.text), _rows(other.text)
    is_same = [first for first, _ in rows] == [first for first, _ in others]
    yield from _compared("row", *([first for first, _ in each] for each in (rows, others)))
    if is_same:
        yield from _compared(
            "names in a row", *([f"{first}: {names}" for first, names in each] for each in (rows, others))
        )
    yield from _compared("name", _names(one.text), _names(other.text))
    yield from _compared("link to", *(_linked(each.text, at) for each, at in ((one, english), (other, chinese))))


def _compared(what: str, english: Iterable[str], chinese: Iterable[str]) -> Iterator[str]:
    ours, theirs = Counter(english), Counter(chinese)
    for language, more in (("English", ours - theirs), ("Chinese", theirs - ours)):
        for each in more:
            yield f"only the {language} one has the {what} {each}"


def _code(text: str) -> list[str]:
    """Lines of all blocks without their comments, which are in either language."""
    return [f"{language}: {line}" for language, code in _BLOCK.findall(text) for line in _uncommented(code)]


def _uncommented(code: str) -> Iterator[str]:
    """Of what was typed at a prompt that alone: what came of it is in either language, too."""
    lines = _COMMENT.sub("", code).splitlines()
    typed = [line for line in lines if _PROMPT.match(line)]
    for line in typed or lines:
        if line.strip():
            yield " ".join(line.split())


def _rows(text: str) -> list[tuple[str, str]]:
    """Of each row what its first cell names and what the others do, as far as that is in neither language."""
    rows = [(number, row) for number, table in enumerate(tables(text), 1) for row in table.rows]
    return [(f"{_quoted(row[0])} of table {number}", " | ".join(map(_quoted, row[1:]))) for number, row in rows]


def _quoted(cell: str) -> str:
    return " ".join(f"`{each}`" for each in sorted(spans(cell)))


def _names(text: str) -> set[str]:
    """Whatever stands between backticks, and settings wherever they stand."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    return {*(f"`{each}`" for each in spans(text)), *_SETTING.findall(text)}


def _linked(text: str, document: Path) -> set[str]:
    """Where links lead, but from one twin to the other."""
    return {_one(each) for each in _targets(text, document)} - {_one(document)}


def _targets(text: str, document: Path) -> set[Path]:
    found = (link.partition("#")[0] for link in links(_PICTURE.sub("", text)) if "://" not in link)
    return {(document.parent / each).resolve() for each in found if each}


def _one(path: Path) -> str:
    """A document and its twin are one."""
    return str((english_of(path) if path in CHINESE else path).relative_to(ROOT))
