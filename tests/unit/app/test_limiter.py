"""No second holds more than the rate, whoever sends and however late; and most of it is used."""

import asyncio
from random import Random

import pytest

from app.sending.limiter import Cost, Limiter
from app.store.accounts import Reserved


class Account:
    """The row that all share, on a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.next_free = 0.0
        self.random = Random(1)

    def clock(self) -> float:
        return self.now

    async def reserve(self, cost_us: Cost) -> Reserved:
        begins = max(self.next_free, self.now)
        self.next_free = begins + cost_us(round((begins - self.now) * 1e6)) / 1e6
        asked, answered = self.now - self.random.uniform(0, 0.02), self.now + self.random.uniform(0, 0.02)
        return Reserved(begins + 50_000, self.now + 50_000, asked, answered)  # the database's clock is another one


def simulate(rate, seconds, *, senders=1, wanted=1000, stall=0.0, size=1, kill_every_s=None, seed=1):
    """When each part left. Senders are asked in turn, every two milliseconds of the account's clock, and now and then
    all of them stand still for `stall` seconds, or another one comes in the place of one that was killed."""
    random = Random(seed)
    account = Account()
    limiters = [Limiter(rate, account.reserve, account.clock) for _ in range(senders)]
    left = []

    async def run() -> None:
        end = account.now + seconds
        while account.now < end:
            for each in limiters:
                await each.buy(wanted)
                await asyncio.sleep(0)  # the next slice is bought beside the sending
                parts, _ = each.free()
                parts = -(-parts // size) * size  # messages of so many parts are not cut
                each.spend(parts)
                left.extend([account.now] * parts)
                each.left()
            account.now += 0.002
            if kill_every_s and random.random() < 0.002 / kill_every_s:
                limiters[random.randrange(senders)] = Limiter(rate, account.reserve, account.clock)
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


@pytest.mark.parametrize("seed", range(5))
def test_who_is_killed_takes_little_of_the_rate_along_where_many_share_it(seed):
    left = simulate(500, 20, senders=8, kill_every_s=2.5, seed=seed)

    assert most_in_a_second(left) <= 500
    assert len(left) >= 0.95 * 500 * 20


def test_what_was_held_up_on_its_way_out_is_made_up_for():
    account = Account()
    limiter = Limiter(500, account.reserve, account.clock)
    asyncio.run(limiter.buy(1000))
    account.now += 0.04
    parts, _ = limiter.free()
    limiter.spend(parts)

    account.now += 0.04  # they left by now, together with those whose time is now
    limiter.left()

    assert parts + limiter.free()[0] <= 500 * 0.03 + 1


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
