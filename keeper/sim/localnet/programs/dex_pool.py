"""Model of the localnet's DEX: two-token pools with a constant-product or a rate-scaled stable-swap curve.

Instructions (Anchor discriminators):
``swap(amount_in u64, minimum_out u64, a_to_b bool)``: user[S], pool[], source[W], destination[W], vault_a[W], vault_b[W],
token program. ``set_rate(numerator u64, denominator u64)``: rate_authority[S], pool[W].
"""

from __future__ import annotations

from enum import IntEnum

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN
from keeper.sim.localnet.interface import InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    event_discriminator,
    instruction_discriminator,
    require_key,
    require_signer,
    require_token_program,
    state_bytes,
    take_accounts,
    token_account,
)
from keeper.sim.localnet.programs.borsh import Reader, u8, u64
from keeper.sim.localnet.programs.curves import CurveError, Rate
from keeper.sim.localnet.programs.dex_state import (
    AMM_DEX_PROGRAM,
    DEX_LABELS,
    POOL_DISCRIMINATOR,
    STABLE_DEX_PROGRAM,
    Curve,
    DexPool,
    PoolState,
    decode_pool,
    quote,
)

SWAP = instruction_discriminator("swap")
SET_RATE = instruction_discriminator("set_rate")
SWAP_EVENT = event_discriminator("SwapExecuted")


class DexError(IntEnum):
    """Custom codes of the localnet's DEX programs."""

    SLIPPAGE_EXCEEDED = 6000
    ZERO_AMOUNT = 6001
    INSUFFICIENT_LIQUIDITY = 6002
    POOL_PAUSED = 6003
    INVALID_RATE = 6004
    UNAUTHORIZED = 6005

    def error(self) -> ProgramError:
        return ProgramError.custom(self.value, "".join(word.capitalize() for word in self.name.split("_")))


class DexProgram:
    """The model at one of the localnet's DEX addresses."""

    def __init__(self, program_id: Pubkey) -> None:
        self.program_id = program_id
        self.name = DEX_LABELS[program_id]

    def process(self, ctx: InvokeContext) -> None:
        if len(ctx.data) < 8:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        reader = Reader(ctx.data, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error())
        discriminator = reader.take(8)
        if discriminator == SWAP:
            ctx.log("Instruction: Swap")
            _swap(ctx, reader.u64(), reader.u64(), reader.flag())
        elif discriminator == SET_RATE:
            ctx.log("Instruction: SetRate")
            _set_rate(ctx, reader.u64(), reader.u64())
        else:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()


def dex_programs() -> list[DexProgram]:
    """The models to register on a bank."""
    return [DexProgram(STABLE_DEX_PROGRAM), DexProgram(AMM_DEX_PROGRAM)]


def _swap(ctx: InvokeContext, amount_in: int, minimum_out: int, a_to_b: bool) -> None:
    ctx.consume(28_000)
    user, pool_view, source, destination, vault_a, vault_b, token = take_accounts(ctx, 7)
    require_signer(user, "user")
    require_token_program(token)
    data = state_bytes(pool_view, ctx.program_id, POOL_DISCRIMINATOR, "pool")
    pool = decode_pool(pool_view.key, ctx.program_id, data)
    require_key(vault_a, pool.vault_a, "vault_a")
    require_key(vault_b, pool.vault_b, "vault_b")
    mint_in, mint_out = (pool.mint_a, pool.mint_b) if a_to_b else (pool.mint_b, pool.mint_a)
    token_account(source, mint_in, "source")
    token_account(destination, mint_out, "destination")
    if pool.paused:
        raise DexError.POOL_PAUSED.error()
    if amount_in == 0:
        raise DexError.ZERO_AMOUNT.error()
    state = PoolState(
        pool,
        token_account(vault_a, pool.mint_a, "vault_a").amount,
        token_account(vault_b, pool.mint_b, "vault_b").amount,
    )
    try:
        amounts = quote(state, amount_in, a_to_b)
    except CurveError as error:
        ctx.log(str(error))
        raise DexError.INSUFFICIENT_LIQUIDITY.error() from error
    if amounts.amount_out == 0:
        raise DexError.INSUFFICIENT_LIQUIDITY.error()
    if amounts.amount_out < minimum_out:
        ctx.log(f"amount out {amounts.amount_out} is below the minimum {minimum_out}")
        raise DexError.SLIPPAGE_EXCEEDED.error()
    vault_in, vault_out = (vault_a, vault_b) if a_to_b else (vault_b, vault_a)
    ctx.invoke(cpi.token_transfer(source.key, vault_in.key, user.key, amount_in))
    ctx.invoke(cpi.token_transfer(vault_out.key, destination.key, pool_view.key, amounts.amount_out), [pool.seeds])
    ctx.emit(
        SWAP_EVENT + bytes(pool_view.key) + u64(amount_in) + u64(amounts.amount_out) + u64(amounts.fee) + u8(a_to_b)
    )


def _set_rate(ctx: InvokeContext, numerator: int, denominator: int) -> None:
    ctx.consume(3_000)
    authority, pool_view = take_accounts(ctx, 2)
    require_signer(authority, "rate_authority")
    data = state_bytes(pool_view, ctx.program_id, POOL_DISCRIMINATOR, "pool")
    pool = decode_pool(pool_view.key, ctx.program_id, data)
    if authority.key != pool.rate_authority:
        raise DexError.UNAUTHORIZED.error()
    if pool.curve is not Curve.STABLE_SWAP or numerator == 0 or denominator == 0:
        raise DexError.INVALID_RATE.error()
    pool_view.data = pool.with_rate(Rate(numerator, denominator)).encode()


# --- instructions, for the router, the cranks and traders of the box --------------------------------------------------


def swap_instruction(
    pool: DexPool,
    user: Pubkey,
    source: Pubkey,
    destination: Pubkey,
    *,
    amount_in: int,
    minimum_out: int,
    a_to_b: bool,
) -> Instruction:
    metas = [
        cpi.readonly(user, True),
        cpi.readonly(pool.address),
        cpi.writable(source),
        cpi.writable(destination),
        cpi.writable(pool.vault_a),
        cpi.writable(pool.vault_b),
        cpi.readonly(SPL_TOKEN),
    ]
    return Instruction(pool.program, SWAP + u64(amount_in) + u64(minimum_out) + u8(a_to_b), metas)


def set_rate_instruction(pool: DexPool, rate: Rate) -> Instruction:
    metas = [cpi.readonly(pool.rate_authority, True), cpi.writable(pool.address)]
    return Instruction(pool.program, SET_RATE + u64(rate.numerator) + u64(rate.denominator), metas)


__all__ = [
    "AMM_DEX_PROGRAM",
    "DEX_LABELS",
    "STABLE_DEX_PROGRAM",
    "DexError",
    "DexPool",
    "DexProgram",
    "PoolState",
    "decode_pool",
    "dex_programs",
    "quote",
    "set_rate_instruction",
    "swap_instruction",
]
