"""Real database servers for tests: found or started, and a schema of its own for each test."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from tests import memory
from tests.ports import free_port
from tests.waiting import until

IMAGE = "mysql:9.7"
PREFIX = "sms_test_"
"""Every schema that tests make begins so."""
_HURRIED = [
    *("--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--skip-log-bin"),
    *("--performance-schema=OFF", "--max-connections=500"),
]
"""No test cuts the power, follows the server's changes, or asks it where its time goes.
Several processes of tests have several servers each, with connections of their own."""
WITHIN_S = 100.0
"""How long a server may take until it answers, on a machine that is busy."""
_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/usr/libexec"]
_INSTALLERS = ("mariadb-install-db", "mysql_install_db")


@cache
def _connections(admin: URL) -> Engine:
    """One connection that is kept: to open it takes ten times as long as to make a schema, and every test makes one."""
    return create_engine(admin, pool_size=1, pool_pre_ping=True)


@dataclass(frozen=True, slots=True)
class Server:
    """A MySQL or MariaDB that answers."""

    admin: URL
    """Without a schema; may make schemas."""
    user: URL
    """Without a schema; owns the schemas that tests make, and nothing else where we made the account."""

    def connections(self) -> Engine:
        """As admin."""
        return _connections(self.admin)

    def execute(self, *statements: str) -> None:
        """Run statements as admin."""
        with self.connections().connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
            connection.commit()

    def answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except DBAPIError:
            return False
        return True

    @contextmanager
    def schema(self) -> Iterator[str]:
        """The address of a new, empty schema; dropped afterwards."""
        name = PREFIX + secrets.token_hex(6)
        self.execute(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        try:
            yield self.user.set(database=name).render_as_string(hide_password=False)
        finally:
            self.execute(f"DROP DATABASE {name}")


class NoServer(Exception):
    """This machine has no server program that could be started; says what is missing."""


@contextmanager
def mysql_server() -> Iterator[Server]:
    """TEST_DATABASE_URL; a container; a server program of this machine. Raises NoServer where there is none of them.

    The account in TEST_DATABASE_URL must be allowed to make schemas; the one it names stays untouched.
    """
    with ExitStack() as stack:
        if given := os.environ.get("TEST_DATABASE_URL"):
            address = make_url(given).set(database="")
            yield Server(address, address)
        elif docker_answers():
            yield stack.enter_context(container("--local-infile=1", *_HURRIED)).server
        else:
            yield stack.enter_context(private_server(find_server("mysqld", "mariadbd")))


@contextmanager
def mariadb_server(*options: str) -> Iterator[Server]:
    """A private MariaDB with `options`. Raises NoServer."""
    # The default from 11.6.2 on, and the stricter choice; older ones that do not have it go on without.
    with private_server(find_server("mariadbd"), "--loose-innodb-snapshot-isolation=ON", *options) as server:
        yield server


def find_server(*names: str) -> str:
    """The first of the server programs `names` that is installed. Raises NoServer, also when that one is here without
    the programs that make its first data."""
    program = find_program(*names)
    if program is None:
        raise NoServer(f"no {' or '.join(names)} on this machine")
    if _is_mariadb(program):
        for tools, package in (_INSTALLERS, "mariadb-server-core"), (("my_print_defaults",), "mariadb-client-core"):
            if not find_program(*tools):
                raise NoServer(f"{program} is here, but {tools[0]} is not; it is in the package {package}")
    return program


def find_program(*names: str) -> str | None:
    """The first of `names` that is installed; servers are often outside an ordinary user's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *_FOLDERS])
    return next(filter(None, (shutil.which(name, path=path) for name in names)), None)


def docker_answers() -> bool:
    import docker

    try:
        client = docker.from_env(timeout=30)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class Contained:
    """A MySQL in a container of its own."""

    server: Server
    inside: str
    """Its address for containers beside it."""
    kill: Callable[[], None]
    """`kill -9`, as when its host dies; not to be started again."""


