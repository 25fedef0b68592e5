"""A server in numbers: what `stats()` returns."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TaskWorkerStats:
    """One task worker. `task_id` and `since_s` (seconds in this task) are None while it is not busy."""

    worker_id: int
    pid: int
    state: str
    task_id: int | None
    since_s: float | None
    done: int
    rss: int
    """Resident memory, bytes."""


@dataclass(frozen=True, slots=True)
class ProcessStats:
    """One user process; `pid` is 0 while there is none."""

    worker_id: int
    name: str
    pid: int
    rss: int
    """Resident memory, bytes."""


@dataclass(frozen=True, slots=True)
class EventWorkerStats:
    """One event worker; a process of its worker id that leaves, or is gone, is counted with it."""

    worker_id: int
    pid: int
    """0 while there is none."""
    connections: int
    requests: int
    """Frames that `receive` was called with."""
    bytes_in: int
    bytes_out: int
    tasks_waiting: int
    """Not sent to a task worker yet."""
    tasks_under_way: int
    """Sent and not answered: in hand, or behind what a task worker has in hand."""
    queue_bytes: int
    """Tasks that wait, files included."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The server in numbers, the same from every process.

    At every quiet moment tasks_submitted = waiting + running + done + failed + lost.
    """

    start_time: float
    """Unix time, seconds."""
    connection_num: int
    accept_count: int
    """Also those that were closed at once, over max_conn."""
    close_count: int
    accepts_per_s: float
    """Over the last ten seconds; updated once a second."""
    bytes_in: int
    """From clients, in all, as `receive` gets them: without what TLS adds."""
    bytes_out: int
    """Given to the system for clients; the last of it may not have arrived."""
    worker_num: int
    task_worker_num: int
    idle_task_worker_num: int
    tasks_submitted: int
    tasks_waiting: int
    tasks_running: int
    tasks_done: int
    tasks_done_per_s: float
    """Over the last ten seconds; told once a second."""
    tasks_failed: int
    tasks_lost: int
    tasks_redelivered: int
    tasks_late: int
    """Done, but after `task_wait` had given up; counted in tasks_done, too."""
    tasks_orphaned: int
    """Ended after the process that had asked, whose callback was gone with it; counted in done, failed or lost, too."""
    queue_bytes: int
    """Tasks that wait for a task worker, files included."""
    oldest_waiting_s: float | None
    """How long the longest of these has waited, seconds, up to one too few; None when every task is sent.

    Counted anew where an event worker died and another has its tasks."""
    spill_files: int
    event_workers: tuple[EventWorkerStats, ...]
    task_workers: tuple[TaskWorkerStats, ...]
    processes: tuple[ProcessStats, ...] = ()
    """Those of `add_process`."""


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, bytes; 0 when it is gone.

    Source: proc(5), /proc/pid/statm, second field, pages.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
