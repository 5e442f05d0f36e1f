"""The instructions around a swap: token accounts, wrapping, the swap itself, unwrapping, compute budget, tip."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.hash import Hash
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, WSOL_MINT
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.jupiter.errors import ErrorCode, JupiterError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.jupiter_router import route_instruction
from keeper.sim.localnet.programs.routes import Route

_TABLE_HEADER = 56
_SYNC_NATIVE = b"\x11"
_CLOSE_ACCOUNT = b"\x09"
BLOCKHASH_BLOCKS = 150


@dataclass(frozen=True, slots=True)
class SwapAccounts:
    """Who swaps and where the tokens are. ``payer`` pays for new accounts; ``destination`` None: the taker's own account."""

    taker: Pubkey
    payer: Pubkey
    destination: Pubkey | None
    wrap: bool


@dataclass(frozen=True, slots=True)
class Composition:
    """Instructions in the order they belong: setup, swap, cleanup."""

    setup: tuple[Instruction, ...]
    swap: Instruction
    cleanup: Instruction | None

    @property
    def all(self) -> list[Instruction]:
        return [*self.setup, self.swap, *([self.cleanup] if self.cleanup is not None else [])]


def compose(
    bank: BankFace, route: Route, accounts: SwapAccounts, *, slippage_bps: int, v2: bool, skip_existing: bool
) -> Composition:
    """Everything a taker needs to execute ``route``. ``skip_existing``: leave out creates of accounts that are there (v1).

    Raises ``JupiterError`` FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS where the route's legs and pools do not fit.
    """
    taker = accounts.taker
    source = cpi.associated_address(taker, route.input_mint)
    native_in = accounts.wrap and route.input_mint == WSOL_MINT
    native_out = accounts.wrap and route.output_mint == WSOL_MINT and accounts.destination is None
    needed = list(route.intermediate_mints)
    if accounts.destination is None:
        needed.append(route.output_mint)
    if native_in:
        needed.insert(0, WSOL_MINT)
    setup = [
        cpi.create_associated(accounts.payer, taker, mint)
        for mint in needed
        if not (skip_existing and bank.get_account(cpi.associated_address(taker, mint)) is not None)
    ]
    if native_in:
        setup.append(cpi.system_transfer(taker, source, route.in_amount))
        setup.append(Instruction(SPL_TOKEN, _SYNC_NATIVE, [cpi.writable(source)]))
    try:
        swap = route_instruction(
            route,
            taker,
            source=source,
            destination=accounts.destination or cpi.associated_address(taker, route.output_mint),
            quoted_out=route.out_amount,
            slippage_bps=slippage_bps,
            v2=v2,
        )
    except KeyError as error:
        raise JupiterError(
            f"the route plan does not lead from {route.input_mint} to {route.output_mint}",
            ErrorCode.FAILED_TO_GET_SWAP_AND_ACCOUNT_METAS,
        ) from error
    cleanup = None
    if native_in or native_out:
        wrapped = cpi.associated_address(taker, WSOL_MINT)
        metas = [cpi.writable(wrapped), cpi.writable(taker), cpi.readonly(taker, True)]
        cleanup = Instruction(SPL_TOKEN, _CLOSE_ACCOUNT, metas)
    return Composition(tuple(setup), swap, cleanup)


def instruction_json(instruction: Instruction) -> dict[str, Any]:
    """``{programId, accounts, data}`` with base64 data."""
    return {
        "programId": str(instruction.program_id),
        "accounts": [
            {"pubkey": str(meta.pubkey), "isSigner": meta.is_signer, "isWritable": meta.is_writable}
            for meta in instruction.accounts
        ],
        "data": base64.b64encode(bytes(instruction.data)).decode(),
    }


def optional_instruction_json(instruction: Instruction | None) -> dict[str, Any] | None:
    """As ``instruction_json``, null for none."""
    return None if instruction is None else instruction_json(instruction)


def read_lookup_table(bank: BankFace, table: Pubkey | None) -> AddressLookupTableAccount | None:
    """The market's lookup table as it stands, None where there is none."""
    account = None if table is None else bank.get_account(table)
    if table is None or account is None:
        return None
    data = bytes(account.data)
    addresses = [Pubkey.from_bytes(data[at : at + 32]) for at in range(_TABLE_HEADER, len(data) - 31, 32)]
    return AddressLookupTableAccount(table, addresses)


def useful_table(
    bank: BankFace, table: Pubkey | None, instructions: Sequence[Instruction]
) -> AddressLookupTableAccount | None:
    """The lookup table, if any account of ``instructions`` can come out of it (programs and signers cannot)."""
    found = read_lookup_table(bank, table)
    if found is None:
        return None
    static = {instruction.program_id for instruction in instructions}
    static |= {meta.pubkey for instruction in instructions for meta in instruction.accounts if meta.is_signer}
    named = {meta.pubkey for instruction in instructions for meta in instruction.accounts} - static
    return found if named & set(found.addresses) else None


def blockhash_for(bank: BankFace, blocks: int) -> tuple[Hash, int]:
    """(blockhash, last valid block height) of a hash that lives about ``blocks`` more blocks; the newest for 150 and more."""
    newest, last_valid = bank.latest_blockhash()
    slot = bank.clock.slot - 1
    wanted = last_valid - max(0, BLOCKHASH_BLOCKS - blocks)
    while slot >= bank.config.start_slot:
        block = bank.block(slot)
        if block is not None and block.block_height + BLOCKHASH_BLOCKS <= wanted:
            return block.blockhash, block.block_height + BLOCKHASH_BLOCKS
        slot -= 1
    return newest, last_valid


def price_at(bank: BankFace, instructions: Sequence[Instruction], percentile_bps: int) -> int:
    """Compute-unit price in micro-lamports: that percentile of what landed lately for the accounts written here."""
    written = {meta.pubkey for instruction in instructions for meta in instruction.accounts if meta.is_writable}
    fees = sorted(fee for _, fee in bank.recent_fees(sorted(written, key=bytes)))
    if not fees:
        return 0
    return fees[min(len(fees) - 1, len(fees) * percentile_bps // 10_000)]
