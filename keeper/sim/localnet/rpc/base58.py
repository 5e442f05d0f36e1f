"""Base58 with Bitcoin's alphabet, for byte strings of any length (solders only has it for keys and signatures)."""

from __future__ import annotations

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUE = {character: value for value, character in enumerate(_ALPHABET)}


def encode_base58(data: bytes) -> str:
    """Text of ``data``; leading zero bytes become leading ``1``."""
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(reversed(digits))


def decode_base58(text: str) -> bytes:
    """Bytes of ``text``. Raises ``ValueError`` naming the first character outside the alphabet."""
    number = 0
    for place, character in enumerate(text):
        value = _VALUE.get(character)
        if value is None:
            raise ValueError(f"invalid base58 character {character!r} at index {place}")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
