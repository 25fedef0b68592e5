"""Who shares a number with a lower id is found: all of them, nobody else, and whoever is stopped begins again."""

import fcntl
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.dedupe import find_duplicates as module
from app.dedupe import number_runs, numbers
from app.dedupe.find_duplicates import find_duplicates
from app.domain.campaign import State, Verb
from app.domain.mobile import normalise
from app.errors import LogUnusable, ShardTaken
from app.store import campaigns, duplicates
from app.store.database import writing
from app.store.duplicates import Duplicates
from tests.integration.app.campaigns import as_stored, trigger
from tests.integration.app.people import Row, move_in, person
from tests.words import refused

MOBILES = [
    "13800000001",
    "+8613800000001",
    "１３８０００００００１",
    "13800000002",
    " 13800000002 ",
    "138-0000-0003",
    "bad",
    "",
]
NAMES = ["张伟", "", "  ", "\u3000\t", "\u2028", "\u3000王芳", "a\x1eb"]


def same_number(row_ids: Iterable[int], mobile: str = "13800000000", name: str = "张伟") -> list[Row]:
    return [(number, name, 1, mobile) for number in row_ids]


def expected(rows: Iterable[Row]) -> list[int]:
    """Worked out one by one, with a dictionary."""
    first: dict[str, int] = {}
    return [
        number
        for number, name, _, mobile in sorted(rows)
        if name.strip() and (digits := normalise(mobile)) and first.setdefault(digits, number) != number
    ]


def never() -> bool:
    return False


class Prepared:
    """Campaigns one after the other on one database."""

    def __init__(self, database, logs):
        self.database = database
        self.logs = logs
        self.count = 0

    def begin(self, rows):
        move_in(self.database, rows)
        self.count += 1
        self.campaign = trigger(self.database, f"c{self.count}", 10, allow_duplicates=False)

    def find(self, should_stop=never):
        return find_duplicates(self.database, self.logs, self.campaign.id, should_stop)

    @property
    def found(self):
        with self.database.connect() as connection:
            return sorted(Duplicates(connection, self.campaign.id, 0, 2**32).within(0, 2**32))

    @property
    def files(self):
        return sorted(each.name for each in (self.logs / ".numbers").glob("*/*"))

    @property
    def is_preparing(self):
        return as_stored(self.database, self.campaign).is_preparing


@pytest.fixture
def prepared(database, logs):
    return Prepared(database, logs)


@pytest.fixture
def on_sqlite(sqlite, logs):
    return Prepared(sqlite, logs)


ROWS = st.lists(
    st.tuples(st.integers(1, 50) | st.integers(1, 300), st.sampled_from(NAMES), st.just(1), st.sampled_from(MOBILES)),
    unique_by=lambda row: row[0],
    min_size=1,
    max_size=40,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, run_ids=st.sampled_from([9, 40, 10_000]), block=st.sampled_from([1, 2, 5]), page=st.integers(3, 20))
def test_those_are_found_that_a_dictionary_would_find(prepared, rows, run_ids, block, page):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RUN_IDS", run_ids)
        patch.setattr(module, "LEAST_BLOCK", block)
        patch.setattr(module, "MERGED_AT_ONCE", block)
        patch.setattr(numbers, "PAGE_ROWS", page)
        patch.setattr(numbers, "NAMES_AT_ONCE", 3)
        patch.setattr(duplicates, "IDS_IN_A_ROW", 2)
        prepared.begin(rows)

        assert prepared.find()

    assert prepared.found == expected(rows)
    assert prepared.files == []


@pytest.mark.parametrize("mobile", ["13800000000", "+86 13800000000"])
def test_a_packed_page_that_the_server_cut_off_is_read_by_halves(mysql, monkeypatch, mobile):
    monkeypatch.setattr(numbers, "PAGE_ROWS", 40)
    move_in(mysql, same_number(range(1, 101), mobile))
    with mysql.connect() as connection:
        for longest in range(690, 720):
            connection.exec_driver_sql(f"SET SESSION group_concat_max_len = {longest}")
            ids, _ = numbers.page(connection, "customers", 0, 100)
            assert sorted(ids.tolist()) == list(range(1, 101)), f"cut off after {longest} bytes"
        connection.invalidate()


def test_the_ids_of_a_page_are_those_of_its_range(prepared, monkeypatch):
    monkeypatch.setattr(duplicates, "IDS_IN_A_ROW", 3)
    prepared.begin(same_number(range(1, 21)))
    prepared.find()

    with prepared.database.connect() as connection:
        some = Duplicates(connection, prepared.campaign.id, 5, 15)

    assert some.within(5, 15) == frozenset(range(6, 16))
    assert some.within(7, 9) == {8, 9}
    assert some.within(15, 20) == frozenset()


def test_a_blank_is_whatever_python_strips_from_a_name():
    assert set(numbers.BLANKS) == {each for each in map(chr, range(0x110000)) if each.isspace()}


