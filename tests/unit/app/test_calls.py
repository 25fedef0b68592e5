"""A line whose messages go in calls: one lost answer leaves all of its call in doubt, and nothing else."""

import asyncio

from app.domain.delivery import Delivery
from app.gateways.base import Answer, Submission
from app.gateways.calls import CallLine
from app.gateways.verdict import Verdict, answer, unsent


def people(*tokens):
    return [Submission(token, 13800000000 + token, "hello", 1) for token in tokens]


def taken(submissions):
    return [Answer(each.token, Delivery.ACCEPTED, f"id{each.token}") for each in submissions]


async def closing():
    pass


async def collected(line, count):
    """So many answers, by customer."""
    found = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += await line.answers()
    return {each.token: each for each in found}


def run(call, tokens, *, batch=3, window=10, timeout_s=5.0, answers=None):
    async def work():
        line = CallLine(call, closing, batch=batch, window=window, timeout_s=timeout_s)
        line.submit(people(*tokens))
        try:
            return await collected(line, answers or len(tokens))
        finally:
            await line.close()

    return asyncio.run(work())


def test_messages_go_in_calls_of_as_many_as_are_allowed():
    calls = []

    async def call(submissions):
        calls.append([each.token for each in submissions])
        return taken(submissions)

    found = run(call, range(1, 9))

    assert sorted(calls) == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert {each.state for each in found.values()} == {Delivery.ACCEPTED}


def test_a_call_that_breaks_leaves_its_own_messages_in_doubt_and_no_others():
    async def call(submissions):
        if submissions[0].token == 1:
            raise OSError("gone")
        return taken(submissions)

    found = run(call, range(1, 7))

    assert {token for token, each in found.items() if each.state is Delivery.UNKNOWN} == {1, 2, 3}


def test_whom_an_answer_does_not_name_is_in_doubt():
    async def call(submissions):
        return taken(submissions[:1])

    found = run(call, [1, 2, 3])

    assert [found[token].state for token in (1, 2, 3)] == [Delivery.ACCEPTED, Delivery.UNKNOWN, Delivery.UNKNOWN]


def test_an_answer_that_comes_too_late_still_counts():
    late = asyncio.Event()

    async def call(submissions):
        await late.wait()
        return taken(submissions)

    async def work():
        line = CallLine(call, closing, batch=2, window=1, timeout_s=0.05)
        line.submit(people(1, 2))
        first = await collected(line, 2)
        assert line.room == 0  # the call is still under way
        late.set()
        second = await collected(line, 2)
        await line.close()
        return first, second

    first, second = asyncio.run(work())

    assert {each.state for each in first.values()} == {Delivery.UNKNOWN}
    assert {each.state for each in second.values()} == {Delivery.ACCEPTED}


def test_there_is_room_for_as_many_calls_as_may_be_under_way():
    go = asyncio.Event()

    async def call(submissions):
        await go.wait()
        return taken(submissions)

    async def work():
        line = CallLine(call, closing, batch=100, window=3, timeout_s=5)
        rooms = [line.room]
        line.submit(people(*range(1, 151)))
        rooms.append(line.room)
        go.set()
        await collected(line, 150)
        while line.room < 300:  # a call is over a moment after its answers
            await line.answers()
        await line.close()
        return rooms

    assert asyncio.run(work()) == [300, 100]


def test_after_a_call_that_did_not_get_out_there_is_no_room_for_a_moment_and_then_there_is_again():
    async def call(submissions):
        return [unsent(each.token, "refused") for each in submissions]

    async def work():
        line = CallLine(call, closing, batch=1, window=1, timeout_s=5)
        line.submit(people(1))
        (found,) = (await collected(line, 1)).values()
        assert found.is_unsent
        assert line.room == 0
        async with asyncio.timeout(10):
            while not line.room:
                assert await line.answers() == []
        await line.close()

    asyncio.run(work())


def test_what_is_wrong_with_us_is_no_attempt_and_has_the_providers_words():
    found = answer(1, Verdict.OURS, "21606", "no such sender")

    assert (found.state, found.is_attempt, found.fault) == (Delivery.RETRY, False, "21606: no such sender")
