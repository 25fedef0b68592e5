"""engine/ipc/file_notes.py: of the files of a process that is gone, those stay that somebody was told of."""

from pathlib import Path

import pytest

from engine.ipc.board import Board, Cell
from engine.ipc.file_notes import begin_files, discard_untold
from engine.ipc.spill import SpillDirectory

PLACE = 1


@pytest.fixture
def board() -> Board:
    return Board(1, 0)


def test_files_that_nobody_was_told_of_go_and_the_others_stay(board: Board, tmp_path: Path) -> None:
    spill = SpillDirectory(tmp_path)
    begin_files(board, spill, PLACE)
    told, kept, untold = spill.write(b"1"), spill.write(b"2"), spill.write(b"3")
    board.put(PLACE, Cell.FILES_SENT, 1)

    discard_untold(board, spill, PLACE, {kept.decode()})

    assert [spill.has(each) for each in (told, kept, untold)] == [True, True, False]


def test_the_files_of_the_dead_are_looked_at_once(board: Board, tmp_path: Path) -> None:
    spill = SpillDirectory(tmp_path)
    begin_files(board, spill, PLACE)
    discard_untold(board, spill, PLACE)
    later = spill.write(b"1")

    discard_untold(board, spill, PLACE)

    assert spill.has(later)


def test_a_death_between_the_notes_does_not_make_told_files_look_untold(
    board: Board, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = SpillDirectory(tmp_path)
    begin_files(board, spill, PLACE)
    told = spill.write(b"1")
    board.put(PLACE, Cell.FILES_SENT, 1)
    put = board.put

    def put_once(place: int, cell: Cell, value: int) -> None:
        put(place, cell, value)
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(board, "put", put_once)
        discard_untold(board, spill, PLACE)

    discard_untold(board, spill, PLACE)

    assert spill.has(told)