def test_a_campaign_that_is_prepared_is_not_prepared_again(on_sqlite, monkeypatch):
    on_sqlite.begin(same_number([1, 2]))
    on_sqlite.find()
    monkeypatch.setattr(numbers, "page", dies)

    assert on_sqlite.find()
    assert on_sqlite.found == [2]


def dies(*_: object) -> None:
    raise RuntimeError("killed")


def test_few_customers_are_read_by_all_threads(on_sqlite, monkeypatch):
    monkeypatch.setattr(module, "_merge", dies)
    on_sqlite.begin(same_number([1, 100]))

    with pytest.raises(RuntimeError):
        on_sqlite.find()

    assert on_sqlite.files == [f"{number}.run" for number in range(module.THREADS)]


def test_runs_that_were_finished_are_kept_over_a_death(on_sqlite, monkeypatch):
    monkeypatch.setattr(module, "RUN_IDS", 10)
    monkeypatch.setattr(module, "THREADS", 1)
    rows = [*same_number([5, 35]), person(15), person(25), *map(person, range(40, 50))]
    on_sqlite.begin(rows)
    real, read = numbers.page, []

    def page_until(last):
        def page(connection, audience, after_id, to_id):
            if after_id >= last:
                dies()
            read.append(after_id)
            return real(connection, audience, after_id, to_id)

        return page

    monkeypatch.setattr(numbers, "page", page_until(30))
    with pytest.raises(RuntimeError):
        on_sqlite.find()
    left = on_sqlite.files
    monkeypatch.setattr(numbers, "page", page_until(1000))

    assert on_sqlite.find()

    assert left == ["0.run", "1.run", "2.run"]
    assert read == [0, 10, 20, 30, 40]
    assert on_sqlite.found == [35]
    assert on_sqlite.files == []


@pytest.mark.parametrize("damage", [lambda data: data[:-3], lambda data: b"", lambda data: data[:-1] + b"x"])
def test_a_run_that_was_damaged_is_written_again(on_sqlite, monkeypatch, damage):
    monkeypatch.setattr(module, "RUN_IDS", 10)
    on_sqlite.begin(same_number([5, 15, 25]))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(module, "_merge", dies)
        on_sqlite.find()
    (run,) = (on_sqlite.logs / ".numbers").glob("*/1.run")
    run.write_bytes(damage(run.read_bytes()))

    assert on_sqlite.find()
    assert on_sqlite.found == [15, 25]


def test_the_numbers_in_files_are_closed_to_others(on_sqlite, monkeypatch):
    on_sqlite.begin(same_number([5, 15]))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(module, "_merge", dies)
        on_sqlite.find()

    modes = {each.stat().st_mode & 0o777 for each in (on_sqlite.logs / ".numbers").rglob("*.run")}
    folders = {each.stat().st_mode & 0o777 for each in (on_sqlite.logs / ".numbers").rglob("*") if each.is_dir()}
    assert (modes, folders) == ({0o600}, {0o700})


def test_numbers_of_campaigns_that_are_over_do_not_stay(on_sqlite):
    on_sqlite.begin(same_number([1, 2]))
    left = on_sqlite.logs / ".numbers" / "77-1.000"
    left.mkdir(parents=True)
    (left / "0.run").touch()

    on_sqlite.find()

    assert not left.exists()


def test_what_somebody_else_left_in_the_folder_of_numbers_stays_and_does_no_harm(on_sqlite, logs):
    on_sqlite.begin(same_number([1, 2]))
    (logs / ".numbers" / "notes").mkdir(parents=True)
    (logs / ".numbers" / "stray").touch()
    (logs / ".numbers" / "78-1.000").touch()
    (logs / ".numbers" / "79-1.000").symlink_to(logs)

    assert on_sqlite.find()

    assert on_sqlite.found == [2]
    assert sorted(each.name for each in (logs / ".numbers").iterdir()) == ["78-1.000", "79-1.000", "notes", "stray"]


def test_a_folder_that_another_process_removes_at_the_same_moment_is_gone_and_no_more(on_sqlite, logs, monkeypatch):
    on_sqlite.begin(same_number([1, 2]))
    (logs / ".numbers" / "77-1.000").mkdir(parents=True)
    real = campaigns.newest_first

    def newest_first(connection):
        (logs / ".numbers" / "77-1.000").rmdir()
        return real(connection)

    monkeypatch.setattr(campaigns, "newest_first", newest_first)

    assert on_sqlite.find()


def test_a_folder_that_vanishes_before_it_is_locked_is_made_again(on_sqlite, monkeypatch):
    on_sqlite.begin(same_number([1, 2]))
    real = fcntl.flock
    removed = []

    def flock(descriptor, how):
        if not removed:
            removed.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            removed[0].rmdir()
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)

    assert on_sqlite.find()
    assert ".numbers" in removed[0].parts
    assert on_sqlite.found == [2]


