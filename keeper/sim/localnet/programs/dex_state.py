"""State of a localnet DEX pool, and the exact quote of a swap in it.

The programs and their layout are the localnet's own: no mainnet AMM is imitated. Two program addresses run the same code, so
that Jupiter's ``dexes`` and ``excludeDexes`` (labels, one a program) have something to choose between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from hashlib import sha256

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.sim.localnet.programs import cpi, curves
from keeper.sim.localnet.programs.anchor import AnchorError, account_discriminator
from keeper.sim.localnet.programs.borsh import Reader, u8, u16, u64
from keeper.sim.localnet.programs.native_state import token_amount

STABLE_DEX_PROGRAM = Pubkey.from_bytes(sha256(b"glow-keeper localnet: stable-swap DEX").digest())
AMM_DEX_PROGRAM = Pubkey.from_bytes(sha256(b"glow-keeper localnet: constant-product DEX").digest())
DEX_LABELS: dict[Pubkey, str] = {STABLE_DEX_PROGRAM: "Localnet Stable", AMM_DEX_PROGRAM: "Localnet AMM"}
"""Jupiter's program-id-to-label map of the localnet."""

POOL_DISCRIMINATOR = account_discriminator("DexPool")
POOL_SIZE = 220


class Curve(IntEnum):
    CONSTANT_PRODUCT = 0
    STABLE_SWAP = 1


@dataclass(frozen=True, slots=True)
class DexPool:
    """The pool account, 220 bytes, little-endian after the discriminator (@0):

    bump u8 @8 · curve u8 @9 · index u8 @10 · paused bool @11 · fee_bps u16 @12 · mint_a @14 · mint_b @46 · vault_a @78 ·
    vault_b @110 · rate_authority @142 · amplification u64 @174 · rate_numerator u64 @182 · rate_denominator u64 @190.

    ``rate``: value of one base unit of token A in token B around which a stable-swap pool is centred.
    """

    program: Pubkey
    address: Pubkey
    bump: int
    curve: Curve
    index: int
    paused: bool
    fee_bps: int
    mint_a: Pubkey
    mint_b: Pubkey
    vault_a: Pubkey
    vault_b: Pubkey
    rate_authority: Pubkey
    amplification: int
    rate: curves.Rate

    @property
    def label(self) -> str:
        return DEX_LABELS[self.program]

    @property
    def seeds(self) -> cpi.Seeds:
        return (b"pool", bytes(self.mint_a), bytes(self.mint_b), u8(self.index), u8(self.bump))

    def with_rate(self, rate: curves.Rate) -> DexPool:
        return replace(self, rate=rate)

    def encode(self) -> bytes:
        body = b"".join(
            (
                POOL_DISCRIMINATOR,
                u8(self.bump),
                u8(self.curve),
                u8(self.index),
                u8(self.paused),
                u16(self.fee_bps),
                bytes(self.mint_a),
                bytes(self.mint_b),
                bytes(self.vault_a),
                bytes(self.vault_b),
                bytes(self.rate_authority),
                u64(self.amplification),
                u64(self.rate.numerator),
                u64(self.rate.denominator),
            )
        )
        return body.ljust(POOL_SIZE, b"\0")


def pool_address(program: Pubkey, mint_a: Pubkey, mint_b: Pubkey, index: int = 0) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([b"pool", bytes(mint_a), bytes(mint_b), u8(index)], program)


def decode_pool(address: Pubkey, program: Pubkey, data: bytes) -> DexPool:
    """Raises Anchor 3002 or 3003 for bytes that are no pool."""
    if data[:8] != POOL_DISCRIMINATOR:
        raise AnchorError.ACCOUNT_DISCRIMINATOR_MISMATCH.error("pool")
    reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("pool"))
    return DexPool(
        program=program,
        address=address,
        bump=reader.u8(),
        curve=Curve(reader.u8()),
        index=reader.u8(),
        paused=reader.flag(),
        fee_bps=reader.u16(),
        mint_a=reader.key(),
        mint_b=reader.key(),
        vault_a=reader.key(),
        vault_b=reader.key(),
        rate_authority=reader.key(),
        amplification=reader.u64(),
        rate=curves.Rate(reader.u64(), reader.u64()),
    )


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool with the balances of its vaults: all that a quote needs."""

    pool: DexPool
    reserve_a: int
    reserve_b: int

    def a_to_b(self, input_mint: Pubkey) -> bool:
        return input_mint == self.pool.mint_a


def quote(state: PoolState, amount_in: int, a_to_b: bool) -> curves.SwapAmounts:
    """What a swap of ``amount_in`` pays, to the unit what execution pays. Raises ``CurveError``."""
    pool = state.pool
    reserve_in, reserve_out = (state.reserve_a, state.reserve_b) if a_to_b else (state.reserve_b, state.reserve_a)
    if pool.curve is Curve.CONSTANT_PRODUCT:
        return curves.constant_product(reserve_in, reserve_out, amount_in, pool.fee_bps)
    rate_in, rate_out = (pool.rate, curves.UNSCALED) if a_to_b else (curves.UNSCALED, pool.rate)
    return curves.stable_swap(
        reserve_in,
        reserve_out,
        amount_in,
        pool.fee_bps,
        amplification=pool.amplification,
        rate_in=rate_in,
        rate_out=rate_out,
    )


def read_pool(get_account: Callable[[Pubkey], Account | None], address: Pubkey) -> PoolState:
    """A pool and its reserves through any account getter. Raises ``LookupError`` when an account of it is missing."""
    account = get_account(address)
    if account is None:
        raise LookupError(f"no DEX pool at {address}")
    return pool_state(get_account, decode_pool(address, account.owner, bytes(account.data)))


def pool_state(get_account: Callable[[Pubkey], Account | None], pool: DexPool) -> PoolState:
    """Adds the reserves. Raises ``LookupError`` when a vault is missing."""
    vault_a, vault_b = get_account(pool.vault_a), get_account(pool.vault_b)
    if vault_a is None or vault_b is None:
        raise LookupError(f"DEX pool {pool.address} lacks a vault")
    return PoolState(pool, token_amount(bytes(vault_a.data)), token_amount(bytes(vault_b.data)))
