"""engine/worker/inbox_processor.py: whenever an event worker dies, everything is heard, and no file is left."""

from pathlib import Path
from typing import Any

import pytest

from engine.ipc.bodies import Bodies
from engine.ipc.inbox_packet import REGION_BYTES, InboxPacket
from engine.ipc.memory import anonymous
from engine.ipc.message import INLINE_BYTES, Kind, Message, packets, to_bytes
from engine.ipc.spill import SpillDirectory
from engine.worker.inbox_processor import InboxProcessor
from tests.unit.engine.lives import Fate, Killed, Mortal

LARGE = b"x" * (INLINE_BYTES + 1)


class House:
    """An event worker's memory and files, and what its lives heard."""

    def __init__(self, directory: Path) -> None:
        self.spill = SpillDirectory(directory)
        self.bodies = Bodies(self.spill, 0)
        self.inbox_packet = InboxPacket(anonymous("", REGION_BYTES).view)
        self.heard: list[tuple[int, Any]] = []

    def say(self, *messages: Message) -> None:
        (packet,) = packets([to_bytes(each) for each in messages])

        def receive_into(room: memoryview) -> int:
            room[: len(packet)] = packet
            return len(packet)

        self.unheard = self.inbox_packet.take(receive_into)

    def live(self, fate: Fate, *, is_first: bool) -> bool:
        """One process: hears what there is, or dies before. Whether it lived."""

        def handle(message: Message, is_foreign: bool) -> None:
            value = self.bodies.read(message)
            fate.step()
            self.heard.append((message.id, value))

        bodies: Any = Mortal(self.bodies, fate)
        inbox_packet: Any = Mortal(self.inbox_packet, fate)
        inbox_processor = InboxProcessor(bodies, 100, handle, handle)
        try:
            if is_first:
                inbox_processor.process(inbox_packet, self.unheard or [])
            else:
                inbox_processor.process_leftover(inbox_packet)
        except Killed:
            return False
        return True


@pytest.mark.parametrize("dies_again_at", [None, 1, 4, 8])
def test_an_event_worker_may_die_at_any_step_and_all_is_heard_and_no_file_left(
    tmp_path: Path, dies_again_at: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    for dies_at in range(1, 200):
        house = House(tmp_path)
        said = [house.bodies.pack(Kind.FINISH, 1, LARGE), house.bodies.pack(Kind.PIPE, 2, "small")]
        said.append(house.bodies.pack(Kind.FINISH, 3, [LARGE]))
        house.say(*said)

        lived = house.live(Fate(dies_at), is_first=True)
        if not lived and not house.live(Fate(dies_again_at), is_first=False):
            assert house.live(Fate(), is_first=False)

        assert dict(house.heard) == {1: LARGE, 2: "small", 3: [LARGE]}
        assert house.spill.count() == 0
        assert house.inbox_packet.leftover(100) == ([], 0)
        if lived:
            assert dies_at > 15
            break
    else:
        raise AssertionError("dies at every step")
    assert caplog.records == []


def test_the_file_of_a_message_that_is_passed_over_goes(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.say(house.bodies.pack(Kind.PIPE, 1, LARGE))

    InboxProcessor(house.bodies, 1, lambda *_: None, lambda *_: None).process_leftover(house.inbox_packet)

    assert house.spill.count() == 0
