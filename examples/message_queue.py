"""Tasks that survive their server: they wait in a System V queue, under a key that the next start finds again.

python examples/message_queue.py [PORT]      then, elsewhere:  python examples/message_queue.py client [PORT]

Now kill all of it with `pkill -9 -f '^message_queue: '` and start it again: what was not done is done now.
`ipcs -q` shows the queue. It stays until you remove it with `ipcrm -Q` and the key that the server prints.
"""

import logging
import sys
import time

from engine import Client, IpcMode, Server, Settings, ftok

PORT = int(sys.argv[-1]) if sys.argv[-1].isdecimal() else 9501
KEY = ftok(__file__, 1)
JOBS = 40

server = Server(
    "127.0.0.1",
    PORT,
    Settings(
        worker_num=2,
        task_worker_num=4,
        task_ipc_mode=IpcMode.QUEUE,
        message_queue_key=KEY,
        open_length_check=True,
        package_body_offset=4,
        process_name="message_queue",
    ),
)


@server.on("start")
def start(server: Server) -> None:
    print(f"queue key {KEY:#x}", flush=True)
    print(f"listening on {server.host}:{server.port}", flush=True)


@server.on("receive")
def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    task_id = server.task(data[4:])
    server.send(fd, f"分发任务，任务id为{task_id}\n")


@server.on("task")
def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> str:
    print(f"begins {data.decode()} attempt {server.attempt}", flush=True)
    time.sleep(0.5)
    print(f"done {data.decode()}", flush=True)
    return data.decode()


@server.on("finish")
def finish(server: Server, task_id: int, data: str) -> None:
    """Also gets the results of tasks that a former life of the server was asked for."""
    print(f"finish {data}", flush=True)


def client() -> None:
    """Hand in the jobs and go away."""
    with Client("127.0.0.1", PORT) as connection:
        for number in range(JOBS):
            connection.send(f"job-{number:02}")
        for _ in range(JOBS):
            print(connection.read_line())


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client()
    else:
        logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
        server.start()
