"""Mistakes that the type checker finds before a server starts; each line names the kind it must report."""

from engine import Client, Server, Settings, TaskFailed
from engine.testing import InlineServer

server = Server("127.0.0.1", 9501, Settings(worker_num="2"))  # error: arg-type
Settings(task_worker_nums=2)  # error: call-arg
Settings(2)  # error: call-arg
server.on("receive", 7)  # error: call-overload
server.send("1", b"x")  # error: arg-type
server.send(1, 7)  # error: arg-type
server.task(b"x", "0")  # error: arg-type
server.task(b"x", finish_callback=server.close)  # error: arg-type
server.task(b"x", error_callback=server.close)  # error: arg-type
wrong_id: str = server.task(b"x")  # error: assignment
done = server.stats().tasks_donee  # error: attr-defined
Client("127.0.0.1", 9501).send(7)  # error: arg-type
InlineServer(Settings())  # error: arg-type


@server.on("receive")
def receive(server: Server, fd: int, reactor_id: int, data: bytes) -> None:
    server.task_wait(data)  # error: unused-coroutine


receive(server, 1, 0, "text")  # error: arg-type


@server.on("receive")  # error: type-var
def takes_text(server: Server, fd: int, reactor_id: int, data: str) -> None: ...


@server.on("WorkerStart")  # error: type-var
def forgets_the_worker_id(server: Server) -> None: ...


@server.on("start")  # error: type-var
async def in_the_manager(server: Server) -> None: ...


@server.on("worker_error")  # error: type-var
def of_four(server: Server, worker_id: int, pid: int, exit_code: int) -> None: ...


@server.on("task_error")  # error: type-var
async def knows_but_one(server: Server, task_id: int, error: TaskFailed) -> None: ...


server.on("close", takes_text)  # error: call-overload
server.on("Receive", takes_text)  # error: call-overload
server.on("finish", lambda server, data: None)  # error: call-overload
server.on("shutdown", in_the_manager)  # error: call-overload
server.on("connect", lambda server, fd, reactor_id: server.sent(fd, b"welcome"))  # error: call-overload
server.on("recieve", takes_text)  # error: call-overload
