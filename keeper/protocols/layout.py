"""Bounds-checked reading of little-endian account data and instruction arguments (Borsh and its neighbours).

Whatever is wrong with foreign bytes ends in one named error, so a malformed account is a refusal and never a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from solders.pubkey import Pubkey

T = TypeVar("T")
PUBKEY_LENGTH = 32


class LayoutError(ValueError):
    """Bytes that are not what they were read as: truncated, foreign owner or discriminator, or an impossible value.

    ``account`` is the kind that was expected, ``field`` the place in it, ``expected`` and ``actual`` what should have
    been there and what was.
    """

    def __init__(self, account: str, field: str, expected: str, actual: str) -> None:
        super().__init__(f"{account}: {field} should be {expected}, but is {actual}")
        self.account = account
        self.field = field
        self.expected = expected
        self.actual = actual


def require_owner(account: str, owner: Pubkey | None, allowed: Sequence[Pubkey]) -> None:
    """Raise ``LayoutError`` when ``owner`` is given and is not one of the ``allowed`` programs."""
    if owner is not None and owner not in allowed:
        wanted = " or ".join(str(program) for program in allowed)
        raise LayoutError(account, "owner", wanted, str(owner))


class Reader:
    """Reads fields in order. Every method takes the field's name and raises ``LayoutError`` with it."""

    def __init__(self, data: bytes, account: str, *, position: int = 0) -> None:
        self._data = bytes(data)
        self.account = account
        self.position = position

    @property
    def remaining(self) -> int:
        """Bytes not read yet."""
        return max(0, len(self._data) - self.position)

    def fail(self, field: str, expected: str, actual: str) -> LayoutError:
        """A ``LayoutError`` about this data, for the caller to raise."""
        return LayoutError(self.account, f"{field} @{self.position}", expected, actual)

    def raw(self, count: int, field: str) -> bytes:
        """The next ``count`` bytes."""
        if count < 0 or count > self.remaining:
            raise self.fail(field, f"{count} bytes", f"{self.remaining} bytes (data of {len(self._data)} bytes)")
        taken = self._data[self.position : self.position + count]
        self.position += count
        return taken

    def rest(self) -> bytes:
        """All bytes not read yet."""
        return self.raw(self.remaining, "rest")

    def discriminator(self, expected: bytes, field: str = "discriminator") -> None:
        """Require exactly these bytes."""
        start = self.position
        actual = self.raw(len(expected), field)
        if actual != expected:
            self.position = start
            raise self.fail(field, expected.hex(), actual.hex())

    def _integer(self, size: int, field: str, *, signed: bool) -> int:
        return int.from_bytes(self.raw(size, field), "little", signed=signed)

    def u8(self, field: str) -> int:
        return self._integer(1, field, signed=False)

    def u16(self, field: str) -> int:
        return self._integer(2, field, signed=False)

    def u32(self, field: str) -> int:
        return self._integer(4, field, signed=False)

    def u64(self, field: str) -> int:
        return self._integer(8, field, signed=False)

    def u128(self, field: str) -> int:
        return self._integer(16, field, signed=False)

    def i8(self, field: str) -> int:
        return self._integer(1, field, signed=True)

    def i16(self, field: str) -> int:
        return self._integer(2, field, signed=True)

    def i32(self, field: str) -> int:
        return self._integer(4, field, signed=True)

    def i64(self, field: str) -> int:
        return self._integer(8, field, signed=True)

    def i128(self, field: str) -> int:
        return self._integer(16, field, signed=True)

    def boolean(self, field: str) -> bool:
        """One byte, 0 or 1; Borsh refuses anything else."""
        value = self.u8(field)
        if value > 1:
            raise self.fail(field, "0 or 1", str(value))
        return value == 1

    def pubkey(self, field: str) -> Pubkey:
        return Pubkey.from_bytes(self.raw(PUBKEY_LENGTH, field))

    def option(self, field: str, read: Callable[[str], T]) -> T | None:
        """Borsh ``Option``: one tag byte, the value only when present."""
        return read(field) if self.boolean(field) else None

    def fixed_option(self, field: str, read: Callable[[str], T]) -> T | None:
        """SPL ``COption``: a u32 tag and a value that takes its space even when absent."""
        tag = self.u32(field)
        if tag > 1:
            raise self.fail(field, "an option tag of 0 or 1", str(tag))
        value = read(field)
        return value if tag == 1 else None

    def count(self, field: str) -> int:
        """A u32 element count, refused when the remaining bytes could not hold one byte for each element."""
        value = self.u32(field)
        if value > self.remaining:
            raise self.fail(field, f"at most {self.remaining} elements", str(value))
        return value

    def vec(self, field: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """Borsh ``Vec``: a u32 count, then the elements."""
        return self.array(field, self.count(field), read)

    def array(self, field: str, length: int, read: Callable[[str], T]) -> tuple[T, ...]:
        """``length`` elements without a count."""
        return tuple(read(f"{field}[{index}]") for index in range(length))

    def string(self, field: str) -> str:
        """Borsh ``String``: a u32 byte count, then UTF-8."""
        text = self.raw(self.count(field), field)
        try:
            return text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail(field, "UTF-8 text", f"{text[:16].hex()}... ({error.reason})") from error

    def end(self) -> None:
        """Require that nothing is left."""
        if self.remaining:
            raise self.fail("end", "no more bytes", f"{self.remaining} more bytes")
