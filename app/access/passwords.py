"""Passwords: how one is kept, and whether one is right. Pure, and slow on purpose."""

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

from app.errors import BadPassword

LEAST_LETTERS, MOST_LETTERS = 12, 256
SALT_BYTES = HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Cost:
    """scrypt's own parameters, see RFC 7914: it needs 128 * n * r bytes, p times one after the other."""

    n: int
    r: int
    p: int


COST = Cost(2**15, 8, 3)
"""32 MiB and 0.2 s. Source: OWASP's password storage cheat sheet, of whose choices this one has the most passes in so
little memory; the process that asks for passwords is to stay small."""
_MARK = "scrypt"


def check(password: str) -> None:
    """Raises BadPassword for one that could be guessed by trying, or is absurdly long."""
    if not LEAST_LETTERS <= len(password) <= MOST_LETTERS:
        raise BadPassword("bad_password", least=LEAST_LETTERS, most=MOST_LETTERS)
    if len(set(password)) < LEAST_LETTERS // 3:
        raise BadPassword("bad_password.same_letters")


def hashed(password: str, cost: Cost = COST) -> str:
    """What is stored: `scrypt$n$r$p$salt$hash`, so that those of a weaker cost are known when that is raised."""
    salt = secrets.token_bytes(SALT_BYTES)
    return "$".join([_MARK, *map(str, (cost.n, cost.r, cost.p)), _text(salt), _text(_derive(password, salt, cost))])


def is_right(password: str, stored: str) -> bool:
    """Whether it is this one; one that is absurdly long is wrong, and takes no longer than others. Raises ValueError
    where something else is stored."""
    cost, salt, expected = _parts(stored)
    given = password if len(password) <= MOST_LETTERS else ""  # which is too short to be anybody's
    return hmac.compare_digest(_derive(given, salt, cost), expected)


def is_outdated(stored: str) -> bool:
    """Whether it was stored at another cost than is usual now."""
    return _parts(stored)[0] != COST


def _derive(password: str, salt: bytes, cost: Cost) -> bytes:
    # One person's é may be another keyboard's e and accent. Surrogates: half a pair may come in, and is right for none.
    given = unicodedata.normalize("NFKC", password).encode(errors="surrogatepass")
    most = 256 * cost.n * cost.r  # OpenSSL's own limit is too low, and it counts some bytes more than the formula
    return hashlib.scrypt(given, salt=salt, n=cost.n, r=cost.r, p=cost.p, maxmem=most, dklen=HASH_BYTES)


def _parts(stored: str) -> tuple[Cost, bytes, bytes]:
    mark, n, r, p, salt, expected = stored.split("$")
    if mark != _MARK:
        raise ValueError(f"a password of the kind {mark} is not known here")
    return Cost(int(n), int(r), int(p)), base64.b64decode(salt), base64.b64decode(expected)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
