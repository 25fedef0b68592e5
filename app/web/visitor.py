"""Who looks at a page, and what they may do there."""

from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request
from starlette.types import Scope

from app.domain.actor import Actor, Via
from app.domain.rights import Right, Role, may
from app.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who logged in; or anybody at all, without a name, role and session, while there are no accounts. These
    may see what a viewer sees, and change nothing: the trail could not say who it was."""

    name: str = ""
    role: Role | None = None
    session: str = ""
    """The hash by which the database knows it."""
    address: str = ""

    def may(self, right: Right | str) -> bool:
        """By the one table; also for the templates, which know rights by their names."""
        right = Right(right)
        return may([self.role], right) if self.role else right is Right.SEE

    @property
    def actor(self) -> Actor:
        return Actor(self.name or "anybody", Via.PAGES, self.address)


def visitor_in(scope: Scope) -> Visitor | None:
    """None where nobody asked who it is, as at the door itself."""
    found: Visitor | None = scope.get("state", {}).get("visitor")
    return found


def needs(right: Right) -> Any:
    """A dependency: who it is, and may do this. Raises Forbidden."""

    def check(request: Request) -> Visitor:
        visitor = visitor_in(request.scope)
        if visitor is None or not visitor.may(right):
            raise Forbidden("forbidden.role" if visitor and visitor.role else "forbidden.no_account")
        return visitor

    return Depends(check)
