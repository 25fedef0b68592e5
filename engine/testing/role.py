"""Tells which worker the running code is in: one process simulates them all."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MANAGER = -1


@dataclass(slots=True)
class Answer:
    """How a task ended: a Kind, and the value as it travels."""

    kind: int
    codec: int
    body: bytes


@dataclass(slots=True)
class Role:
    """A worker id, and in a task worker the task in hand, its attempt and its answer."""

    worker_id: int
    task_id: int | None = None
    attempt: int = 1
    answer: Answer | None = None


_role: ContextVar[Role] = ContextVar("role")
"""A context variable, so that it holds in every coroutine that a callback starts, however they take turns."""


def current() -> Role:
    """Return the role of the running code; a test's own code is event worker 0."""
    return _role.get(None) or Role(0)


@contextmanager
def playing(role: Role) -> Iterator[None]:
    """Run the body of the `with` in this role."""
    token = _role.set(role)
    try:
        yield
    finally:
        _role.reset(token)
