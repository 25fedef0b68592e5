"""10 MiB to a task worker and back: above 8 KiB a body travels as a file, and arrives as it was.

python examples/large_payload.py [PORT]      then, elsewhere:  python examples/large_payload.py client [PORT]
"""

import logging
import os
import sys
import time

from engine import Client, Server, Settings

PORT = int(sys.argv[-1]) if sys.argv[-1].isdecimal() else 9501
PAYLOAD_BYTES = 10 * 2**20

server = Server(
    "127.0.0.1",
    PORT,
    Settings(
        worker_num=2,
        task_worker_num=4,
        open_length_check=True,
        package_body_offset=4,
        process_name="large_payload",
    ),
)


@server.on("start")
def start(server: Server) -> None:
    print(f"listening on {server.host}:{server.port}", flush=True)


@server.on("receive")
def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    payload = os.urandom(PAYLOAD_BYTES)
    began_at = time.monotonic()

    def back(server: Server, task_id: int, result: bytes) -> None:
        verdict = "unchanged" if result == payload else "CHANGED"
        took_s = time.monotonic() - began_at
        server.send(fd, f"task {task_id}: {len(result)} bytes there and back in {took_s:.3f} s, {verdict}\n")

    # `back` is called instead of `finish`; it knows the client and what was sent
    task_id = server.task(payload, 0, back)
    server.send(fd, f"分发任务，任务id为{task_id}\n")


@server.on("task")
def task(server: Server, task_id: int, src_worker_id: int, data: bytes) -> bytes:
    print(f"#{server.worker_id} task: task_id={task_id} bytes={len(data)}", flush=True)
    return data


def client() -> int:
    """Ask three times; the exit status is 0 when every payload came back as it was."""
    with Client("127.0.0.1", PORT) as connection:
        for _ in range(3):
            connection.send("go")
        lines = [connection.read_line() for _ in range(6)]
    print("\n".join(lines))
    return 0 if sum(line.endswith(", unchanged") for line in lines) == 3 else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        sys.exit(client())
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    server.start()
