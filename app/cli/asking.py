"""How a command asks before it does what cannot be undone."""

import sys

import typer

from app.console import out
from app.errors import Unconfirmed


def asked(what: str, question: str) -> bool:
    """What a person says. Raises Unconfirmed where there is none; `what` is what waits for the answer."""
    if not sys.stdin.isatty():
        raise Unconfirmed(what)
    return agrees(question)


def agrees(question: str) -> bool:
    """The same, where somebody is there or the input has the answer."""
    try:
        return typer.confirm(question)
    except typer.Abort:  # Ctrl-C or the end of the input
        out.print()
        return False
