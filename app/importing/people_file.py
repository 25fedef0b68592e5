"""A file of people as spreadsheets write it: CSV or TSV, in UTF-8 or GB18030, with or without a byte order mark."""

import codecs
import csv
import re
from collections.abc import Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from app.errors import FileUnusable
from app.importing.columns import Columns, read_header

_MARKS = {codecs.BOM_UTF8: "utf-8", b"\x84\x31\x95\x33": "gb18030"}
_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PIECE_BYTES = 1 << 20
AT_ONCE = 5_000
"""Records that are looked at together: so many stay in a processor's cache, and 50,000 take twice as long each."""
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
UNREADABLE = "\ufffd"
"""What stands for bytes that are no letter."""


class Part(NamedTuple):
    """Records in a row, empty ones for empty lines, and how many lines come before them and are theirs."""

    records: list[list[str]]
    lines_before: int
    lines: int

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Those that are not empty, each with the number of its last line."""
        number = self.lines_before
        has_breaks = self.lines != len(self.records)
        for fields in self.records:
            number += 1
            if has_breaks:
                number += sum(len(_LINE_BREAK.findall(each)) for each in fields)
            if fields:
                yield number, fields


class PeopleFile:
    """Raises FileUnusable for a file that cannot be read, and one without the columns that there must be."""

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self.path = path
        try:
            self._bytes: BinaryIO = path.open("rb")
            self.size = path.stat().st_size
            head = self._bytes.read(4)
            mark = next((each for each in _MARKS if head.startswith(each)), b"")
            if head.startswith(_OTHER_MARKS):
                raise FileUnusable("import.utf_16", path=path)
            self.encoding = encoding or _MARKS.get(mark) or _guess(self._bytes)
            self._bytes.seek(len(mark))
            first = self._bytes.readline().decode(self.encoding, "replace")
            self._bytes.seek(len(mark))
        except OSError as error:
            raise FileUnusable("file_unusable", path=path, why=error.strerror or error) from error
        self.delimiter = "\t" if "\t" in first else ","
        text = TextIOWrapper(self._bytes, self.encoding, "replace", newline="")
        self._reader = csv.reader(text, delimiter=self.delimiter)
        self.columns: Columns = read_header(path, next(self._reader, []))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._bytes.close()

    @property
    def read_bytes(self) -> int:
        """How much of it is read, some KB more than `records` gave."""
        return self._bytes.tell()

    def parts(self, at_once: int = AT_ONCE) -> Iterator[Part]:
        """What stands below the header, some records at a time. Raises FileUnusable."""
        reader = self._reader
        try:
            before = reader.line_num
            while records := list(islice(reader, at_once)):
                yield Part(records, before, reader.line_num - before)
                before = reader.line_num
        except csv.Error as error:
            raise FileUnusable("import.bad_csv", path=self.path, line=reader.line_num, why=error) from error
        except OSError as error:
            raise FileUnusable("file_unusable", path=self.path, why=error.strerror or error) from error


def _guess(file: BinaryIO) -> str:
    """UTF-8 where most of what is no ASCII is that: a few broken letters are no reason to take all for Chinese ones
    of another code."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    right = wrong = 0
    while piece := file.read(_PIECE_BYTES):
        text = decoder.decode(piece)
        found = text.count(UNREADABLE)
        wrong += found
        right += (len(text.encode()) - len(text)) // 2 - found  # of a Chinese letter, two bytes are more than one
    return "utf-8" if right >= 4 * wrong else "gb18030"
