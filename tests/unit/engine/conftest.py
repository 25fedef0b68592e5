"""How hypothesis works here: no deadline, which a busy machine would break; what reproduces a failure is printed.
And System V queues that are gone after the test."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sysv_ipc
from hypothesis import settings

from engine.ipc.sysv_queue import open_queue, remove_queue, unused_key

settings.register_profile("engine", deadline=None, print_blob=True, max_examples=80)
settings.load_profile("engine")


@pytest.fixture(scope="module")
def light_collections() -> Iterator[None]:
    """For a module whose tests collect garbage again and again: what all tests before them made is left out of it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def quick_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where the system has such: for who makes and closes thousands of files."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(prefix="sms-tests-", dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def queue_key() -> Iterator[int]:
    """A key for a queue that nobody has; what the test makes under it is removed."""
    key = unused_key()
    try:
        yield key
    finally:
        remove_queue(key)


other_queue_key = queue_key


@pytest.fixture
def queue(queue_key: int) -> sysv_ipc.MessageQueue:
    """An empty queue."""
    return open_queue(queue_key)
