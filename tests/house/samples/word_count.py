"""A typed program that uses everything that `engine` makes public. Checked by mypy --strict, and run inline."""

import sys
from dataclasses import dataclass

from engine import (
    Client,
    EngineError,
    EventWorkerStats,
    IpcMode,
    SendBufferFull,
    Server,
    Settings,
    SettingsError,
    StartError,
    Stats,
    TaskError,
    TaskFailed,
    TaskLost,
    TaskQueueFull,
    TaskTimeout,
    UnknownWorker,
    UsageError,
)
from engine.testing import InlineClient, InlineServer


@dataclass(frozen=True)
class Job:
    """What travels to a task worker."""

    fd: int
    text: str


server = Server(
    "127.0.0.1",
    9501,
    Settings(
        worker_num=2,
        task_worker_num=2,
        task_ipc_mode=IpcMode.SOCKET,
        open_eof_split=True,
        package_eof=b"\n",
        task_queue_max_bytes=2**20,
        process_name="word_count",
    ),
)


@server.on("worker_start")
def worker_start(server: Server, worker_id: int) -> None:
    kind: str = "task worker" if server.taskworker else "event worker"
    names[worker_id] = f"{kind} of {server.master_pid}, pid {server.worker_pid}"


@server.on("worker_error")
def worker_error(server: Server, worker_id: int, pid: int, exit_code: int, signal: int) -> None:
    print(worker_id, pid, exit_code, signal)


names: dict[int, str] = {}


@server.on("connect")
def connect(server: Server, fd: int, reactor_id: int) -> None:
    info = server.get_client_info(fd)
    host: str = info["remote_ip"] if info else ""
    server.send(fd, f"welcome {host}, you are {fd} of {len(server.connections)}\n")


@server.on("Receive")
async def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    try:
        await obey(server, fd, data.decode().strip())
    except (TaskQueueFull, SendBufferFull, UnknownWorker) as error:
        server.send(fd, f"try later: {error}\n")
    except TaskError as error:
        server.send(fd, f"failed: {error}\n")


async def obey(server: Server, fd: int, text: str) -> None:
    match text.split(maxsplit=1):
        case ["wait", words]:
            count: int = await server.task_wait(Job(fd, words), timeout=2.0)
            server.send(fd, f"{count}\n")
        case ["both", words]:
            results = await server.task_wait_multi([Job(fd, words), Job(fd, words * 2)], timeout=2.0)
            server.send(fd, f"{[describe(each) for each in results]}\n")
        case ["stats"]:
            server.send(fd, describe_stats(server.stats()))
        case ["named", words]:
            task_id: int = server.task(Job(fd, words), 1, finish_callback=tell)
            server.send(fd, f"task {task_id}\n")
        case ["bye"]:
            was_open: bool = server.close(fd)
            assert was_open and not server.send(fd, b"too late")
        case _:
            server.task(Job(fd, text))


def describe(result: object) -> str:
    match result:
        case TaskFailed(type_name=name):
            return name
        case TaskTimeout(timeout_s=seconds):
            return f"not within {seconds} s"
        case TaskLost(attempts=attempts):
            return f"lost after {attempts}"
        case _:
            return repr(result)


def load(row: EventWorkerStats) -> int:
    return row.tasks_waiting + row.tasks_under_way


def describe_stats(stats: Stats) -> str:
    waited_s: float = stats.oldest_waiting_s or 0.0
    assert max(stats.event_workers, key=load).queue_bytes <= stats.queue_bytes and waited_s <= 60
    busiest = max(stats.task_workers, key=lambda each: each.done)
    return f"{stats.tasks_done} of {stats.tasks_submitted}, most by {busiest.worker_id}\n"


@server.on("task")
def task(server: Server, task_id: int, src_worker_id: int, data: Job) -> int:
    if not data.text.isprintable():
        raise ValueError(f"attempt {server.attempt}: not text")
    server.send_message(f"task {task_id}", src_worker_id)
    return len(data.text.split())


@server.on("finish")
def finish(server: Server, task_id: int, data: int) -> None:
    print(task_id, data)


def tell(server: Server, task_id: int, result: int) -> None:
    for fd in server.connections:
        if server.exists(fd):
            server.send(fd, f"{result}\n".encode())


@server.on("task_error")
def task_error(server: Server, task_id: int, error: TaskError) -> None:
    print(task_id, error)


def pipe_message(server: Server, src_worker_id: int, message: str) -> None:
    print(src_worker_id, message)


server.on("pipe_message", pipe_message)


@server.on("WORKER_STOP")
def worker_stop(server: Server, worker_id: int) -> None:
    names.pop(worker_id, None)


class Ledger:
    """Callbacks that are methods, given by name."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def close(self, server: Server, fd: int, reactor_id: int) -> None:
        self.seen.append(f"{fd} left")

    def start(self, server: Server) -> None:
        self.seen.append(f"port {server.port}")


ledger = Ledger()
server.on("close", ledger.close)
server.on("before_reload", lambda server: print(server.port))
server.on("AfterReload", lambda *_: ledger.seen.append("new workers"))
for event in ("start",):
    server.on(event, getattr(ledger, event))


def ask(host: str, port: int, words: str) -> str:
    """A client's side."""
    with Client(host, port, timeout_s=1.0) as client:
        client.send_raw(words.encode() + b"\n")
        return client.read_line() + "".join(client.lines())


def check() -> bytes:
    """A test's side."""
    with InlineServer(server) as inline:
        client: InlineClient = inline.connect(worker_id=1)
        client.send("wait one two\nboth a b\nnamed just one\nstats\n")
        done: int = inline.run_tasks()
        assert done == inline.stats().tasks_done
        client.send("bye\n")
        assert client.closed
        return client.received


def main() -> None:
    try:
        server.start()
    except (SettingsError, StartError, UsageError) as error:
        sys.exit(str(error))
    except EngineError as error:
        sys.exit(f"{type(error).__name__}: {error}")
