"""A signal is heard wherever it comes."""

import signal
from collections.abc import Iterator

import pytest

from seed.interruption import Interruption

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_where_it_comes(number):
    Interruption().check()

    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_a_destructor_swallowed_interrupts_at_the_next_check(number):
    class Swallows:
        def __del__(self) -> None:
            signal.raise_signal(number)

    interruption = Interruption()

    Swallows()

    with pytest.raises(KeyboardInterrupt):
        interruption.check()


@pytest.mark.parametrize(("numbers", "status"), [((signal.SIGINT, signal.SIGTERM), 130), (SIGNALS[::-1], 143)])
def test_the_exit_status_tells_the_first_signal(numbers, status):
    interruption = Interruption()

    for number in numbers:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)

    assert interruption.exit_status == status


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_held_together_is_interrupted_at_its_end(number):
    interruption = Interruption()
    went_on = False

    with pytest.raises(KeyboardInterrupt), interruption.held():
        signal.raise_signal(number)
        went_on = True

    assert went_on


def test_a_second_signal_does_not_wait_for_what_is_held_together():
    interruption = Interruption()
    went_on = False

    with pytest.raises(KeyboardInterrupt), interruption.held():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        went_on = True

    assert not went_on
