"""The token of the settings, which has every right: where it stands, and how it is made."""

import contextlib
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from app.config import Config
from app.errors import TokenUnusable

MOST_BYTES = 4096
"""What is longer is no token but a file named by mistake."""


def token_file(settings: Config) -> Path:
    """Where a token stands that is not in SMS_TRIGGER_TOKEN: beside the logs, which both sides can read."""
    return settings.sms_trigger_token_file or settings.sms_log_dir / ".token"


def read_token(settings: Config) -> SecretStr:
    """The token in force, empty without one. Raises TokenUnusable for a file that is named and is not there, and for
    one that cannot be read or holds none: a server is never open by mistake."""
    if settings.sms_trigger_token.get_secret_value():
        return settings.sms_trigger_token
    path = token_file(settings)
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        if settings.sms_trigger_token_file is None:
            return SecretStr("")
        raise TokenUnusable("token.missing", path=path) from None
    except OSError as error:
        raise TokenUnusable("token.unreadable", path=path, why=error.strerror) from error
    try:
        token = raw.decode().strip()
    except UnicodeDecodeError:
        token = ""
    if not token or len(raw) > MOST_BYTES:
        raise TokenUnusable("token.none_in_file", path=path)
    return SecretStr(token)


def reread(settings: Config) -> SecretStr:
    """The token as it is now; empty also where its file cannot be used, as while it is changed."""
    try:
        return read_token(settings)
    except TokenUnusable:
        return SecretStr("")


def make_token(path: Path) -> bool:
    """Put a new token into the file, mode 0600, unless it is there; whether it was made now. Raises TokenUnusable."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            return False
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with open(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        try:
            with contextlib.suppress(FileExistsError):  # another process was quicker: its token counts
                os.link(fresh, path)
                return True
        finally:
            fresh.unlink()
    except OSError as error:
        raise TokenUnusable("token.cannot_be_made", path=path, why=error.strerror) from error
    return False
