"""`on`: takes the callbacks of a server, and tells a type checker what each event calls.

The first argument of a decorated callback is not checked, so that a subclass of Server may be named there.
"""

from collections.abc import Callable
from typing import Any, Literal, Never, Protocol, Self, TypeVar, overload

from engine.errors import TaskError
from engine.events import AnyCallback, Callback, Events

# The spellings that are checked: ours and Swoole's.
OfManager = Literal[
    "start", "Start", "shutdown", "Shutdown", "manager_start", "ManagerStart", "manager_stop", "ManagerStop",
    "before_reload", "BeforeReload", "after_reload", "AfterReload",
]  # fmt: skip
OfWorker = Literal["worker_start", "WorkerStart", "worker_exit", "WorkerExit", "worker_stop", "WorkerStop"]
OfDeath = Literal["worker_error", "WorkerError"]
OfConnection = Literal["connect", "Connect", "close", "Close"]
OfFrame = Literal["receive", "Receive"]
OfTask = Literal["task", "Task"]
OfResult = Literal["finish", "Finish"]
OfFailure = Literal["task_error", "TaskError"]
OfMessage = Literal["pipe_message", "PipeMessage"]

Plain = int | float | str | bytes | None
"""What a callback in the manager may return, which is ignored: no coroutine, for no event loop runs there."""
ManagerCallback = TypeVar("ManagerCallback", bound=Callable[[Any], Plain])
WorkerCallback = TypeVar("WorkerCallback", bound=Callable[[Any, int], object])
DeathCallback = TypeVar("DeathCallback", bound=Callable[[Any, int, int, int, int], Plain])
ConnectionCallback = TypeVar("ConnectionCallback", bound=Callable[[Any, int, int], object])
FrameCallback = TypeVar("FrameCallback", bound=Callable[[Any, int, int, bytes], object])
TaskCallback = TypeVar("TaskCallback", bound=Callable[[Any, int, int, Any], object])
ResultCallback = TypeVar("ResultCallback", bound=Callable[[Any, int, Any], object])
FailureCallback = TypeVar("FailureCallback", bound=Callable[[Any, int, TaskError], object])
MessageCallback = TypeVar("MessageCallback", bound=Callable[[Any, int, Any], object])
Result = TypeVar("Result")


class CallbackThatFits(Protocol):
    """Fits every event, for it takes more arguments than any has: `*args`, Any, or a callable of any kind."""

    def __call__(self, *_: *tuple[Never, Never, Never, Never, Never, Never]) -> Any: ...


class Registration:
    """What a server is before it starts: callbacks by event."""

    def __init__(self) -> None:
        self._events = Events()

    # as a call, where a lambda's arguments get their types from
    @overload
    def on(self, event: OfManager, callback: Callable[[Self], Plain]) -> Callable[[Self], Plain]: ...
    @overload
    def on(self, event: OfWorker, callback: Callable[[Self, int], Result]) -> Callable[[Self, int], Result]: ...
    @overload
    def on(
        self, event: OfDeath, callback: Callable[[Self, int, int, int, int], Plain]
    ) -> Callable[[Self, int, int, int, int], Plain]: ...
    @overload
    def on(
        self, event: OfConnection, callback: Callable[[Self, int, int], Result]
    ) -> Callable[[Self, int, int], Result]: ...
    @overload
    def on(
        self, event: OfFrame, callback: Callable[[Self, int, int, bytes], Result]
    ) -> Callable[[Self, int, int, bytes], Result]: ...
    @overload
    def on(
        self, event: OfTask, callback: Callable[[Self, int, int, Any], Result]
    ) -> Callable[[Self, int, int, Any], Result]: ...
    @overload
    def on(
        self, event: OfResult, callback: Callable[[Self, int, Any], Result]
    ) -> Callable[[Self, int, Any], Result]: ...
    @overload
    def on(
        self, event: OfFailure, callback: Callable[[Self, int, TaskError], Result]
    ) -> Callable[[Self, int, TaskError], Result]: ...
    @overload
    def on(
        self, event: OfMessage, callback: Callable[[Self, int, Any], Result]
    ) -> Callable[[Self, int, Any], Result]: ...
    # With `str` and any callback here, each mistake above would be taken for one of these.
    @overload
    def on(self, event: str, callback: CallbackThatFits) -> Callback: ...
    # as a decorator
    @overload
    def on(self, event: OfManager) -> Callable[[ManagerCallback], ManagerCallback]: ...
    @overload
    def on(self, event: OfWorker) -> Callable[[WorkerCallback], WorkerCallback]: ...
    @overload
    def on(self, event: OfDeath) -> Callable[[DeathCallback], DeathCallback]: ...
    @overload
    def on(self, event: OfConnection) -> Callable[[ConnectionCallback], ConnectionCallback]: ...
    @overload
    def on(self, event: OfFrame) -> Callable[[FrameCallback], FrameCallback]: ...
    @overload
    def on(self, event: OfTask) -> Callable[[TaskCallback], TaskCallback]: ...
    @overload
    def on(self, event: OfResult) -> Callable[[ResultCallback], ResultCallback]: ...
    @overload
    def on(self, event: OfFailure) -> Callable[[FailureCallback], FailureCallback]: ...
    @overload
    def on(self, event: OfMessage) -> Callable[[MessageCallback], MessageCallback]: ...
    @overload
    def on(self, event: str) -> Callable[[AnyCallback], AnyCallback]: ...
    def on(self, event: str, callback: Callback | None = None) -> Any:
        """Set the callback of an event: `server.on("receive", f)`, or as a decorator. See engine/events.py.

        A type checker knows the arguments of each event by its usual spellings, `worker_start` and `WorkerStart`; by
        any other, or a name that is computed, a decorator takes every callback, and a call those of any arguments.
        Raises UsageError for an unknown event and for what cannot be called.
        """

        def register(given: Callback) -> Callback:
            self._events.register(event, given)
            return given

        return register if callback is None else register(callback)
