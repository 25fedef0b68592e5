"""A file of ids: each once, in order, whoever wrote it; a line that is none is named."""

import random
import tracemalloc

import pytest

from app.domain.choice import HIGHEST_ID
from app.errors import FileUnusable
from app.importing.ids_file import read_ids


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "ids.txt"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize(
    "content",
    [b"3\n1\n2\n", b"3\r\n1\r\n2\r\n", b"\xef\xbb\xbf3\n1\n2", b" 3\n\n1 \n2\n\n", b"3\n1\n2\n3\n1\n", b"003\n1\n2"],
    ids=["plain", "of Windows", "with a mark", "with blanks", "twice", "with zeros"],
)
def test_ids_are_read_in_order_each_once(written, content):
    assert list(read_ids(written(content))) == [1, 2, 3]


def test_the_lowest_and_the_highest_id_can_be_given(written):
    assert list(read_ids(written(f"{HIGHEST_ID}\n1\n".encode()))) == [1, HIGHEST_ID]


@pytest.mark.parametrize(
    "line",
    [b"0", b"-1", b"x", b"1,2", b"1.0", f"{HIGHEST_ID + 1}".encode(), "１".encode(), b"1" * 200, b" " * 200, b"\0"],
)
def test_a_line_that_is_no_id_is_refused_with_its_number(written, line):
    with pytest.raises(FileUnusable) as told:
        read_ids(written(b"5\n\n6\n" + line + b"\n7\n"))

    assert told.value.sentence.facts["line"] == 4


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_a_file_without_ids_is_refused(written, content):
    with pytest.raises(FileUnusable, match=r"ids\.none"):
        read_ids(written(content))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(FileUnusable, match="file_unusable"):
        read_ids(tmp_path)


def test_a_million_ids_take_some_megabytes(written):
    ids = list(range(1, 1_000_001))
    random.Random(1).shuffle(ids)
    path = written("\n".join(map(str, ids)).encode())
    del ids
    tracemalloc.start()

    found = read_ids(path)

    assert (len(found), found[0], found[-1]) == (1_000_000, 1, 1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 32 * 2**20
    tracemalloc.stop()
