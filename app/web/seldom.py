"""What uvicorn says of each request that it refuses is said seldom: whoever may connect could fill the log with it."""

import logging

from app.trigger.refusals import Refusals

LOGGER = "uvicorn.error"
REFUSED = {
    "Exceeded concurrency limit.": "refused, as there are too many connections",
    "Invalid HTTP request received.": "refused that is no HTTP",
    "Unsupported upgrade request.": "for another protocol answered as if it were for HTTP",
}
SAID_WITH_IT = "No supported WebSocket library detected."
"""Begins what it says besides of the last of these, and we want none."""


class Seldom(logging.Filter):
    """For uvicorn's logger, where its event loop runs."""

    def __init__(self) -> None:
        super().__init__()
        self._refusals = {message: Refusals(why) for message, why in REFUSED.items()}

    def filter(self, record: logging.LogRecord) -> bool:
        if refusals := self._refusals.get(str(record.msg)):
            refusals.note()
            return False
        return not str(record.msg).startswith(SAID_WITH_IT)

    def say_rest(self) -> None:
        """Leave nothing unsaid."""
        for each in self._refusals.values():
            each.say_rest()