@contextmanager
def container(*options: str) -> Iterator[Contained]:
    """A MySQL with these options, which goes with its container. It takes a Docker engine that answers."""
    # The reaper needs an image of its own, which may not be there; tests/keeper.py removes the container just as well.
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    try:
        from testcontainers.community.mysql import MySqlContainer
    except ImportError:  # testcontainers before 4.15
        from testcontainers.mysql import MySqlContainer

    engine_is_here = os.environ.get("DOCKER_HOST", "unix:").startswith("unix:")
    container: Any = MySqlContainer(IMAGE, username="sms", password="sms", root_password="root", dbname="sms")
    container.with_command(" ".join(options))
    if engine_is_here:
        container.ports = {"3306/tcp": ("127.0.0.1",)}  # a free port, closed to other machines
    if memory.folder():
        container.with_tmpfs_mount("/var/lib/mysql")
    with container:
        running = container.get_wrapped_container()
        running.reload()
        published = int(running.ports["3306/tcp"][0]["HostPort"])
        inside = str(running.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"])
        addresses = [(container.get_container_host_ip(), published)]
        if engine_is_here:  # a test run in a container beside it sees another loopback
            addresses = [("127.0.0.1", published), (inside, 3306)]
        servers = [_server(host, port, "root", "root") for host, port in addresses]
        server = until(
            lambda: next((each for each in servers if each.answers()), None), within_s=WITHIN_S, what="MySQL answers"
        )
        assert server
        server.execute(f"GRANT ALL ON `{PREFIX}%`.* TO sms")
        yield Contained(server, inside, running.kill)


def _server(host: str, port: int, admin: str, password: str) -> Server:
    address = URL.create("mysql+pymysql", admin, password, host, port)
    return Server(address, address.set(username="sms", password="sms"))


@contextmanager
def private_server(program: str, *more: str) -> Iterator[Server]:
    """A server of our own from `program`, mysqld or mariadbd, with `more` options; its data goes with it."""
    with tempfile.TemporaryDirectory(
        prefix="sms-", dir=memory.folder()
    ) as folder:  # a socket's path has 107 bytes at most
        home = Path(folder)
        _initialise(program, home)
        (home / "accounts.sql").write_text("".join(f"{line};\n" for line in _accounts()))
        port = free_port()
        options = [
            *_common(home),
            f"--init-file={home / 'accounts.sql'}",
            f"--socket={home / 'socket'}",
            f"--pid-file={home / 'pid'}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            "--local-infile=1",
            *_HURRIED,
            *more,
        ]
        if not _is_mariadb(program):
            options += ["--mysqlx=OFF", "--secure-file-priv=NULL"]  # its folder may be missing, and we need none
        with (home / "log").open("wb") as log:
            process = subprocess.Popen([program, *options], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            server = _server("127.0.0.1", port, "tests", "tests")
            until(lambda: process.poll() is not None or server.answers(), within_s=WITHIN_S, what=f"{program} answers")
            if process.poll() is not None:
                raise RuntimeError(f"{program} ended:\n{(home / 'log').read_text()}")
            yield server
        finally:
            process.kill()  # nothing in it is worth an orderly end
            process.wait()


def _initialise(program: str, home: Path) -> None:
    if _is_mariadb(program):
        command = [
            find_program(*_INSTALLERS) or _INSTALLERS[0],
            *_common(home),
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        ]
    else:
        command = [program, *_common(home), "--initialize-insecure"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _accounts() -> Iterator[str]:
    for host in ("127.0.0.1", "localhost"):  # which of the two we are depends on the machine's name service
        for name, rights in (("tests", "*.*"), ("sms", f"`{PREFIX}%`.*")):
            yield f"CREATE USER '{name}'@'{host}' IDENTIFIED BY '{name}'"
            yield f"GRANT ALL ON {rights} TO '{name}'@'{host}'"


def _common(home: Path) -> list[str]:
    # A server that starts removes everybody's temporary tables from the folder of such, as if they were left from its
    # own former life; so nobody may share one, not even while the first data are made.
    (home / "tmp").mkdir(exist_ok=True)
    options = ["--no-defaults", f"--datadir={home / 'data'}", f"--tmpdir={home / 'tmp'}"]
    return [*options, "--user=root"] if os.geteuid() == 0 else options


def _is_mariadb(program: str) -> bool:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return "MariaDB" in done.stdout
