"""Examines the audiences of campaigns that are not over: whether each can still be read as it could at its trigger."""

from collections.abc import Iterator

from sqlalchemy import Connection

from app.doctor.finding import Finding, ok, problem
from app.domain.audience import CUSTOMERS
from app.sentence import Sentence, Some
from app.store import audiences, campaigns


def examine(connection: Connection) -> Iterator[Finding]:
    """Nothing where all campaigns go to `customers`, which is examined by itself."""
    names = [each for each in campaigns.audiences_under_way(connection) if each != CUSTOMERS]
    wrong = {name: found for name in names if (found := audiences.problem(connection, name))}
    for found in wrong.values():
        yield problem("audience", found, Sentence("advice.audience"))
    if right := [each for each in names if each not in wrong]:
        yield ok("audience", Sentence("doctor.audiences", names=Some(right)))
