"""What accounts that do not exist yet will have to hold."""

from __future__ import annotations

from keeper.chain.accounts import Account
from keeper.protocols.addresses import SPL_TOKEN
from keeper.protocols.layout import LayoutError
from keeper.protocols.sysvars import Rent
from keeper.protocols.token import ACCOUNT_LENGTH, MINT_LENGTH, TYPE_OFFSET
from keeper.units import Lamports

TLV_HEADER = 4
EXTENSIONS_AT = TYPE_OFFSET + 1
IMMUTABLE_OWNER, NON_TRANSFERABLE = 7, 9
ACCOUNT_EXTENSION = {1: 8, NON_TRANSFERABLE: 0, 14: 1, 26: 0}
"""Data bytes of the extension that an account needs where its mint has one: transfer fees (1), no transfers (9), a transfer hook
(14), pausing (26). Source: Token-2022's ``ExtensionType::get_required_init_account_extensions``."""
WITHOUT_CONSEQUENCE = frozenset({3, 4, 6, 10, 12, 18, 19, 20, 21, 22, 23, 25})
"""Mint extensions that ask nothing of an account: close authority, confidential transfers (opted into by account), default state,
interest, delegate, the pointers and what they point to, scaled amounts."""


def missing_rent(rent: Rent, present: Account | None, size: int) -> Lamports:
    """Lamports that opening (or growing) an account to ``size`` bytes takes from the payer: what is there already counts."""
    there = Lamports(0) if present is None else present.lamports
    return max(rent.exempt(size) - there, Lamports(0))


def token_account_size(mint: Account, *, associated: bool) -> int:
    """Bytes of a new token account of ``mint``. ``associated``: opened by the associated-token program, which makes the owner of
    a Token-2022 account immutable.

    Raises ``LayoutError`` for a mint with an extension that is not known here: what its accounts cost cannot be told.
    """
    if mint.owner == SPL_TOKEN:
        return ACCOUNT_LENGTH
    needed = {IMMUTABLE_OWNER: 0} if associated else {}
    for kind in _extensions(mint.data):
        if kind in ACCOUNT_EXTENSION:
            needed[kind] = ACCOUNT_EXTENSION[kind]
            if kind == NON_TRANSFERABLE:
                needed[IMMUTABLE_OWNER] = 0
        elif kind not in WITHOUT_CONSEQUENCE:
            raise LayoutError("mint", "extensions", "types whose accounts have a known size", f"type {kind}")
    if not needed:
        return ACCOUNT_LENGTH
    return EXTENSIONS_AT + sum(TLV_HEADER + size for size in needed.values())


def _extensions(data: bytes) -> list[int]:
    """The types of a Token-2022 mint's extensions; it ends at the first empty type."""
    found: list[int] = []
    position = EXTENSIONS_AT
    while len(data) > MINT_LENGTH and position + TLV_HEADER <= len(data):
        kind, length = (int.from_bytes(data[position + at : position + at + 2], "little") for at in (0, 2))
        if kind == 0:
            break
        found.append(kind)
        position += TLV_HEADER + length
    return found
