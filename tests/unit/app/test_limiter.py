"""No second holds more than the rate, whoever sends and however late; and most of it is used."""

import asyncio
from random import Random

import pytest

from app.sending.limiter import Limiter


class Account:
    """The row that all share, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.next_free = 0.0

    def clock(self) -> float:
        return self.now

    async def reserve(self, cost_us: int) -> tuple[float, float]:
        begins = max(self.next_free, self.now)
        self.next_free = begins + cost_us / 1e6
        return begins + 50_000, self.now + 50_000  # the database's clock is another one


def simulate(rate, seconds, *, senders=1, wanted=1000, stall=0.0, size=1, seed=1):
    """When each part left. Senders are asked in turn, every two milliseconds of the account's clock, and now and then
    all of them stand still for `stall` seconds."""
    random = Random(seed)
    account = Account()
    limiters = [Limiter(rate, account.reserve, account.clock) for _ in range(senders)]
    left = []

    async def run() -> None:
        end = account.now + seconds
        while account.now < end:
            for each in limiters:
                await each.buy(wanted)
                parts, _ = each.free()
                parts = -(-parts // size) * size  # messages of so many parts are not cut
                each.spend(parts)
                left.extend([account.now] * parts)
            account.now += 0.002
            if stall and random.random() < 0.01:
                account.now += stall

    asyncio.run(run())
    return left


def most_in_a_second(left):
    """The fullest window of one second."""
    first = most = 0
    for last, at in enumerate(left):
        while left[first] <= at - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


@pytest.mark.parametrize("senders", [1, 4])
@pytest.mark.parametrize("rate", [1, 20, 500, 3000])
def test_the_rate_is_kept_in_any_second_and_nearly_all_of_it_is_used(rate, senders):
    left = simulate(rate, 20, senders=senders)

    assert most_in_a_second(left) <= rate
    assert len(left) >= 0.95 * rate * 20 - senders


@pytest.mark.parametrize("stall", [0.01, 0.15, 1.5])
def test_who_was_held_up_does_not_catch_up(stall):
    left = simulate(500, 20, senders=4, stall=stall)

    assert most_in_a_second(left) <= 500


@pytest.mark.parametrize("senders", [1, 4])
def test_messages_of_several_parts_keep_the_rate_of_parts(senders):
    left = simulate(100, 20, senders=senders, size=7)

    assert most_in_a_second(left) <= 100 + 7 * senders  # the last one of each sender goes out whole
    assert 0.9 * 100 * 20 <= len(left) <= 100 * 20 + 7 * senders


def test_who_wants_little_speaks_for_little():
    account = Account()
    limiter = Limiter(100, account.reserve, account.clock)

    asyncio.run(limiter.buy(2))

    assert account.next_free - account.now < 3 / 100
