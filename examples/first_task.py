"""The smallest server with a task: the client's text goes to a task worker, the loop stays free.

python examples/first_task.py [PORT]         then, elsewhere:  echo hello | nc -q1 127.0.0.1 9501
"""

import logging
import sys

from engine import Server, Settings

server = Server(
    "127.0.0.1",
    int(sys.argv[1]) if len(sys.argv) > 1 else 9501,
    Settings(worker_num=2, task_worker_num=4, process_name="first_task"),
)


@server.on("start")
def start(server: Server) -> None:
    print(f"listening on {server.host}:{server.port}", flush=True)


@server.on("receive")
def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    print(f"received {data!r}", flush=True)
    # the second argument names a task worker; without it any idle one takes the task
    task_id = server.task(data.strip(), 0)
    server.send(fd, f"分发任务，任务id为{task_id}\n")


@server.on("task")
def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
    print(f"#{server.worker_id} task: pid={server.worker_pid} task_id={task_id} bytes={len(data)}", flush=True)
    return data  # the same as server.finish(data)


@server.on("finish")
def finish(server: Server, task_id: int, data: bytes) -> None:
    print(f"task {task_id} finished, bytes={len(data)}", flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    server.start()
