"""Notes on the board of the files that a process wrote, so that those it told nobody of go after its death."""

from collections.abc import Collection

from engine.ipc.board import Board, Cell
from engine.ipc.spill import SpillDirectory


def begin_files(board: Board, spill: SpillDirectory, place: int) -> None:
    """Note whose files they are from now on; before this process writes its first one."""
    board.put(place, Cell.FILES_OF, spill.maker)


def discard_untold(board: Board, spill: SpillDirectory, place: int, keep: Collection[str] = ()) -> None:
    """Remove the files that the process which was in this place, and is gone, told nobody of; not those in `keep`."""
    if maker := board.get(place, Cell.FILES_OF):
        spill.discard(maker, board.get(place, Cell.FILES_SENT), keep)
    # in this order: a death in between must not make files of the dead, which others were told of, look untold
    board.put(place, Cell.FILES_OF, 0)
    board.put(place, Cell.FILES_SENT, 0)
