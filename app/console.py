"""What the commands of this project share: where they write, and how they end when something is wrong."""

import io
import sys
from typing import Any

import typer
from rich.console import Console

from app.catalogue import say, word, word_error
from app.early import loaded
from app.errors import AppError
from app.wording import harmless

# A file or pipe has no width; tables are then as wide as they need.
out = Console(highlight=False, soft_wrap=True, markup=False, width=None if sys.stdout.isatty() else 200)
live = Console(highlight=False, markup=False)
"""For what is drawn again and again; where it does not wrap by itself, a line that is too long spoils the next."""
err = Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def commands(help_text: str | None = None, **more: Any) -> typer.Typer:
    """A command line that shows no traceback with local values, which may be secrets; `more` goes to typer.Typer."""
    return typer.Typer(
        add_completion=False, help=help_text, pretty_exceptions_enable=False, rich_markup_mode=None, **more
    )


def print_json(facts: Any) -> None:
    """For programs. Where stdout cannot take every letter they are escaped as JSON has it."""
    out.print_json(data=facts, ensure_ascii=out.options.ascii_only)


def write(lines: bytes) -> None:
    """To stdout, at once: as they are to a file or a program, without what would steer it to a terminal."""
    if sys.stdout.isatty():
        lines = harmless(lines.decode(errors="replace"), keep="\n").encode()
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


def run(cli: typer.Typer) -> None:
    """Run the command. What an operator or sender can mend ends as one line on stderr and exit status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # letters that it cannot take are escaped; stderr does so by itself
        sys.stdout.reconfigure(errors="backslashreplace")
    loaded()
    try:
        cli()
    except AppError as error:
        err.print(say("error", what=word_error(error)))
    except Exception as error:
        if not _is_of_database(error):
            raise
        from app import config  # noqa: PLC0415  most commands have no trouble
        from app.store.trouble import trouble  # noqa: PLC0415

        what = trouble(error, config.load().database_url.get_secret_value()).sentence
        err.print(say("error", what=word(what)))
    else:
        return
    raise SystemExit(1)


def _is_of_database(error: Exception) -> bool:
    """Asked so that SQLAlchemy, which takes longer to load than all the rest, is loaded by who needs it alone."""
    loaded_errors = sys.modules.get("sqlalchemy.exc")
    return loaded_errors is not None and isinstance(error, loaded_errors.DBAPIError)
