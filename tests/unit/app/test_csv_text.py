"""CSV that spreadsheets show as it is."""

import csv
import io

import pytest

from app.domain import csv_text


def read(text):
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "cell", ["plain", "a,b", 'say "no"', "two\r\nlines", "a\nb", "", " blank ", "王芳", "138****0001", "'quoted"]
)
def test_a_cell_is_read_back_as_it_was(cell):
    assert read(csv_text.lines([[cell, "next"]])) == [[cell, "next"]]


@pytest.mark.parametrize(
    "cell",
    [
        *("=1+1", "+86", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0"),
        *("\uff1d1+1", "\uff0b86", "\uff0d1", "\uff20SUM(A1)"),
    ],
)
def test_a_text_that_would_be_calculated_begins_with_an_apostrophe(cell):
    assert read(csv_text.lines([[cell]])) == [[f"'{cell}"]]


def test_figures_stay_figures():
    assert csv_text.lines([[-1, 2.5, None, True]]) == "-1,2.5,,True\r\n"
