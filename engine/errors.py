"""What can go wrong in the engine, grouped by who must act."""


class EngineError(Exception):
    """Base of every error the engine raises."""


# ── the operator, or whoever wrote the program, must act ────────────────────────────────────────


class SettingsError(EngineError):
    """Settings that cannot work; `problems` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


class StartError(EngineError):
    """The server cannot start: the port, the directory, a certificate or a worker does not allow it."""


class UsageError(EngineError):
    """A call that makes no sense where it was made; the text says what to do instead."""


class UnknownWorker(UsageError):
    """A worker id that is not there, or is the caller's own."""

    def __init__(self, worker_id: int, allowed: str) -> None:
        self.worker_id = worker_id
        self.allowed = allowed
        super().__init__(worker_id, allowed)

    def __str__(self) -> str:
        return f"worker id {self.worker_id} cannot be addressed, {self.allowed}"


# ── the peer must act ───────────────────────────────────────────────────────────────────────────


class ProtocolError(EngineError):
    """Bytes that break the framing. Close the connection: what follows cannot be read either."""


class BadFrameLength(ProtocolError):
    """A header announced a frame that is too large, negative, or smaller than its own header.

    `head` is how the frame begins, at most 16 bytes.
    """

    def __init__(self, announced_bytes: int, limit_bytes: int, head: bytes) -> None:
        self.announced_bytes = announced_bytes
        self.limit_bytes = limit_bytes
        self.head = head
        super().__init__(announced_bytes, limit_bytes, head)

    def __str__(self) -> str:
        return f"frame of {self.announced_bytes} bytes, allowed is up to {self.limit_bytes}"


class SendBufferFull(EngineError):
    """A client reads too slowly: `buffer_output_size` bytes wait for it already. Try later or close it."""

    def __init__(self, fd: int, waiting_bytes: int, limit_bytes: int) -> None:
        self.fd = fd
        self.waiting_bytes = waiting_bytes
        self.limit_bytes = limit_bytes
        super().__init__(fd, waiting_bytes, limit_bytes)

    def __str__(self) -> str:
        return f"connection {self.fd} has {self.waiting_bytes} bytes waiting, limit is {self.limit_bytes}"


class InboxFull(EngineError):
    """Other workers do not read their messages: too many bytes wait for them already. Try later."""

    def __init__(self, waiting_bytes: int, limit_bytes: int) -> None:
        self.waiting_bytes = waiting_bytes
        self.limit_bytes = limit_bytes
        super().__init__(waiting_bytes, limit_bytes)

    def __str__(self) -> str:
        return f"messages of {self.waiting_bytes} bytes wait for workers that do not read, limit is {self.limit_bytes}"


class TaskQueueFull(EngineError):
    """Too many tasks wait in this event worker: `task_queue_max_bytes`. Answer the client, and try later."""

    def __init__(self, waiting_bytes: int, limit_bytes: int) -> None:
        self.waiting_bytes = waiting_bytes
        self.limit_bytes = limit_bytes
        super().__init__(waiting_bytes, limit_bytes)

    def __str__(self) -> str:
        return f"tasks of {self.waiting_bytes} bytes wait, limit is {self.limit_bytes}"


# ── this task ended badly ───────────────────────────────────────────────────────────────────────


class TaskError(EngineError):
    """Base of what `task_error` receives."""


class TaskFailed(TaskError):
    """The handler raised. Holds texts only, so it can be pickled whatever was raised."""

    def __init__(self, type_name: str, text: str, traceback: str) -> None:
        self.type_name = type_name
        self.text = text
        self.traceback = traceback
        super().__init__(type_name, text, traceback)

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}"


class TaskLost(TaskError):
    """Task workers died `attempts` times with this task in hand; it is not tried again."""

    def __init__(self, task_id: int, attempts: int) -> None:
        self.task_id = task_id
        self.attempts = attempts
        super().__init__(task_id, attempts)

    def __str__(self) -> str:
        return f"task {self.task_id}: a task worker died with it in hand {self.attempts} times"


class TaskTimeout(TaskError):
    """Not done within `timeout_s` seconds.

    From `task_wait` with that limit: the task goes on, and its late result is dropped and counted. From the setting
    `task_timeout_s`, in `task_error` and from `task_wait`: the task was ended, and is not tried again.
    """

    def __init__(self, task_id: int, timeout_s: float) -> None:
        self.task_id = task_id
        self.timeout_s = timeout_s
        super().__init__(task_id, timeout_s)

    def __str__(self) -> str:
        return f"task {self.task_id} was not done within {self.timeout_s:g} s"
