"""What can go wrong in the application, grouped by who must act."""

from collections.abc import Iterable, Sequence


class AppError(Exception):
    """Base of every error this application raises; its text is one sentence for a person."""


# ── the operator must act ───────────────────────────────────────────────────────────────────────


class ConfigError(AppError):
    """A setting has a value that cannot be used; names each one."""


class DatabaseUnavailable(AppError):
    """The database does not answer, or refuses us."""


class SchemaOutdated(AppError):
    """The tables are missing or older than this program."""


class SchemaNewer(AppError):
    """The tables were made by a later version of this program."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(f"the schema is at {revision}, which this version does not know; use a newer one")


class ServerUnreachable(AppError):
    """The server does not run where we look, or cannot start there."""


class ServerGone(ServerUnreachable):
    """The server does not answer, or closed the connection; it may be back in a moment."""


class TokenUnusable(AppError):
    """The file that shall hold the trigger's token is missing, unreadable, or holds none."""


class Unprotected(AppError):
    """The server would listen beyond loopback without a token."""


class CertificateUnusable(AppError):
    """A file of the client's side of TLS cannot be read, or is none."""


class FolderInUse(AppError):
    """Another running server has the folder of logs."""

    def __init__(self, folder: object) -> None:
        super().__init__(
            f"another server is running on the logs in {folder}; stop it, or set SMS_LOG_DIR to a new folder"
        )


class LogUnusable(AppError):
    """A log, or the folder of all logs, cannot be made, opened or written to."""


class LogDamaged(AppError):
    """A log is not what was written to it: somebody shortened, removed or replaced it."""


class GatewayAway(AppError):
    """A gateway cannot be reached now, or does not let us in; says why."""


# ── the sender must act ─────────────────────────────────────────────────────────────────────────


class BadRequest(AppError):
    """A trigger request that cannot be understood or obeyed; `code` is stable, the text is for people."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class UnknownPlaceholder(BadRequest):
    """A template names something that cannot be filled in; the text lists what can."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        listed = " ".join(f"{{{each}}}" for each in known)
        others = "表中其他的列须先写进SMS_TEMPLATE_COLUMNS"
        super().__init__("bad_template", f"模板里有未知的占位符{{{name[:64]}}},{others},可用的有: {listed}")


class Refused(AppError):
    """The server did not obey a request; the text is the server's, and so is `code`."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may be obeyed later: the server has no database now, or so."""
        return self.code in {"internal", "refused"}


class UnknownCampaign(AppError):
    """No campaign has this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no campaign is named {name}")


class UnknownTask(AppError):
    """The campaign has no task of this number."""

    def __init__(self, name: str, number: int, numbers: Sequence[int]) -> None:
        self.number = number
        some = "" if len(numbers) == max(numbers, default=0) + 1 else "some of "
        known = f"its tasks are {some}{numbers[0]} to {numbers[-1]}" if numbers else "it has none"
        super().__init__(f"{name} has no task {number}, {known}")


class UnknownCustomer(AppError):
    """No customer has this id."""

    def __init__(self, customer_id: int) -> None:
        self.customer_id = customer_id
        super().__init__(f"no customer has the id {customer_id}")


class Unconfirmed(AppError):
    """Something that a person is to agree to was asked where no person is."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nobody can be asked here whether {name} shall go on so; say --yes")


class UnknownFolder(AppError):
    """No one other folder of this name has logs of the campaign that are not finished."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__(f"{folder!r} is no other folder that unfinished logs of {name} are in; status shows which are")


class FolderAlive(AppError):
    """A folder that is to be given up shows signs of life."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"a task is at work in the folder {folder}, or was just now; stop its server and wait 30 s")


class WrongState(AppError):
    """A campaign is in a state in which this cannot be done to it."""

    def __init__(self, name: str, verb: str, state: str) -> None:
        self.name = name
        self.verb = verb
        self.state = state
        done = {"pause": "paused", "resume": "running", "cancel": "cancelled"}.get(verb, verb)
        refusal = f"{state} and cannot be {'resumed' if verb == 'resume' else done}"
        super().__init__(f"{name} is already {state}" if state == done else f"{name} is {refusal}")


# ── this task must stop ─────────────────────────────────────────────────────────────────────────


class ShardTaken(AppError):
    """Another live process writes this shard; leave it alone."""


class LeaseLost(ShardTaken):
    """The shard was ours and is no longer, or its campaign does not run any more; write nothing more."""


class Overtaken(AppError):
    """Somebody on a page is not to be greeted any more, since it was made: make it anew."""


class UnknownDocument(AppError):
    """An order or report of a kind or version that this release does not know, as another one may have left it in a
    queue; whoever needs it finds in the database what is to be done."""

    def __init__(self, kind: str, version: int | str) -> None:
        self.kind = kind
        self.version = version
        super().__init__(f"a document of the kind {kind[:64]!r} and version {version} is not known here")
