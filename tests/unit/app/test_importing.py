"""A file of people as it is read: its columns, its letters, its genders, and its bad lines with their reasons."""

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import FileUnusable
from app.importing.columns import read_header
from app.importing.people_file import Part, PeopleFile
from app.importing.rows import Rows
from app.importing.seen_ids import SeenIds

TEXT = "编号,姓名,性别,手机号\n7,张伟,男,13800000007\n9,李娜,女士,13800000009\n"
ROWS = [("7", "张伟", "1", "13800000007"), ("9", "李娜", "0", "13800000009")]
GB_MARK = b"\x84\x31\x95\x33"


def read(path: Path, content: bytes):
    path.write_bytes(content)
    with PeopleFile(path) as people:
        (page,) = Rows(people.columns).pages(people.parts())
        return people, page


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (codecs.BOM_UTF8 + TEXT.encode(), "utf-8"),
        (TEXT.encode("gb18030"), "gb18030"),
        (GB_MARK + TEXT.encode("gb18030"), "gb18030"),
        (TEXT.replace(",", "\t").replace("\n", "\r\n").encode(), "utf-8"),
    ],
)
def test_a_file_says_the_same_however_it_is_written(tmp_path, content, encoding):
    people, page = read(tmp_path / "people.csv", content)

    assert (people.encoding, page.rows, page.bad) == (encoding, ROWS, [])


def test_a_broken_letter_is_a_bad_line_and_no_reason_to_take_the_file_for_another_code(tmp_path):
    people, page = read(tmp_path / "a.csv", TEXT.encode() + "8,王".encode()[:-1] + "芳,女,13800000008\n".encode())

    assert people.encoding == "utf-8"
    assert page.rows == ROWS
    assert [(each.line, each.reason) for each in page.bad] == [(4, "letters")]


def test_a_file_in_utf_16_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(FileUnusable, match=r"import\.utf_16"):
        read(tmp_path / "a.csv", TEXT.encode("utf-16"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,张伟,男", "width"),
        ("1,张伟,男,13800000001,x", "width"),
        ("1,张伟,XX,13800000001", "gender"),
        ("1,张伟,2,13800000001", "gender"),
        ("0,张伟,男,13800000001", "id"),
        ("4294967296,张伟,男,13800000001", "id"),
        ("a,张伟,男,13800000001", "id"),
        ("7,张伟,男,13800000001", "id"),
        ("1,张伟,男,1.38E+10", "shortened"),
        (f"1,{'名' * 65},男,13800000001", "long"),
        ('1,"张\n伟",男,13800000001', "line_break"),
    ],
)
def test_a_bad_line_is_left_out_with_its_number_and_reason(tmp_path, line, reason):
    _, page = read(tmp_path / "a.csv", f"{TEXT}{line}\n5,后来,,13800000005\n".encode())

    assert page.rows == [*ROWS, ("5", "后来", "", "13800000005")]
    assert [(each.line, each.reason) for each in page.bad] == [(3 + line.count("\n") + 1, reason)]


@pytest.mark.parametrize(
    ("gender", "stored"),
    [("男", "1"), ("M", "1"), ("先生", "1"), ("1", "1"), ("女", "0"), ("F", "0"), ("女士", "0"), ("0", "0"), ("", "")],
)
def test_a_gender_is_what_people_write_for_it(tmp_path, gender, stored):
    _, page = read(tmp_path / "a.csv", f"name,sex,phone\n张伟,{gender},13800000001\n".encode())

    assert page.rows == [("1", "张伟", stored, "13800000001")]


def test_without_ids_they_are_given_out_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("姓名,手机\n张伟,1\n,2\n\n李娜,3\n", encoding="utf-8")

    with PeopleFile(path) as people:
        (page,) = Rows(people.columns, first_id=100).pages(people.parts())

    assert [row[0] for row in page.rows] == ["100", "101", "102"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("name,gender", "no_column"),
        ("phone,gender", "no_column"),
        ("", "no_column"),
        ("name,mobile,手机", "column_twice"),
        ("name,mobile,City,city", "column_twice"),
        ("name,mobile,1st", "bad_column"),
        ("name,mobile,created_at", "bad_column"),
        ("name,mobile,", "bad_column"),
        ("name,mobile," + ",".join(f"c{number}" for number in range(60)), "many_columns"),
    ],
)
def test_a_header_that_makes_no_table_is_refused(header, code):
    with pytest.raises(FileUnusable, match=rf"import\.{code}"):
        read_header("a.csv", header.split(","))