def test_many_campaigns_are_prepared_at_once(sqlite, logs):
    move_in(sqlite, same_number([1, 2]))
    made = [trigger(sqlite, f"c{number}", 10, allow_duplicates=False) for number in range(40)]

    with ThreadPoolExecutor(8) as pool:
        prepared = list(pool.map(lambda each: find_duplicates(sqlite, logs, each.id, never), made))

    assert prepared == [True] * len(made)
    assert list((logs / ".numbers").iterdir()) == []


def test_numbers_of_another_campaign_that_is_being_prepared_stay(on_sqlite, monkeypatch):
    monkeypatch.setattr(module, "THREADS", 1)
    on_sqlite.begin(same_number([1, 2]))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(module, "_merge", dies)
        on_sqlite.find()
    other = Prepared(on_sqlite.database, on_sqlite.logs)
    other.count = 1
    other.begin(same_number([1, 2]))

    other.find()

    assert on_sqlite.files == ["0.run"]


def test_who_is_told_to_stop_stops_and_leaves_nothing_half_done(prepared):
    prepared.begin(same_number([1, 2]))

    assert not prepared.find(should_stop=lambda: True)

    assert prepared.is_preparing
    assert prepared.found == []


def test_a_campaign_that_does_not_run_any_more_is_not_prepared(on_sqlite, monkeypatch):
    monkeypatch.setattr(module, "THREADS", 1)
    on_sqlite.begin(same_number([1, 2]))
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)
    real = numbers.page

    def page(connection, audience, after_id, to_id):
        pause(on_sqlite)
        return real(connection, audience, after_id, to_id)

    monkeypatch.setattr(numbers, "page", page)

    assert not on_sqlite.find()
    assert on_sqlite.found == []
    assert on_sqlite.files in ([], ["0.run"])  # that may be there already, for when it goes on


@pytest.mark.alone(reason="the end is to come within a second")
def test_a_pause_ends_it_within_a_second(on_sqlite, monkeypatch):
    on_sqlite.begin(same_number(range(1, 1001)))
    monkeypatch.setattr(module, "RUN_IDS", 1)
    begun, ended = threading.Event(), []

    def page_that_takes_a_while(connection, audience, after_id, to_id):
        begun.set()
        time.sleep(0.05)  # a thousand of them would take 25 s
        return real(connection, audience, after_id, to_id)

    real = numbers.page
    monkeypatch.setattr(numbers, "page", page_that_takes_a_while)
    finding = threading.Thread(target=lambda: ended.append(on_sqlite.find()))
    finding.start()
    assert begun.wait(30)

    pause(on_sqlite)
    paused_at = time.monotonic()
    finding.join(30)

    assert ended == [False]
    assert time.monotonic() - paused_at < 1.0


@pytest.mark.alone(reason="the pause is to be seen within a second")
def test_a_pause_right_after_a_look_is_seen_within_a_second_whatever_the_readers_do(on_sqlite, monkeypatch):
    on_sqlite.begin(same_number([1, 2]))
    is_seen = threading.Event()
    real_get, real_page = campaigns.get, numbers.page
    looks, at = [], {}

    def get(connection, campaign_id):
        found = real_get(connection, campaign_id)
        if found.state is State.PAUSED:
            at["seen"] = time.monotonic()
            is_seen.set()
        looks.append(found)
        if len(looks) == 2:  # the first one is before the readers begin
            at["paused"] = time.monotonic()
            with writing(on_sqlite.database) as writer:
                campaigns.change(writer, campaign_id, Verb.PAUSE)
        return found

    def page(*arguments):
        assert is_seen.wait(30)
        return real_page(*arguments)

    monkeypatch.setattr(campaigns, "get", get)
    monkeypatch.setattr(numbers, "page", page)

    assert not on_sqlite.find()
    assert at["seen"] - at["paused"] < 1.0


def pause(prepared):
    with writing(prepared.database) as connection:
        campaigns.change(connection, prepared.campaign.id, Verb.PAUSE)
    assert as_stored(prepared.database, prepared.campaign).state is State.PAUSED


def test_two_do_not_prepare_one_campaign_at_the_same_time(on_sqlite, monkeypatch):
    on_sqlite.begin(same_number([1, 2]))
    inside, go_on = threading.Event(), threading.Event()
    real = number_runs.Run.write

    def write(run, people):
        inside.set()
        assert go_on.wait(30)
        real(run, people)

    monkeypatch.setattr(number_runs.Run, "write", write)
    first = threading.Thread(target=on_sqlite.find)
    first.start()
    assert inside.wait(30)

    try:
        with pytest.raises(ShardTaken):
            on_sqlite.find()
    finally:
        go_on.set()
        first.join()
    assert on_sqlite.found == [2]


def test_a_folder_that_cannot_be_written_is_said_as_such(on_sqlite):
    on_sqlite.begin(same_number([1, 2]))
    on_sqlite.logs.mkdir()
    (on_sqlite.logs / ".numbers").touch()

    with refused(LogUnusable, match="cannot be used to look for duplicates"):
        on_sqlite.find()
