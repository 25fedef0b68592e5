"""What callbacks raised while an inline server ran, for the test to hear of."""


class Raised:
    """Collects errors; nothing where the test does not want to hear of them."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._errors: list[BaseException] = []

    def note(self, error: BaseException) -> None:
        """A callback raised this; it is in the log already."""
        if self._is_wanted:
            self._errors.append(error)

    def check(self) -> None:
        """Raise the first error since the last call; the others are in the log."""
        if self._errors:
            error = self._errors[0]
            self._errors.clear()
            raise error
