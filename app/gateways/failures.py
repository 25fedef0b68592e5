"""What a call to a provider can come to, besides its answer."""


class Refusal(Exception):
    """The provider answered with an error: its HTTP status, its code, and its sentence."""

    def __init__(self, status: int, code: str, said: str) -> None:
        self.status = status
        self.code = code
        self.said = said
        super().__init__(f"{status} {code}")


class Unanswered(Exception):
    """Something was sent, and nobody knows what became of it: no answer, half of one, or none that can be read."""


class NotSent(Exception):
    """No connection could be made, so nothing left."""
