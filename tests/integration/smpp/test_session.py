"""A session tells of every submission what became of it, whatever the message centre does."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import ConfigError
from app.gateways.smpp import status
from app.gateways.smpp.account import Account, Bind
from app.gateways.smpp.commands import IS_ANSWER, Command
from app.gateways.smpp.errors import BindRefused, LinkUnusable
from app.gateways.smpp.session import pause_s, probe
from app.gateways.smpp.stream import Frame
from app.gateways.smpp.submission import Envelope, Submissions
from app.gateways.smpp.window import Answer, Outcome
from tests.certificates import issue
from tests.integration.smpp.centre import BINDS, BODY, Caller, Told, run, running_centre, session_with, until


async def silent_on_submissions(caller: Caller, frame: Frame) -> None:
    if frame[0] != Command.SUBMIT_SM:
        await caller.polite(frame)


def test_every_message_is_accepted_and_has_the_id_of_the_message_centre() -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told, window=7) as session:
            for token in range(100):
                await session.room()
                assert session.submit(token, [BODY])
                assert session.outstanding <= 7
            await until(lambda: len(told.answers) == 100)
            assert [frame[3] for frame in centre.submitted()] == [BODY] * 100

    run(scene())

    assert [answer.token for answer in told.answers] == list(range(100))
    assert {answer.outcome for answer in told.answers} == {Outcome.ACCEPTED}
    assert len({answer.provider_ids for answer in told.answers}) == 100


@pytest.mark.parametrize("bind", Bind)
def test_a_session_binds_as_it_is_told_and_unbinds_in_order(bind: Bind) -> None:
    async def scene() -> list[int]:
        async with running_centre() as centre:
            async with session_with(centre.port, Told(), bind=bind, password="secret") as session:
                await session.bound()
            return [frame[0] for frame in centre.caller.heard]

    assert run(scene()) == [Command[f"BIND_{bind.name}"], Command.UNBIND]


def test_nothing_is_taken_before_the_bind_and_when_the_window_is_full() -> None:
    few = {"window": 2, "answer_timeout_s": 0.3}

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, Told(), **few) as session:
            centre.on_frame = silent_on_submissions
            assert not session.submit(0, [BODY])
            await session.room()
            assert session.submit(1, [BODY])
            assert not session.submit(2, [BODY, BODY])
            assert session.submit(3, [BODY])
            assert not session.submit(4, [BODY])

    run(scene())


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (Command.SUBMIT_SM_RESP, status.ESME_RTHROTTLED),
        (Command.SUBMIT_SM_RESP, 0x400),
        (Command.GENERIC_NACK, status.ESME_RINVCMDID),
    ],
)
def test_a_refusal_has_its_status(command: Command, code: int) -> None:
    told = Told()

    async def refusing(caller: Caller, frame: Frame) -> None:
        if frame[0] == Command.SUBMIT_SM:
            caller.say(command, frame[2], code)
        else:
            await caller.polite(frame)

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            centre.on_frame = refusing
            await session.room()
            session.submit("anna", [BODY])
            await until(lambda: told.answers)

    run(scene())

    assert told.answers == [Answer("anna", Outcome.REFUSED, (), code)]


def test_a_long_message_is_told_once_with_the_ids_of_all_its_parts() -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            await session.room(3)
            session.submit("anna", Submissions(Envelope()).bodies("138", "尊敬的" * 50, 7))
            await until(lambda: told.answers)

    run(scene())

    assert told.answers == [Answer("anna", Outcome.ACCEPTED, ("2", "3", "4"))]


def test_an_answer_after_the_timeout_still_counts() -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told, answer_timeout_s=1.0) as session:
            centre.on_frame = silent_on_submissions
            await session.room()
            session.submit("anna", [BODY])
            await until(lambda: told.answers)
            centre.caller.say(Command.SUBMIT_SM_RESP, centre.submitted()[0][2], body=b"id-7\0")
            await until(lambda: told.late)

    run(scene())

    assert told.answers == [Answer("anna", Outcome.UNANSWERED)]
    assert told.late == [Answer("anna", Outcome.ACCEPTED, ("id-7",))]


def test_what_had_left_when_the_link_was_lost_is_in_doubt() -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            centre.on_frame = silent_on_submissions
            await session.room()
            session.submit("anna", [BODY])
            await until(centre.submitted)
            centre.caller.hang_up()
            await until(lambda: told.answers)

    run(scene())

    assert told.answers == [Answer("anna", Outcome.UNANSWERED)]


def test_what_had_not_left_when_the_link_was_lost_may_go_again() -> None:
    """The message centre stops reading, so the kernel takes no more."""
    told = Told()
    body = Submissions(Envelope()).bodies("138", "x" * 160, 7)[0]
    stuck = asyncio.Event()

    async def deaf(caller: Caller, frame: Frame) -> None:
        await caller.polite(frame)
        if frame[0] in BINDS:
            await stuck.wait()

    async def scene() -> int:
        stuck.clear()
        async with running_centre() as centre:
            centre.on_frame = deaf
            async with session_with(centre.port, told, window=100_000, answer_timeout_s=60.0) as session:
                await session.room()
                for token in range(100_000):
                    assert session.submit(token, [body])
                await until(lambda: session._link and session._link._is_full)
                left = 100_000 - len(session._link.window.unsent)
                centre.caller.hang_up()
                await until(lambda: len(told.answers) == 100_000)
            stuck.set()
        return left

    left = run(scene())

    assert told.tokens(Outcome.UNANSWERED) == list(range(left))
    assert told.tokens(Outcome.UNSENT) == list(range(left, 100_000))
    assert 0 < left < 100_000


def test_a_session_is_bound_again_after_its_link_was_lost() -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            for token in range(3):
                await session.room()
                session.submit(token, [BODY])
                await until(lambda: len(told.answers) == token + 1)  # noqa: B023
                centre.caller.hang_up()
                await until(lambda: not session.is_bound)
            await session.bound()
            assert len(centre.callers) == 4

    run(scene())

    assert told.tokens(Outcome.ACCEPTED) == [0, 1, 2]


def test_a_message_centre_that_unbinds_us_is_answered_and_bound_to_again() -> None:
    async def scene() -> list[Frame]:
        async with running_centre() as centre, session_with(centre.port, Told()) as session:
            await session.bound()
            first = centre.caller
            first.say(Command.UNBIND, 77)
            await until(lambda: len(centre.callers) == 2)
            await session.bound()
            return first.heard_of(Command.UNBIND_RESP)

    assert [frame[2] for frame in run(scene())] == [77]


def test_a_silent_message_centre_is_asked_and_then_given_up() -> None:
    async def deaf(caller: Caller, frame: Frame) -> None:
        if frame[0] in BINDS:
            await caller.polite(frame)

    async def scene() -> None:
        async with (
            running_centre() as centre,
            session_with(centre.port, Told(), enquire_link_s=0.05, answer_timeout_s=0.1) as session,
        ):
            centre.on_frame = deaf
            await session.bound()
            first = centre.caller
            await until(lambda: len(centre.callers) == 2)
            assert first.heard_of(Command.ENQUIRE_LINK)

    run(scene())


def test_nothing_more_is_submitted_over_a_link_that_leads_nowhere_until_something_is_heard() -> None:
    told, ways = Told(), {"window": 3, "answer_timeout_s": 0.2, "enquire_link_s": 60}

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told, **ways) as session:
            await session.bound()
            first = centre.caller
            deaf = asyncio.Event()

            async def deaf_for_a_while(caller: Caller, frame: Frame) -> None:
                if frame[0] == Command.ENQUIRE_LINK:
                    deaf.set()
                elif frame[0] != Command.SUBMIT_SM:
                    await caller.polite(frame)

            centre.on_frame = deaf_for_a_while
            for token in range(3):
                assert session.submit(token, [BODY])
            await asyncio.wait_for(deaf.wait(), 30)
            assert [each.outcome for each in told.answers] == [Outcome.UNANSWERED] * 3
            assert not session.submit(3, [BODY])
            centre.on_frame = Caller.polite
            first.say(Command.ENQUIRE_LINK, 4711)
            await session.room()
            assert session.submit(4, [BODY])
            await until(lambda: len(told.answers) == 4)
            assert [len(each.heard_of(Command.SUBMIT_SM)) for each in centre.callers][:1] in ([4], [3])

    run(scene())


def test_a_link_that_answers_no_submission_and_no_question_is_given_up_long_before_its_time_to_be_asked() -> None:
    told = Told()

    async def deaf(caller: Caller, frame: Frame) -> None:
        if frame[0] in BINDS:
            await caller.polite(frame)

    async def scene() -> None:
        async with (
            running_centre() as centre,
            session_with(centre.port, told, answer_timeout_s=0.1, enquire_link_s=3600) as session,
        ):
            centre.on_frame = deaf
            await session.bound()
            assert session.submit(1, [BODY])
            await until(lambda: len(centre.callers) == 2)

    run(scene())

    assert [each.outcome for each in told.answers] == [Outcome.UNANSWERED]


def test_a_message_centre_that_answers_is_kept() -> None:
    async def scene() -> None:
        async with (
            running_centre() as centre,
            session_with(centre.port, Told(), enquire_link_s=0.02, answer_timeout_s=2.0) as session,
        ):
            await session.bound()
            await until(lambda: len(centre.caller.heard_of(Command.ENQUIRE_LINK)) >= 3)
            centre.caller.say(Command.ENQUIRE_LINK, 4711)
            await until(lambda: centre.caller.heard_of(Command.ENQUIRE_LINK_RESP))
            assert centre.caller.heard_of(Command.ENQUIRE_LINK_RESP)[0][2] == 4711
            assert len(centre.callers) == 1

    run(scene())


def test_a_refused_bind_is_said_and_tried_again() -> None:
    async def refusing(caller: Caller, frame: Frame) -> None:
        caller.say(frame[0] | IS_ANSWER, frame[2], status.ESME_RINVPASWD)

    async def scene() -> str:
        async with running_centre() as centre, session_with(centre.port, Told()) as session:
            centre.on_frame = refusing
            await until(lambda: len(centre.callers) >= 3)
            assert not session.is_bound
            centre.on_frame = Caller.polite
            said = str(session.trouble)
            await session.bound()
            assert session.trouble is None
            return said

    assert "ESME_RINVPASWD (the password is wrong)" in run(scene())


def test_a_probe_says_what_is_wrong() -> None:
    async def refusing(caller: Caller, frame: Frame) -> None:
        caller.say(frame[0] | IS_ANSWER, frame[2], status.ESME_RALYBND)

    async def mute(caller: Caller, frame: Frame) -> None:
        """Say nothing."""

    async def dropping(caller: Caller, frame: Frame) -> None:
        caller.hang_up()

    async def scene() -> None:
        async with running_centre() as centre:
            account = Account(host="127.0.0.1", port=centre.port, system_id="sms", connect_timeout_s=30)
            hasty = replace(account, connect_timeout_s=0.3)
            await probe(account)
            assert [frame[0] for frame in centre.caller.heard] == [Command.BIND_TRANSCEIVER, Command.UNBIND]
            for behaviour, who, error, words in (
                (refusing, account, BindRefused, "ESME_RALYBND"),
                (mute, hasty, LinkUnusable, "answers no bind within 0.3 s"),
                (dropping, account, LinkUnusable, "is none"),
            ):
                centre.on_frame = behaviour
                with pytest.raises(error, match=words):
                    await probe(who)
        with pytest.raises(LinkUnusable, match="cannot be reached"):
            await probe(account)

    run(scene())


def test_closing_waits_for_what_is_under_way_and_takes_nothing_more() -> None:
    told = Told()

    async def slow(caller: Caller, frame: Frame) -> None:
        if frame[0] == Command.SUBMIT_SM:
            await asyncio.sleep(0.1)
        await caller.polite(frame)

    async def scene() -> None:
        async with running_centre() as centre:
            centre.on_frame = slow
            async with session_with(centre.port, told) as session:
                await session.room()
                session.submit("anna", [BODY])
            assert not session.submit("bert", [BODY])
            with pytest.raises(LinkUnusable, match="closed"):
                await session.room()
            assert centre.caller.heard[-1][0] == Command.UNBIND

    run(scene())

    assert [(answer.token, answer.outcome) for answer in told.answers] == [("anna", Outcome.ACCEPTED)]


def test_a_session_that_never_was_bound_closes_at_once() -> None:
    async def scene() -> None:
        async with session_with(1, Told()) as session:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await session.bound()

    run(scene())


def test_a_callback_that_breaks_leaves_the_link_alone(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    async def scene() -> None:
        async with running_centre() as centre, session_with(centre.port, told) as session:
            session._on_answers = lambda answers: told.answers.extend(answers) or 1 / 0
            await session.room()
            for token in range(3):
                session.submit(token, [BODY])
            await until(lambda: len(told.answers) == 3)
            assert session.is_bound

    run(scene())

    assert "answers of the message centre could not be taken" in caplog.text


def test_tls_is_spoken_and_the_certificate_checked(tmp_path: Path) -> None:
    pair = issue(tmp_path, "centre")
    of_server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    of_server.load_cert_chain(pair.cert_file, pair.key_file)
    trusting = ssl.create_default_context(cafile=pair.cert_file)
    told = Told()

    async def scene() -> None:
        async with running_centre(tls=of_server) as centre:
            async with session_with(centre.port, told, tls=trusting) as session:
                await session.room()
                session.submit("anna", [BODY])
                await until(lambda: told.answers)
            with pytest.raises(LinkUnusable, match="cannot be reached"):
                await probe(
                    Account(host="127.0.0.1", port=centre.port, system_id="sms", tls=ssl.create_default_context())
                )

    run(scene())

    assert told.answers[0].outcome is Outcome.ACCEPTED


def test_an_account_says_all_that_is_wrong_with_it_and_never_its_password() -> None:
    with pytest.raises(ConfigError) as refused:
        Account(host="", port=0, system_id="x" * 16, password="geheim\0", bind="both", window=0, answer_timeout_s=0)

    said = str(refused.value)
    for words in ("host", "port", "bind must be one of transmitter, receiver, transceiver", "window", "answer_time"):
        assert words in said
    assert "system_id must be ASCII, 15 characters" in said
    assert "password must be ASCII, 63 characters" in said
    assert "geheim" not in said
    assert "geheim" not in repr(Account(host="a", system_id="b", password="geheim"))


def test_pauses_grow_to_the_longest() -> None:
    account = Account(host="a", system_id="b", first_pause_s=1, longest_pause_s=30)

    pauses = [pause_s(account, tries) for tries in (0, 1, 2, 3, 4, 5, 6, 1000)]

    for pause, whole in zip(pauses, (1, 1, 2, 4, 8, 16, 30, 30), strict=True):
        assert 0.75 * whole <= pause <= whole
