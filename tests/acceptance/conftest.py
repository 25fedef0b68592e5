"""What several tests of whole campaigns need."""

from collections.abc import Iterator

import pytest

from tests.conftest import missing
from tests.databases import NoServer
from tests.rabbit import Broker, rabbit


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    try:
        with rabbit() as broker:
            yield broker
    except NoServer as reason:
        missing(str(reason))
