"""What a fleet has in common: a database and a broker, in a network of their own that hosts have links to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import URL

from tests import memory
from tests.databases import IMAGE, NoServer, Server, docker_answers
from tests.hosts import BROKER, DATABASE, PREFIX, Hosts, hosts
from tests.rabbit import Broker, rabbit
from tests.waiting import until

PASSWORD = "sms"
OPTIONS = ("--local-infile=1", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--max-connections=500")
STARTS_WITHIN_S = 180.0


@contextmanager
def served_hosts(count: int) -> Iterator[tuple[Hosts, Server, Broker]]:
    """So many hosts, a MySQL and a RabbitMQ. The caller is in the hub as long as the `with` lasts. Raises NoHosts, and
    NoServer."""
    if not docker_answers():
        raise NoServer("no Docker, which has the MySQL of the hosts")
    with _container() as process, hosts(count, hub_of=process) as made, made.hub.entered():
        address = URL.create("mysql+pymysql", "root", PASSWORD, DATABASE, 3306)
        server = Server(address, address)
        until(server.answers, within_s=STARTS_WITHIN_S, what="MySQL answers on the hub")
        with rabbit(BROKER) as broker:
            yield made, server, broker


@contextmanager
def _container() -> Iterator[int]:
    """The first process of one that has no network yet."""
    import docker

    client = docker.from_env()
    try:
        for left in client.containers.list(all=True, filters={"name": f"^{PREFIX}-"}, ignore_removed=True):
            if not Path("/proc", str(left.name).split("-")[1]).exists():  # whose run was killed
                with suppress(docker.errors.APIError):
                    left.remove(force=True, v=True)
        container = client.containers.run(
            IMAGE,
            list(OPTIONS),
            name=f"{PREFIX}-{os.getpid()}-hub",
            network_mode="none",
            environment={"MYSQL_ROOT_PASSWORD": PASSWORD},
            tmpfs={"/var/lib/mysql": ""} if memory.folder() else {},
            detach=True,
        )
        try:
            container.reload()
            yield int(container.attrs["State"]["Pid"])
        finally:
            container.remove(force=True, v=True)
    except docker.errors.ImageNotFound as error:
        raise NoServer(f"no image {IMAGE}") from error
    finally:
        client.close()
