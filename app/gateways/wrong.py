"""Something is wrong with an account of the gateways file, which may have more such problems; and its secret."""

from pathlib import Path

from pydantic import SecretStr

from app.config import variable
from app.errors import ConfigError
from app.sentence import Sentence


class Wrong(ValueError):
    """One problem, as a sentence; for pydantic to collect."""

    def __init__(self, code: str, /, **facts: object) -> None:
        self.sentence = Sentence(code, **facts)
        super().__init__(str(self.sentence))


def secret(name: str, path: Path | None) -> SecretStr:
    """Read where it lies: in an environment variable of this name, else in the file. Raises ConfigError, without it."""
    if name:
        value = variable(name)
        if not value:
            raise ConfigError([Sentence("gateways.no_variable", name=name)])
        return SecretStr(value)
    try:
        return SecretStr(Path(path or "").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Sentence("gateways.cannot_read", path=path, why=error)]) from None
