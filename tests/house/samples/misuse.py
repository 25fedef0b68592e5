"""Mistakes that the type checker finds before a server starts; each line names the kind it must report."""

from engine import Client, Server, Settings
from engine.testing import InlineServer

server = Server("127.0.0.1", 9501, Settings(worker_num="2"))  # error: arg-type
Settings(task_worker_nums=2)  # error: call-arg
Settings(2)  # error: call-arg
server.on("receive", 7)  # error: call-overload
server.send("1", b"x")  # error: arg-type
server.send(1, 7)  # error: arg-type
server.task(b"x", "0")  # error: arg-type
server.task(b"x", finish_callback=server.close)  # error: arg-type
wrong_id: str = server.task(b"x")  # error: assignment
done = server.stats().tasks_donee  # error: attr-defined
Client("127.0.0.1", 9501).send(7)  # error: arg-type
InlineServer(Settings())  # error: arg-type


@server.on("receive")
def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    server.task_wait(data)  # error: unused-coroutine


receive(server, 1, 0, "text")  # error: arg-type
