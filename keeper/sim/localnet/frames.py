"""A modelled program's accounts during one call, with the runtime's rules on who may change what.

A frame buffers writes and hands them to the machine before each CPI and at the end, so that a real program called by a model
sees what the model wrote. Rules: agave ``BorrowedAccount`` (program-runtime/transaction-context).
"""

from __future__ import annotations

from collections.abc import Sequence

from solders.account import Account
from solders.instruction import AccountMeta
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SYSTEM
from keeper.sim.localnet.interface import ProgramError
from keeper.sim.localnet.machine import Machine

MAX_GROWTH = 10 * 1024
"""Bytes by which one call may grow an account (MAX_PERMITTED_DATA_INCREASE)."""
MAX_DATA = 10 * 1024 * 1024
_U64 = 2**64


class _Cell:
    """One account's state inside a frame."""

    __slots__ = ("data", "dirty", "executable", "lamports", "owner", "rent_epoch")

    def __init__(self, account: Account | None) -> None:
        self.dirty = False
        if account is None:
            self.lamports, self.data, self.owner = 0, b"", SYSTEM
            self.executable, self.rent_epoch = False, 0
        else:
            self.lamports, self.data, self.owner = account.lamports, bytes(account.data), account.owner
            self.executable, self.rent_epoch = account.executable, account.rent_epoch

    def account(self) -> Account:
        return Account(self.lamports, self.data, self.owner, self.executable, self.rent_epoch)


class View:
    """``AccountView`` of one account in one frame; the same account passed twice shares its state and its privileges."""

    __slots__ = ("_frame", "is_signer", "is_writable", "key")

    def __init__(self, frame: Frame, key: Pubkey, *, is_signer: bool, is_writable: bool) -> None:
        self._frame = frame
        self.key = key
        self.is_signer = is_signer
        self.is_writable = is_writable

    @property
    def lamports(self) -> int:
        return self._frame.cell(self.key).lamports

    @lamports.setter
    def lamports(self, value: int) -> None:
        cell = self._frame.cell(self.key)
        if value == cell.lamports:
            return
        if not 0 <= value < _U64:
            raise ProgramError("ArithmeticOverflow", f"balance of {self.key} would be {value} lamports")
        if value < cell.lamports and cell.owner != self._frame.program_id:
            raise ProgramError("ExternalAccountLamportSpend", f"{self.key} is owned by {cell.owner}")
        if not self.is_writable:
            raise ProgramError("ReadonlyLamportChange", f"{self.key} is read-only here")
        cell.lamports = value
        cell.dirty = True

    @property
    def data(self) -> bytes:
        return self._frame.cell(self.key).data

    @data.setter
    def data(self, value: bytes) -> None:
        cell = self._frame.cell(self.key)
        if value == cell.data:
            return
        owned = cell.owner == self._frame.program_id
        if len(value) != len(cell.data) and not owned:
            raise ProgramError("AccountDataSizeChanged", f"{self.key} is owned by {cell.owner}")
        if len(value) > min(MAX_DATA, self._frame.original_size(self.key) + MAX_GROWTH):
            raise ProgramError("InvalidRealloc", f"{self.key} may not grow to {len(value)} bytes in one call")
        if not self.is_writable:
            raise ProgramError("ReadonlyDataModified", f"{self.key} is read-only here")
        if not owned:
            raise ProgramError("ExternalAccountDataModified", f"{self.key} is owned by {cell.owner}")
        cell.data = bytes(value)
        cell.dirty = True

    @property
    def owner(self) -> Pubkey:
        return self._frame.cell(self.key).owner

    def exists(self) -> bool:
        return self._frame.cell(self.key).lamports > 0


class Frame:
    """The accounts of one call of a model."""

    def __init__(self, machine: Machine, program_id: Pubkey, metas: Sequence[AccountMeta]) -> None:
        self.program_id = program_id
        self._machine = machine
        self._cells: dict[Pubkey, _Cell] = {}
        self._sizes: dict[Pubkey, int] = {}
        self.signers = {meta.pubkey for meta in metas if meta.is_signer}
        self.writables = {meta.pubkey for meta in metas if meta.is_writable}
        self.keys = {meta.pubkey for meta in metas}
        self.views = [
            View(self, meta.pubkey, is_signer=meta.pubkey in self.signers, is_writable=meta.pubkey in self.writables)
            for meta in metas
        ]
        self._total = self._sum()

    def cell(self, key: Pubkey) -> _Cell:
        """State of ``key``, read from the machine on first use."""
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = _Cell(self._machine.get(key))
            self._sizes.setdefault(key, len(cell.data))
        return cell

    def original_size(self, key: Pubkey) -> int:
        """Data bytes of ``key`` when this call first saw it."""
        self.cell(key)
        return self._sizes[key]

    def _sum(self) -> int:
        """Lamports in the accounts that this call may change."""
        return sum(
            self._cells[key].lamports if key in self._cells else self._machine.lamports(key) for key in self.writables
        )

    def settle(self) -> None:
        """Check that lamports balance, then hand what was written to the machine. Raises ``ProgramError``."""
        if not any(cell.dirty for cell in self._cells.values()):
            return
        total = self._sum()
        if total != self._total:
            raise ProgramError("UnbalancedInstruction", f"lamports went from {self._total} to {total}")
        for key, cell in self._cells.items():
            if cell.dirty:
                self._machine.put(key, cell.account())
                cell.dirty = False

    def prepare_call(self, writable: Sequence[Pubkey]) -> None:
        """Before a CPI that may write ``writable``: settle, and note sizes so that growth inside the callee counts."""
        self.settle()
        for key in writable:
            self.original_size(key)

    def return_from_call(self, writable: Sequence[Pubkey]) -> None:
        """After a CPI: forget what the callee may have changed. Raises ``ProgramError`` (InvalidRealloc) for its growth."""
        for key in writable:
            self._cells.pop(key, None)
            if len(self.cell(key).data) > self._sizes[key] + MAX_GROWTH:
                raise ProgramError("InvalidRealloc", f"{key} grew by more than {MAX_GROWTH} bytes inside a CPI")
