"""A command of ours that runs beside the test."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests import starting
from tests.integration.app.serving import WITHIN_S, Product


class Command:
    """A command on its way; what it writes is collected in files."""

    def __init__(self, product: Product, *arguments: str) -> None:
        self._out, self._err = (product.logs.parent / f"{arguments[0]}.{name}" for name in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = starting.start(
                ["-m", "app", *arguments],
                product.environment,
                stdout=out.fileno(),
                stderr=err.fileno(),
                cold=product.cold,
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    def end(self) -> int:
        """Its exit status, once it ends by itself."""
        return self.process.wait(WITHIN_S)


@contextmanager
def beside(product: Product, *arguments: str) -> Iterator[Command]:
    """Run a command; it is killed at the end, should it still run."""
    command = Command(product, *arguments)
    try:
        yield command
    finally:
        command.process.kill()
        command.process.wait(WITHIN_S)
