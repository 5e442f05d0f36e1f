"""Instructions from an API are taken apart before anybody may sign them.

What surrounds the swap may only do what a swap needs: create the owner's own associated token accounts, wrap exactly what
is sold, and unwrap to the owner. The swap itself must be Jupiter's, sell exactly the amount, and carry its minimum in its
arguments. (The firewall of ``keeper.execution`` looks once more, at the whole transaction and its simulated effects.)
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.units import BPS, WSOL_ADDRESS, Mint, TokenAmount
from keeper.venues.door import QuoteAbsurd, SwapInstructions

SYSTEM = Pubkey.from_string("11111111111111111111111111111111")
SPL_TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022 = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
ASSOCIATED_TOKEN = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
COMPUTE_BUDGET = Pubkey.from_string("ComputeBudget111111111111111111111111111111")
JUPITER = Pubkey.from_string("JUP6LkbZbjS1jKKwapdHNy74zcZ3tLUZoi5QNyVTaV4")
WSOL = Pubkey.from_string(WSOL_ADDRESS)

_SYSTEM_TRANSFER = 2
_TOKEN_CLOSE_ACCOUNT = 9
_TOKEN_SYNC_NATIVE = 17


@dataclass(frozen=True, slots=True)
class SwapArguments:
    """What the router enforces: at least ``minimum_out`` for ``in_amount``. Base units."""

    in_amount: int
    quoted_out: int
    slippage_bps: int

    @property
    def minimum_out(self) -> int:
        """Rounded up, as the router does."""
        return -(-self.quoted_out * (BPS - self.slippage_bps) // BPS)


# Anchor discriminators sha256("global:<name>")[:8]; argument order from Jupiter's IDL. The first two carry the plan in
# front and the amounts in the last 19 bytes; in the v2 pair the amounts stand in front (after the id of the shared one).
_TAIL = {bytes.fromhex("e517cb977ae3ad2a"): "route", bytes.fromhex("c1209b3341d69c81"): "shared_accounts_route"}
_HEAD = {
    bytes.fromhex("bb64facc31c4af14"): ("route_v2", 8),
    bytes.fromhex("d19853937cfed8e9"): ("shared_accounts_route_v2", 9),
}


def swap_arguments(data: bytes) -> SwapArguments | None:
    """The amounts of a Jupiter route instruction; None for an instruction that is not a known exact-in route."""
    kind = data[:8]
    if kind in _TAIL and len(data) >= 8 + 4 + 19:
        in_amount, quoted_out, slippage, _fee = struct.unpack_from("<QQHB", data, len(data) - 19)
    elif kind in _HEAD and len(data) >= _HEAD[kind][1] + 22:
        in_amount, quoted_out, slippage, _fee, _positive = struct.unpack_from("<QQHHH", data, _HEAD[kind][1])
    else:
        return None
    return SwapArguments(in_amount, quoted_out, slippage) if slippage <= BPS else None


def associated_token_account(owner: Pubkey, mint: Pubkey, program: Pubkey = SPL_TOKEN) -> Pubkey:
    """The owner's associated token account (associated-token-account program's seeds)."""
    return Pubkey.find_program_address([bytes(owner), bytes(program), bytes(mint)], ASSOCIATED_TOKEN)[0]


@dataclass(frozen=True, slots=True)
class Vetting:
    """What the instructions are held against. ``routers``: the programs that may be the swap."""

    venue: str
    owner: Pubkey
    sell: TokenAmount
    buy: Mint
    routers: frozenset[Pubkey]

    def vet(
        self,
        setup: Sequence[Instruction],
        swap: Instruction,
        cleanup: Sequence[Instruction],
        lookup_tables: Sequence[Pubkey],
    ) -> SwapInstructions:
        """The swap, if it does only what it should. Raises ``QuoteAbsurd``."""
        for instruction in (*setup, swap, *cleanup):
            for meta in instruction.accounts:
                if meta.is_signer and meta.pubkey != self.owner:
                    raise self._absurd(f"{instruction.program_id} wants a signature of {meta.pubkey}")
        wrapped = sum(self._side_effect(instruction) for instruction in setup)
        wrapped += sum(self._side_effect(instruction) for instruction in cleanup)
        if wrapped > (self.sell.units if self.sell.mint.address == WSOL_ADDRESS else 0):
            raise self._absurd(f"wraps {wrapped} lamports to sell {self.sell}")
        minimum = self._swap_minimum(swap)
        return SwapInstructions(tuple(setup), swap, tuple(cleanup), tuple(lookup_tables), minimum)

    def _swap_minimum(self, swap: Instruction) -> TokenAmount:
        if swap.program_id not in self.routers:
            raise self._absurd(f"the swap instruction is of {swap.program_id}, not of a router that we know")
        if not any(meta.pubkey == self.owner and meta.is_signer for meta in swap.accounts):
            raise self._absurd(f"the swap does not spend from {self.owner}")
        arguments = swap_arguments(bytes(swap.data))
        if arguments is None:
            raise self._absurd(f"the swap instruction {bytes(swap.data)[:8].hex()} is no exact-in route that we know")
        if arguments.in_amount != self.sell.units:
            raise self._absurd(f"the swap sells {arguments.in_amount} base units, asked were {self.sell.units}")
        return TokenAmount(self.buy, arguments.minimum_out)

    def _side_effect(self, instruction: Instruction) -> int:
        """Lamports that ``instruction`` wraps. Raises for anything that is not part of preparing or ending a swap."""
        program, data = instruction.program_id, bytes(instruction.data)
        keys = [meta.pubkey for meta in instruction.accounts]
        if program == ASSOCIATED_TOKEN:
            self._own_account_creation(data, keys)
            return 0
        wsol_account = associated_token_account(self.owner, WSOL)
        if program == SYSTEM and len(data) == 12 and struct.unpack_from("<I", data)[0] == _SYSTEM_TRANSFER:
            if keys[:2] != [self.owner, wsol_account]:
                raise self._absurd(f"moves SOL to {keys[1] if len(keys) > 1 else 'nobody'}, not into the owner's wSOL")
            return int(struct.unpack_from("<Q", data, 4)[0])
        if program in (SPL_TOKEN, TOKEN_2022) and data[:1] == bytes([_TOKEN_SYNC_NATIVE]):
            return 0
        if program in (SPL_TOKEN, TOKEN_2022) and data[:1] == bytes([_TOKEN_CLOSE_ACCOUNT]):
            if keys[:3] != [wsol_account, self.owner, self.owner]:
                raise self._absurd("closes an account other than the owner's wSOL, or in favour of somebody else")
            return 0
        raise self._absurd(f"contains an instruction of {program} (data {data[:9].hex()}) that a swap does not need")

    def _own_account_creation(self, data: bytes, keys: list[Pubkey]) -> None:
        # payer, account, wallet, mint, system program, token program; data empty or 0 = create, 1 = create idempotent
        if data not in (b"", b"\x00", b"\x01") or len(keys) < 6 or keys[2] != self.owner:
            raise self._absurd("creates a token account that is not the owner's")
        if keys[5] not in (SPL_TOKEN, TOKEN_2022) or keys[1] != associated_token_account(self.owner, keys[3], keys[5]):
            raise self._absurd(f"creates {keys[1]}, which is not the owner's account of {keys[3]}")

    def _absurd(self, message: str) -> QuoteAbsurd:
        return QuoteAbsurd(self.venue, message)
