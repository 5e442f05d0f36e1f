"""A cursor over Borsh bytes, as the model programs read and write them. Little-endian, options by a one-byte tag."""

from __future__ import annotations

from solders.pubkey import Pubkey

from keeper.sim.localnet.interface import ProgramError


class Reader:
    """Reads forward. Running out of bytes is ``ProgramError(error)``: of an instruction or of an account, as said."""

    __slots__ = ("_data", "_error", "_offset")

    def __init__(self, data: bytes, offset: int = 0, *, error: ProgramError | None = None) -> None:
        self._data = data
        self._offset = offset
        self._error = error or ProgramError("InvalidInstructionData", "the data is shorter than its layout")

    def take(self, size: int) -> bytes:
        end = self._offset + size
        if end > len(self._data):
            raise self._error
        chunk = self._data[self._offset : end]
        self._offset = end
        return chunk

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def i64(self) -> int:
        return int.from_bytes(self.take(8), "little", signed=True)

    def flag(self) -> bool:
        value = self.u8()
        if value > 1:
            raise self._error
        return value == 1

    def key(self) -> Pubkey:
        return Pubkey.from_bytes(self.take(32))

    def optional_key(self) -> Pubkey | None:
        return self.key() if self.flag() else None

    @property
    def offset(self) -> int:
        return self._offset


def u8(value: int) -> bytes:
    return value.to_bytes(1, "little")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def i64(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


def optional_key(value: Pubkey | None) -> bytes:
    return b"\0" if value is None else b"\1" + bytes(value)
