"""Who may do what: one table for commands, pages, the API and the trigger's port. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class Role(StrEnum):
    """Of a person."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """Of a token; it may have several, and each stands alone."""

    READ = "read"
    TRIGGER = "trigger"
    OPERATE = "operate"


class Right(StrEnum):
    """What can be allowed."""

    SEE = "see"
    """Everything but the audit trail, with masked numbers."""
    START = "start"
    """A new campaign."""
    CONTROL = "control"
    """Pause, resume, cancel and retry."""
    OPT_OUTS = "opt_outs"
    """Add and remove them."""
    TEST = "test"
    """Send a message that is in no campaign."""
    DRAIN = "drain"
    """Drain a gateway, so that nothing more is submitted over it, and activate it again."""
    UNMASK = "unmask"
    """See a whole number: of one person, or in an export that is asked for so; both stand in the audit trail."""
    AUDIT = "audit"
    """See who did what."""
    MANAGE = "manage"
    """Users and tokens."""


HOLDERS: dict[Right, frozenset[Role | Scope]] = {
    Right.SEE: frozenset({Role.VIEWER, Role.OPERATOR, Role.ADMIN, Scope.READ}),
    Right.START: frozenset({Role.OPERATOR, Role.ADMIN, Scope.TRIGGER}),
    Right.CONTROL: frozenset({Role.OPERATOR, Role.ADMIN, Scope.OPERATE}),
    Right.OPT_OUTS: frozenset({Role.OPERATOR, Role.ADMIN, Scope.OPERATE}),
    Right.TEST: frozenset({Role.OPERATOR, Role.ADMIN, Scope.OPERATE}),
    Right.DRAIN: frozenset({Role.OPERATOR, Role.ADMIN, Scope.OPERATE}),
    Right.UNMASK: frozenset({Role.OPERATOR, Role.ADMIN}),
    Right.AUDIT: frozenset({Role.OPERATOR, Role.ADMIN}),
    Right.MANAGE: frozenset({Role.ADMIN}),
}
"""A line for each right, whole: a role has what stands beside it, and nothing by way of another one."""

EVERY_SCOPE = frozenset(Scope)


def may(holds: Iterable[Role | Scope], right: Right) -> bool:
    """Whether somebody of this role, or with these scopes, has it."""
    return not HOLDERS[right].isdisjoint(holds)


def scope_for(right: Right) -> Scope | None:
    """With which scope a token would have it; None where none does."""
    return next((each for each in Scope if each in HOLDERS[right]), None)
