"""engine/worker/read_control.py: a transport that is held back stays so, whatever it does by itself."""

from collections.abc import Callable

from engine.worker.read_control import ReadControl
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


def made(*, is_tls: bool) -> tuple[ReadControl, Transport, Turns]:
    transport, turns = Transport(), Turns()
    transport.is_tls = is_tls
    return ReadControl(transport, turns.later), transport, turns  # type: ignore[arg-type]


def test_one_that_is_held_from_the_beginning_does_not_begin_by_itself() -> None:
    read_control, transport, turns = made(is_tls=False)
    read_control.pause()

    read_control.begin()
    transport.is_reading = True  # as a transport does once connection_made is through
    turns.turn()

    assert not transport.is_reading


def test_one_that_is_let_go_before_its_first_turn_reads() -> None:
    read_control, transport, turns = made(is_tls=False)
    read_control.pause()
    read_control.begin()

    read_control.resume()
    turns.turn()

    assert transport.is_reading


def test_over_tls_nothing_is_read_ahead_while_it_is_held() -> None:
    read_control, transport, turns = made(is_tls=True)

    read_control.pause()
    held = transport.read_ahead_bytes
    read_control.resume()
    handing_out = transport.read_ahead_bytes
    turns.turn()

    assert (held, handing_out, transport.read_ahead_bytes) == (0, 0, None)


def test_over_tls_one_that_is_held_again_at_once_does_not_read_ahead() -> None:
    read_control, transport, turns = made(is_tls=True)
    read_control.pause()

    read_control.resume()
    read_control.pause()
    turns.turn()

    assert (transport.is_reading, transport.read_ahead_bytes) == (False, 0)


def test_over_tls_one_that_is_about_to_close_hears_the_good_bye() -> None:
    read_control, transport, _ = made(is_tls=True)
    read_control.pause()

    read_control.drain()

    assert transport.read_ahead_bytes is None


def test_one_that_is_closed_is_left_alone() -> None:
    read_control, transport, turns = made(is_tls=True)
    transport.close()
    transport.is_reading = False

    read_control.begin()
    read_control.pause()
    read_control.resume()
    read_control.drain()
    turns.turn()

    assert (transport.is_reading, transport.read_ahead_bytes) == (False, None)