def test_names_of_columns_are_mapped_and_others_kept():
    columns = read_header("a.csv", ["Customer ID", " 姓名 ", "Mobile-Number", "积分 (余额)", "城市"])

    assert columns.names == ("id", "name", "mobile", "积分_余额", "城市")
    assert columns.others == ["积分_余额", "城市"]


LINES = st.lists(
    st.tuples(
        st.sampled_from(["1", " 2", "3 ", "004", "5", "0", "-1", "x", "", "4294967295", "4294967296", "９"]),
        st.sampled_from(["张伟", " 李娜 ", "", "Eve", "名" * 65, "a\nb", "王\ufffd", "x" * 20]),
        st.sampled_from(["男", " F ", "", "XX"]),
        st.sampled_from(["13800000001", "1.38E+10", " 1 ", "1" * 21, ""]),
        st.sampled_from(["", "上海", "e" * 255, "e" * 256]),
    ),
    max_size=12,
)


@given(LINES, st.booleans())
def test_a_page_of_good_lines_is_made_at_once_as_each_of_them_would_be(lines, has_ids):
    header = ["id", "name", "gender", "mobile", "city"] if has_ids else ["code", "name", "gender", "mobile", "city"]
    columns = read_header("a.csv", header)
    records = [list(line) for line in lines]
    breaks = [sum(each.count("\n") for each in line) for line in lines]

    together = list(Rows(columns).pages([Part(records, 1, len(records) + sum(breaks))]))
    alone = Rows(columns)
    parts = [Part([each], 1 + at + sum(breaks[:at]), 1 + breaks[at]) for at, each in enumerate(records)]
    one_by_one = list(alone.pages(parts))

    assert [row for page in together for row in page.rows] == [row for page in one_by_one for row in page.rows]
    assert [bad for page in together for bad in page.bad] == [bad for page in one_by_one for bad in page.bad]


def test_ids_that_were_there_are_known_however_they_came():
    seen = SeenIds()

    assert seen.add_all([7, 70_000, 3, 2**32 - 1])
    assert not seen.add(70_000)
    assert seen.add(8)
    assert not seen.add_all([9, 8])
    assert not seen.add_all([10, 10])
    assert seen.add_all([9, 10, 0, 65_535, 65_536])


def test_a_page_with_one_bad_line_keeps_the_others(tmp_path):
    lines = "".join(f"{number},张伟,男,138{number:08}\n" for number in range(100, 200))

    _, page = read(tmp_path / "a.csv", f"{TEXT}{lines}100,again,男,1\n{lines.replace('1', '3', 1)}".encode())

    assert len(page.rows) == 2 + 100 + 1
    assert {each.reason for each in page.bad} == {"id"}


def test_lines_are_counted_as_an_editor_shows_them(tmp_path):
    text = 'name,mobile\n\n张伟,1\r\n\r\n"a\r\nb",2\n"c\nd\re",3\n李娜\n\n'

    _, page = read(tmp_path / "a.csv", text.encode())

    assert [(each.line, each.reason) for each in page.bad] == [(6, "line_break"), (9, "line_break"), (10, "width")]
    assert [row[1] for row in page.rows] == ["张伟"]


def test_parts_are_numbered_over_all_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,mobile\n" + "张伟,1\n" * 5 + "王芳\n" + "张伟,1\n" * 2, encoding="utf-8")

    with PeopleFile(path) as people:
        pages = list(Rows(people.columns).pages(people.parts(2)))

    assert [len(page.rows) for page in pages] == [2, 2, 1, 2]
    assert [each.line for page in pages for each in page.bad] == [7]
