"""Many rows into a table at once: LOAD DATA LOCAL INFILE, where the server allows it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from app.errors import NoTemporaryFile

LOCAL_INFILE_IS_OFF = {1148, 2068, 3948, 4166}
"""Errors that say so: of MySQL 5.7 and older MariaDB, the client library, MySQL 8, MariaDB 10.6."""


def load(connection: Connection, into: str, lines: str) -> tuple[int, int] | None:
    """How many rows the server kept, and of how many things it warned; None where it forbids LOAD DATA, and nothing is
    written then. `into`: a quoted table and what of it the values in `lines` are, in LOAD DATA's words.

    LOCAL turns errors into warnings: a row whose id is taken is dropped, a bad value replaced. It is not to be
    interrupted: PyMySQL, in the middle of a packet, says then that the file is at its end, which the server takes for
    the rest of that packet, and both wait for each other.
    """
    with _nameless_file(lines) as path:
        statement = f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {into}"
        try:
            kept = connection.exec_driver_sql(statement).rowcount
        except DBAPIError as error:
            if error.orig is None or error.orig.args[0] not in LOCAL_INFILE_IS_OFF:
                raise
            return None
    return kept, connection.exec_driver_sql("SELECT @@warning_count").scalar_one()


def as_lines(rows: Sequence[Sequence[str]]) -> str:
    """As LOAD DATA reads them: tabs between values, a line for each row."""
    if not rows:
        return ""
    text = "\n".join(map("\t".join, rows)) + "\n"
    is_plain = "\\" not in text and text.count("\n") == len(rows) and text.count("\t") == (len(rows[0]) - 1) * len(rows)
    if is_plain:
        return text
    return "".join("\t".join([each.translate(_ESCAPES) for each in row]) + "\n" for row in rows)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0"})


@contextmanager
def _nameless_file(lines: str) -> Iterator[str]:
    """A path to the lines, in a file that is ours alone and in no folder: nothing is left of it however we die."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile())
            file.write(lines.encode())
            file.seek(0)
        except OSError as error:
            raise NoTemporaryFile("no_temporary_file", why=error) from error
        yield f"/dev/fd/{file.fileno()}"
