"""Who does something that stands in the audit trail, and what can be done. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Via(StrEnum):
    """By which way somebody came."""

    COMMAND = "command"
    TRIGGER = "trigger"
    PAGES = "pages"
    API = "api"


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody. `who` is `ada` for a user of the pages, `token:ci` for who bears a named token, `token` for the one of
    the settings, `anybody` where none is asked for, and `ada@host` for an account of the operating system: names of
    users and tokens have neither `:` nor `@`."""

    who: str
    via: Via
    address: str = ""
    """Of the client, where there is one."""


class Deed(StrEnum):
    """What people do. What follows by itself, such as the end of a campaign, is none."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    ABANDON = "abandon"
    SEND_LATE = "send_late"
    PRUNE = "prune"
    OPT_OUT_ADD = "opt_out_add"
    OPT_OUT_REMOVE = "opt_out_remove"
    OPT_OUT_IMPORT = "opt_out_import"
    UNMASK = "unmask"
    TEST_MESSAGE = "test_message"
    EXPORT = "export"
    GATEWAY_DRAIN = "gateway_drain"
    GATEWAY_ACTIVATE = "gateway_activate"
    TOKEN_ADD = "token_add"  # noqa: S105
    USER_ADD = "user_add"
    USER_PASSWORD = "user_password"  # noqa: S105
    USER_ROLE = "user_role"
    USER_DISABLE = "user_disable"
    USER_ENABLE = "user_enable"
    LOG_IN = "log_in"
    TOKEN_REVOKE = "token_revoke"  # noqa: S105
