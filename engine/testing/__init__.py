"""For the tests of a program: `InlineServer` runs its callbacks in one process, without sockets."""

from engine.testing.client import InlineClient
from engine.testing.inline import InlineServer

__all__ = ["InlineClient", "InlineServer"]
