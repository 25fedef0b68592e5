"""A throw-away MySQL for benchmarks, and the floor: its own command-line clients writing the same messages."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from testcontainers.mysql import MySqlContainer

IMAGE = "mysql:9.7"
CLIENTS = 4
_FLOOR = """\
export MYSQL_PWD=sms
for i in 0 1 2 3; do
    mysql -h127.0.0.1 -usms --quick --raw -N -B --default-character-set=utf8mb4 {schema} -e "
        SELECT CONCAT('尊敬的手机号为', mobile, '的', name, '_',
            CASE WHEN gender IS NULL THEN '客户' WHEN gender = 0 THEN '女士' ELSE '先生' END,
            '_你好，然后xxxxxx省....')
        FROM customers WHERE id > $((i * {shard})) AND id <= $(((i + 1) * {shard})) ORDER BY id" > /tmp/task_$i.log &
done
wait
"""


def per_client(customers: int) -> int:
    """The ids that each client of the floor takes; a shard of so many is one task for each of them."""
    return -(-customers // CLIENTS)


@dataclass(frozen=True, slots=True)
class Database:
    """A running server; each schema is a database of its own, named after what is in it."""

    container: MySqlContainer

    def url(self, driver: str, schema: str) -> str:
        host, port = self.container.get_container_host_ip(), self.container.get_exposed_port(3306)
        return f"mysql+{driver}://sms:sms@{host}:{port}/{schema}"

    def make_schema(self, schema: str) -> None:
        self._run(
            f'MYSQL_PWD=root mysql -uroot -h127.0.0.1 -e "CREATE DATABASE {schema}; GRANT ALL ON {schema}.* TO sms"'
        )

    def floor(self, schema: str, shard: int) -> float:
        """Seconds that four clients take to write all messages into files, one for each shard."""
        script = _FLOOR.format(schema=schema, shard=shard)
        began = time.monotonic()
        self._run(script)
        return time.monotonic() - began

    def floor_digests(self) -> list[str]:
        """SHA-256 of each file that `floor` wrote last."""
        printed = self._run("cd /tmp && sha256sum " + " ".join(f"task_{i}.log" for i in range(CLIENTS)))
        return [line.split()[0] for line in printed.splitlines()]

    def _run(self, script: str) -> str:
        code, output = self.container.get_wrapped_container().exec_run(["bash", "-c", script])
        text = output.decode(errors="replace")
        if code:
            raise RuntimeError(f"a command in the container failed: {text[-500:]}")
        return str(text)


@contextmanager
def throw_away() -> Iterator[Database]:
    """A server in a container, removed afterwards."""
    container = MySqlContainer(IMAGE, username="sms", password="sms", root_password="root", dbname="sms")
    with container.with_command("--local-infile=1") as running:
        yield Database(running)
