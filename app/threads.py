"""Threads for what blocks, a few of one purpose: who waits in one line never holds up another."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class Threads:
    """At most `count` threads, each begun at its first use. Together a process has no more of them than
    `open_database` allows connections, so that none waits for one."""

    def __init__(self, purpose: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=purpose)

    async def run(self, call: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
        """What `call` gives or raises, in a thread. It runs to its end even if nobody waits for it any more."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *arguments)

    def close(self) -> None:
        """What has not begun does not happen; what has begun is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
