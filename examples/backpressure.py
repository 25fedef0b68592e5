"""A client that is faster than the tasks: it is made to wait, nothing is lost, and others are still answered.

python examples/backpressure.py [PORT]       then, elsewhere:  python examples/backpressure.py client [PORT]

In Swoole a full queue blocks the event worker, and with it every client. Here the worker stops reading at three
quarters of task_queue_max_bytes, so TCP holds the sender back, and reads on at half.
"""

import logging
import sys
import threading
import time

from engine import Client, IpcMode, Server, Settings

PORT = int(sys.argv[-1]) if sys.argv[-1].isdecimal() else 9501
TASKS = 3000
TASK_BYTES = 4096
TASK_S = 0.002

server = Server(
    "127.0.0.1",
    PORT,
    Settings(
        worker_num=1,  # so that both clients are the same worker's
        task_worker_num=2,
        task_ipc_mode=IpcMode.QUEUE,
        task_queue_max_bytes=2**20,
        open_length_check=True,
        package_body_offset=4,
        process_name="backpressure",
    ),
)


@server.on("start")
def start(server: Server) -> None:
    print(f"listening on {server.host}:{server.port}", flush=True)


@server.on("receive")
def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    if data[4:] == b"ping":
        server.send(fd, f"{server.stats().tasks_waiting}\n")
    else:
        server.task(data, finish_callback=lambda server, task_id, result: server.send(fd, "done\n"))


@server.on("task")
def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> int:
    time.sleep(TASK_S)
    return len(data)


class Flood(threading.Thread):
    """Sends tasks as fast as it may, and counts those that are done."""

    def __init__(self) -> None:
        super().__init__()
        self.done = 0

    def run(self) -> None:
        with Client("127.0.0.1", PORT, timeout_s=60) as connection:
            sender = threading.Thread(target=self._send, args=[connection])
            sender.start()
            while self.done < TASKS and connection.read_line() == "done":
                self.done += 1
            sender.join()

    @staticmethod
    def _send(connection: Client) -> None:
        for _ in range(TASKS):
            connection.send(bytes(TASK_BYTES))


def client() -> int:
    """Flood the server, and ping it meanwhile; the exit status is 0 when nothing was lost."""
    flood = Flood()
    flood.start()
    slowest_s, most_waiting, pings = 0.0, 0, 0
    with Client("127.0.0.1", PORT, timeout_s=60) as connection:
        while flood.is_alive():
            began_at = time.monotonic()
            connection.send("ping")
            most_waiting = max(most_waiting, int(connection.read_line()))
            slowest_s = max(slowest_s, time.monotonic() - began_at)
            pings += 1
            time.sleep(0.02)
    print(f"{flood.done} of {TASKS} tasks done")
    print(f"{pings} pings, the slowest answered after {slowest_s:.3f} s, at most {most_waiting} tasks waiting")
    return 0 if flood.done == TASKS else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        sys.exit(client())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    server.start()
