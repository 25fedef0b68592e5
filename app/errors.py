"""What can go wrong in the application, grouped by who must act.

Each error is raised with the code of a sentence and its facts; app/catalogue.py has the words.
"""

from collections.abc import Iterable, Sequence

from app.sentence import Every, Sentence


class AppError(Exception):
    """Base of every error this application raises: a sentence that is not worded yet. Its text is for logs."""

    def __init__(self, code: str, /, **facts: object) -> None:
        self.sentence = Sentence(code, **facts)
        super().__init__(str(self.sentence))

    @property
    def code(self) -> str:
        """What programs go by; it stays as it is."""
        return self.sentence.kind


# ── the operator must act ───────────────────────────────────────────────────────────────────────


class ConfigError(AppError):
    """Settings have values that cannot be used; a sentence for each."""

    def __init__(self, problems: Sequence[Sentence]) -> None:
        self.problems = problems
        super().__init__("settings", problems=Every(problems))


class DatabaseUnavailable(AppError):
    """The database does not answer, or refuses us."""


class SchemaOutdated(AppError):
    """The tables are missing or older than this program."""


class SchemaNewer(AppError):
    """The tables were made by a later version of this program."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__("schema.newer", revision=revision)


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
        self.folder = folder
        super().__init__("folder_in_use", folder=folder)


class LogUnusable(AppError):
    """A log, or the folder of all logs, cannot be made, opened or written to."""


class LogDamaged(AppError):
    """A log is not what was written to it: somebody shortened, removed or replaced it."""


class NotInstalled(AppError):
    """A package that only some need is not there; names the extra that brings it."""


class GatewayAway(AppError):
    """A gateway cannot be reached now, or does not let us in; says why."""


class GatewayFault(AppError):
    """A gateway takes nothing from us before a person saw to it, as to an account that is empty; in its own words."""


# ── the sender must act ─────────────────────────────────────────────────────────────────────────


class BadRequest(AppError):
    """A trigger request that cannot be understood or obeyed."""


class UnknownPlaceholder(BadRequest):
    """A template names something that cannot be filled in; the sentence lists what can, and what may be `meant`."""

    def __init__(self, name: str, known: Iterable[str], meant: str | None = None) -> None:
        self.name = name
        facts = {"name": f"{{{name[:64]}}}", "known": " ".join(f"{{{each}}}" for each in known)}
        if meant:
            super().__init__("bad_template.placeholder_like", **facts, meant=f"{{{meant}}}")
        else:
            super().__init__("bad_template.placeholder", **facts)


class Refused(AppError):
    """The server did not obey a request. The code and its facts are the server's, and so is `message`, in Chinese."""

    def __init__(self, code: str, message: str, /, **facts: object) -> None:
        self.message = message
        super().__init__(code, **facts)

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may be obeyed later: the server has no database now, or so."""
        return self.code in {"internal", "refused"}


class UnknownCampaign(AppError):
    """No campaign has this name; another one may be `meant`."""

    def __init__(self, name: str, meant: str | None = None) -> None:
        self.name = name
        if meant:
            super().__init__("unknown_campaign.like", campaign=name, meant=meant)
        else:
            super().__init__("unknown_campaign", campaign=name)


class BadName(AppError):
    """A user or a token cannot be called so."""


class NameTaken(AppError):
    """A user or a token has this name, or had it."""


class BadPassword(AppError):
    """A password would be too easily found."""


class LoginRefused(AppError):
    """Somebody is not let in. It is not said why."""


class TooBusy(AppError):
    """More of this is asked at once than is done; it may be asked again in a moment."""


class UnknownUser(AppError):
    """No user has this name."""


class UnknownGateway(AppError):
    """There is no such gateway in the file of gateways."""


class OtherRequest(AppError):
    """An Idempotency-Key was shown before, and what it stands for is something else, or not over."""


class UnknownReport(AppError):
    """Nobody ordered such a report, or it is gone."""


class UnknownMessage(AppError):
    """There is no such message in any ledger."""


class UnknownNumber(AppError):
    """An id stands for no number, or the number is not in the list that was asked for."""


class UnknownToken(AppError):
    """No token has this name."""


class Forbidden(AppError):
    """Somebody is known, and has not the right to do this."""


class UnknownTask(AppError):
    """The campaign has no task of this number."""

    def __init__(self, name: str, number: int, numbers: Sequence[int]) -> None:
        self.number = number
        if not numbers:
            super().__init__("unknown_task.none", campaign=name, task=number)
            return
        if len(numbers) == 1:
            super().__init__("unknown_task.one", campaign=name, task=number, only=numbers[0])
            return
        has_all = len(numbers) == numbers[-1] + 1
        known = {"first": numbers[0], "last": numbers[-1]}
        super().__init__("unknown_task" if has_all else "unknown_task.some", campaign=name, task=number, **known)


class UnknownCustomer(AppError):
    """No customer has this id."""

    def __init__(self, customer_id: int) -> None:
        self.customer_id = customer_id
        super().__init__("unknown_customer", id=customer_id)


class Unconfirmed(AppError):
    """Something that a person is to agree to was asked where no person is."""

    def __init__(self, name: str) -> None:
        super().__init__("unconfirmed", campaign=name)


class NoLogs(AppError):
    """A campaign goes out over a network, and has a ledger in place of logs."""

    def __init__(self, name: str, gateway: str) -> None:
        super().__init__("no_logs", campaign=name, gateway=gateway)


class LateUnclear(AppError):
    """Who of a campaign came late cannot be told from its logs."""

    def __init__(self, why: Sentence) -> None:
        super().__init__("late_unclear", why=why)


class NotFinished(AppError):
    """A campaign is not finished, and so it is not known for good who came late for it."""

    def __init__(self, name: str, state: str) -> None:
        super().__init__("not_finished", campaign=name, state=state)


class NotRetriable(AppError):
    """Messages that cannot be tried again: of a campaign that has none such, or is in a state for which it is wrong."""


class Pruned(AppError):
    """The details of a campaign were removed; its counts are there."""

    def __init__(self, name: str, at: str) -> None:
        super().__init__("pruned", campaign=name, at=at)


class NotTried(AppError):
    """A message that was to show whether a gateway works was not sent."""


class NoLedger(AppError):
    """A campaign goes to logs, and has no ledger."""


class NoTemporaryFile(AppError):
    """Rows cannot be written down for LOAD DATA."""


class ImportRefused(AppError):
    """A file cannot become a table, or not this one; nothing is changed."""


class FileUnusable(AppError):
    """A file that a command was given cannot be read or written."""


class BadNumber(AppError):
    """A number that a command was given is none that can be dialled."""


class UnknownFolder(AppError):
    """No one other folder of this name has logs of the campaign that are not finished."""

    def __init__(self, name: str, folder: str) -> None:
        super().__init__("unknown_folder", campaign=name, folder=folder)


class FolderAlive(AppError):
    """A folder that is to be given up shows signs of life."""

    def __init__(self, folder: str) -> None:
        super().__init__("folder_alive", folder=folder)


class WrongState(AppError):
    """A campaign is in a state in which this cannot be done to it."""

    def __init__(self, name: str, verb: str, state: str) -> None:
        self.name = name
        self.verb = verb
        self.state = state
        is_so = (verb, state) in {("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")}
        super().__init__(f"wrong_state.{'already_' if is_so else ''}{verb}", campaign=name, state=state)


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
        super().__init__("unknown_document", kind=kind[:64], version=version)
