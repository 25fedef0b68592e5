"""engine/worker/intake.py: a transport that is held back stays so, whatever it does by itself."""

from collections.abc import Callable

from engine.worker.intake import Intake
from tests.unit.engine.stand_ins import Transport


class Turns:
    """What is to be called as soon as what runs now is through; the test runs it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        assert delay_s == 0
        self.waiting.append(call)

    def turn(self) -> None:
        calls, self.waiting = self.waiting, []
        for call in calls:
            call()


def made(*, is_tls: bool) -> tuple[Intake, Transport, Turns]:
    transport, turns = Transport(), Turns()
    transport.is_tls = is_tls
    return Intake(transport, turns.later), transport, turns  # type: ignore[arg-type]


def test_one_that_is_held_from_the_beginning_does_not_begin_by_itself() -> None:
    intake, transport, turns = made(is_tls=False)
    intake.hold()

    intake.begin()
    transport.is_reading = True  # as a transport does once connection_made is through
    turns.turn()

    assert not transport.is_reading


def test_one_that_is_let_go_before_its_first_turn_reads() -> None:
    intake, transport, turns = made(is_tls=False)
    intake.hold()
    intake.begin()

    intake.let()
    turns.turn()

    assert transport.is_reading


def test_over_tls_nothing_is_read_ahead_while_it_is_held() -> None:
    intake, transport, turns = made(is_tls=True)

    intake.hold()
    held = transport.read_ahead_bytes
    intake.let()
    handing_out = transport.read_ahead_bytes
    turns.turn()

    assert (held, handing_out, transport.read_ahead_bytes) == (0, 0, None)


def test_over_tls_one_that_is_held_again_at_once_does_not_read_ahead() -> None:
    intake, transport, turns = made(is_tls=True)
    intake.hold()

    intake.let()
    intake.hold()
    turns.turn()

    assert (transport.is_reading, transport.read_ahead_bytes) == (False, 0)


def test_over_tls_one_that_is_about_to_close_hears_the_good_bye() -> None:
    intake, transport, _ = made(is_tls=True)
    intake.hold()

    intake.let_drain()

    assert transport.read_ahead_bytes is None


def test_one_that_is_closed_is_left_alone() -> None:
    intake, transport, turns = made(is_tls=True)
    transport.close()
    transport.is_reading = False

    intake.begin()
    intake.hold()
    intake.let()
    intake.let_drain()
    turns.turn()

    assert (transport.is_reading, transport.read_ahead_bytes) == (False, None)
