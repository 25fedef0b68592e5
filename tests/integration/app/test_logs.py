"""The logs of a real server, byte for byte, for tables of every shape."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import MYSQL
from tests.integration.app.campaigns import with_tables
from tests.integration.app.people import ODD_NAMES, Row, crowd, expected_logs, logs_of, move_in, person
from tests.integration.app.serving import Product

SMALL = 10
REAL = 500_000


@pytest.fixture(scope="module", params=["sqlite", MYSQL])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def small_shards(kind, request, tmp_path_factory):
    """A server that cuts ids in tens, for all tests of this file."""
    yield from serve(kind, request, tmp_path_factory, SMALL)


@pytest.fixture(scope="module")
def real_shards(kind, request, tmp_path_factory):
    """A server with the tutorial's shards, on a database of its own: two servers on one would share the shards."""
    yield from serve(kind, request, tmp_path_factory, REAL)


def serve(
    kind: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory, shard_size: int
) -> Iterator[Product]:
    home = folders.mktemp("product")
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{home / 'sms.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("mysql_server").schema())
        stack.enter_context(with_tables(url))
        product = stack.enter_context(Product(url, home, shard_size=shard_size))
        product.start()
        yield product


def named(*numbers: int) -> list[Row]:
    """Customers with these ids."""
    return [person(number, f"客户{number}号", (0, 1, None, 1)[number % 4]) for number in numbers]


GAPS = [
    person(3, "张伟", 1),
    person(4, "王芳", 0),
    person(9, "李娜", None),
    person(10, "𠮷野家", 2),
    person(11, "😀👩‍👩‍👧", 0),
    person(27, "名" * 64, -1),
]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("编号有空缺", GAPS),
        ("名字各种各样", [person(number, name, 0) for number, name in enumerate(ODD_NAMES, start=1)]),
        ("没有客户", []),
        ("一个客户", named(1)),
        ("一个客户-编号很大", named(42)),
        ("正好一个分片", named(*range(1, 11))),
        ("一个分片少一个", named(*range(1, 10))),
        ("一个分片多一个", named(*range(1, 12))),
        ("中间分片没有人", named(1, 25)),
        ("只有分片两端", named(1, 10, 11, 20, 21, 30)),
        ("分片比任务进程多", crowd(95)),
    ],
)
def test_logs_are_exact_for_small_shards(small_shards, name, rows):
    check_logs(small_shards, name, rows, SMALL)


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("分片两端", named(1, 499_999, 500_000, 500_001, 999_999, 1_000_000, 1_000_001, 2_000_000)),
        ("编号超过两百万", named(7, 1_999_999, 2_000_000, 2_000_001, 2_345_678)),
        ("正好一个真分片", named(250_000, 500_000)),
        ("真分片多一个", named(500_001)),
    ],
)
def test_logs_are_exact_for_the_tutorials_shards(real_shards, name, rows):
    check_logs(real_shards, name, rows, REAL)


def check_logs(product: Product, name: str, rows: list[Row], shard_size: int) -> None:
    move_in(product.database, rows)
    expected = expected_logs(rows, shard_size)

    answer = product.ask(name)

    tasks = ",".join(map(str, sorted({(row[0] - 1) // shard_size for row in rows})))
    assert answer == (f"分发任务给了task{tasks}执行,您将收到短信提醒" if rows else f"没有客户,任务{name}已完成")
    assert product.wait_until_over(name) == "finished"
    assert logs_of(product.logs, name) == expected


def test_the_logs_of_the_fixture_are_what_the_tutorial_would_write():
    assert expected_logs([person(1), person(12, "王芳", 0)], 10) == {
        "task_0.log": "尊敬的手机号为13800000001的张伟_先生_你好，然后xxxxxx省....\n".encode(),
        "task_1.log": "尊敬的手机号为13800000012的王芳_女士_你好，然后xxxxxx省....\n".encode(),
    }


def test_a_template_of_ones_own_is_what_stands_in_the_logs(small_shards):
    move_in(small_shards.database, GAPS)

    small_shards.ask('{"campaign": "自己的短信", "template": "{honorific}{{{name}}}:{mobile}"}')

    assert small_shards.wait_until_over("自己的短信") == "finished"
    assert logs_of(small_shards.logs, "自己的短信")["task_0.log"].decode().splitlines() == [
        "先生{张伟}:13800000003",
        "女士{王芳}:13800000004",
        "客户{李娜}:13800000009",
        "先生{𠮷野家}:13800000010",
    ]


def test_campaigns_at_the_same_time_do_not_mix(small_shards):
    rows = crowd(95)
    move_in(small_shards.database, rows)
    names = [f"同时{number}" for number in range(5)]

    with small_shards.client() as client:
        for name in names:
            client.send(name)
        for _ in names:
            client.read_line()

    assert {small_shards.wait_until_over(name) for name in names} == {"finished"}
    assert all(logs_of(small_shards.logs, name) == expected_logs(rows, SMALL) for name in names)
