"""What stands for a number where the number itself may not, as in an address that is written down. Pure."""

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

KEY_BYTES = 32
_HALF = 8


class NumberIds:
    """Under one secret key each number has one id, 32 hexadecimal digits, and nobody without the key can tell one from
    the other, or make one. A hash with a key would do the same, but its number could only be found by trying all that
    are known; this is one block of AES, number and zeros, so ours leads back to it at once."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(AES(key), ECB())  # noqa: S305  a single block, so there is no pattern to see

    def of(self, number: int) -> str:
        """The id of a number."""
        block = number.to_bytes(_HALF, "big") + bytes(_HALF)
        encryptor = self._cipher.encryptor()
        return (encryptor.update(block) + encryptor.finalize()).hex()

    def number(self, number_id: str) -> int | None:
        """The number of an id; None for what is none of ours."""
        try:
            block = bytes.fromhex(number_id)
        except ValueError:
            return None
        if len(block) != 2 * _HALF or number_id != block.hex():
            return None
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(block) + decryptor.finalize()
        return int.from_bytes(plain[:_HALF], "big") if plain[_HALF:] == bytes(_HALF) else None
