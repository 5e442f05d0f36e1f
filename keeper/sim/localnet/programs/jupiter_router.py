"""Model of Jupiter's router program (JUP6Lk...) over the localnet's DEX pools.

Two real instructions with their real accounts and arguments: ``route`` (e517cb977ae3ad2a) and ``route_v2`` (bb64facc31c4af14).
The plan's steps are the localnet's own encoding, since Jupiter's enum of DEXes does not know these pools:

* a step of ``route``: ``swap u8`` (0 = a to b, 1 = b to a), ``percent u8``, ``input_index u8``, ``output_index u8``
* a step of ``route_v2``: ``swap u8``, ``bps u16``, ``input_index u8``, ``output_index u8``

Index 0 is the input token, the highest index of the plan the output token, between them lie intermediate tokens. A step
swaps its share of all that has arrived at its input index; the last step that reads an index takes the rest. After the
fixed accounts follow seven a step: DEX program, pool, source token account, destination token account, vault a, vault b,
token program.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import JUPITER_V6, SPL_TOKEN
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    instruction_discriminator,
    require_signer,
    require_token_program,
    take_accounts,
    token_account,
)
from keeper.sim.localnet.programs.borsh import Reader, u8, u16, u32, u64
from keeper.sim.localnet.programs.dex_pool import swap_instruction
from keeper.sim.localnet.programs.dex_state import DEX_LABELS, decode_pool
from keeper.sim.localnet.programs.native_state import read_token_account
from keeper.sim.localnet.programs.routes import Leg, Route, find_route

ROUTE = instruction_discriminator("route")
ROUTE_V2 = bytes.fromhex("bb64facc31c4af14")
EVENT_AUTHORITY = Pubkey.from_string("D8cy77BBepLMngZx6ZukaTff5hCt1HrWyKk3Hnd9oitf")
V1_ACCOUNTS = 9
V2_ACCOUNTS = 10
ACCOUNTS_A_STEP = 7
BPS = 10_000


class JupiterError(IntEnum):
    """Custom codes of the router that the model raises."""

    EMPTY_ROUTE = 6000
    SLIPPAGE_TOLERANCE_EXCEEDED = 6001
    MISSING_PLATFORM_FEE_ACCOUNT = 6003
    INVALID_SLIPPAGE = 6004
    NOT_ENOUGH_PERCENT = 6005
    INVALID_INPUT_INDEX = 6006
    INVALID_OUTPUT_INDEX = 6007
    NOT_ENOUGH_ACCOUNT_KEYS = 6008
    INSUFFICIENT_FUNDS = 6024

    def error(self) -> ProgramError:
        return ProgramError.custom(self.value, "".join(word.capitalize() for word in self.name.split("_")))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a plan. ``bps``: share of what arrived at ``input_index``."""

    a_to_b: bool
    bps: int
    input_index: int
    output_index: int


def minimum_out(quoted_out: int, slippage_bps: int) -> int:
    """The least output that passes, base units: rounded up, as Jupiter's ``otherAmountThreshold`` is."""
    return -(-quoted_out * (BPS - slippage_bps) // BPS)


class JupiterProgram:
    """The model at ``JUP6Lk...``."""

    program_id: Pubkey = JUPITER_V6
    name = "jupiter"

    def process(self, ctx: InvokeContext) -> None:
        if len(ctx.data) < 8:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        reader = Reader(ctx.data, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error())
        discriminator = reader.take(8)
        if discriminator == ROUTE:
            ctx.log("Instruction: Route")
            _route(ctx, reader)
        elif discriminator == ROUTE_V2:
            ctx.log("Instruction: RouteV2")
            _route_v2(ctx, reader)
        else:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()


def _route(ctx: InvokeContext, reader: Reader) -> None:
    steps = [Step(_direction(reader), reader.u8() * 100, reader.u8(), reader.u8()) for _ in range(_step_count(reader))]
    in_amount, quoted_out, slippage_bps, platform_fee_bps = reader.u64(), reader.u64(), reader.u16(), reader.u8()
    token, user, source, destination, elsewhere, _, _, _, _ = take_accounts(ctx, V1_ACCOUNTS)
    require_token_program(token)
    if platform_fee_bps:
        raise JupiterError.MISSING_PLATFORM_FEE_ACCOUNT.error()
    target = destination if elsewhere.key == JUPITER_V6 else elsewhere
    _execute(ctx, Trade(steps, V1_ACCOUNTS, user, source, target, in_amount, quoted_out, slippage_bps))


def _route_v2(ctx: InvokeContext, reader: Reader) -> None:
    in_amount, quoted_out, slippage_bps = reader.u64(), reader.u64(), reader.u16()
    platform_fee_bps, positive_slippage_bps = reader.u16(), reader.u16()
    steps = [Step(_direction(reader), reader.u16(), reader.u8(), reader.u8()) for _ in range(_step_count(reader))]
    user, source, destination, source_mint, destination_mint, token_in, token_out, elsewhere, _, _ = take_accounts(
        ctx, V2_ACCOUNTS
    )
    require_token_program(token_in)
    require_token_program(token_out)
    if platform_fee_bps or positive_slippage_bps:
        raise JupiterError.MISSING_PLATFORM_FEE_ACCOUNT.error()
    target = destination if elsewhere.key == JUPITER_V6 else elsewhere
    token_account(source, source_mint.key, "source_token_account")
    token_account(target, destination_mint.key, "destination_token_account")
    _execute(ctx, Trade(steps, V2_ACCOUNTS, user, source, target, in_amount, quoted_out, slippage_bps))


def _step_count(reader: Reader) -> int:
    count = reader.u32()
    if count > 16:
        raise AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error()
    return count


def _direction(reader: Reader) -> bool:
    swap = reader.u8()
    if swap > 1:
        raise AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error()
    return swap == 0


@dataclass(frozen=True, slots=True)
class Trade:
    """What an instruction asks for, in both of its versions. ``fixed``: number of accounts before the steps'."""

    steps: Sequence[Step]
    fixed: int
    user: AccountView
    source: AccountView
    target: AccountView
    in_amount: int
    quoted_out: int
    slippage_bps: int


def _execute(ctx: InvokeContext, trade: Trade) -> None:
    ctx.consume(9_000 + 4_000 * len(trade.steps))
    require_signer(trade.user, "user_transfer_authority")
    if not trade.steps:
        raise JupiterError.EMPTY_ROUTE.error()
    if trade.slippage_bps > BPS:
        raise JupiterError.INVALID_SLIPPAGE.error()
    if len(ctx.accounts) < trade.fixed + ACCOUNTS_A_STEP * len(trade.steps):
        raise JupiterError.NOT_ENOUGH_ACCOUNT_KEYS.error()
    if read_token_account(trade.source).amount < trade.in_amount:
        raise JupiterError.INSUFFICIENT_FUNDS.error()
    before = read_token_account(trade.target).amount
    _run_steps(ctx, trade)
    received = read_token_account(trade.target).amount - before
    least = minimum_out(trade.quoted_out, trade.slippage_bps)
    if received < least:
        ctx.log(f"Slippage tolerance exceeded: received {received}, least {least}")
        raise JupiterError.SLIPPAGE_TOLERANCE_EXCEEDED.error()
    ctx.set_return_data(u64(received))


def _run_steps(ctx: InvokeContext, trade: Trade) -> None:
    """Every step by CPI into its DEX; amounts at each index are what really arrived there."""
    last_index = max(step.output_index for step in trade.steps)
    arrived: dict[int, int] = {0: trade.in_amount}
    spent: dict[int, int] = {}
    for number, step in enumerate(trade.steps):
        start = trade.fixed + ACCOUNTS_A_STEP * number
        dex, pool_view, source, target, _, _, _ = ctx.accounts[start : start + ACCOUNTS_A_STEP]
        if dex.key not in DEX_LABELS:
            raise ProgramError("IncorrectProgramId", f"{dex.key} is no DEX of the localnet")
        if step.input_index not in arrived or (step.input_index == 0) != (source.key == trade.source.key):
            raise JupiterError.INVALID_INPUT_INDEX.error()
        if step.output_index == 0 or (step.output_index == last_index) != (target.key == trade.target.key):
            raise JupiterError.INVALID_OUTPUT_INDEX.error()
        total, used = arrived[step.input_index], spent.get(step.input_index, 0)
        is_last_reader = all(later.input_index != step.input_index for later in trade.steps[number + 1 :])
        amount = total - used if is_last_reader else total * step.bps // BPS
        if amount > total - used:
            raise JupiterError.NOT_ENOUGH_PERCENT.error()
        spent[step.input_index] = used + amount
        balance = read_token_account(target).amount
        pool = decode_pool(pool_view.key, dex.key, pool_view.data)
        swap = swap_instruction(
            pool, trade.user.key, source.key, target.key, amount_in=amount, minimum_out=0, a_to_b=step.a_to_b
        )
        ctx.invoke(swap)
        gained = read_token_account(target).amount - balance
        arrived[step.output_index] = arrived.get(step.output_index, 0) + gained


# --- instructions -----------------------------------------------------------------------------------------------------


def route_instruction(
    route: Route,
    taker: Pubkey,
    *,
    source: Pubkey,
    destination: Pubkey,
    quoted_out: int,
    slippage_bps: int,
    v2: bool,
) -> Instruction:
    """The swap of ``route`` from token account ``source`` to ``destination``, signed by ``taker``.

    Intermediate tokens pass through the taker's associated accounts, which must exist.
    """
    indices = {route.input_mint: 0}
    for mint in route.intermediate_mints:
        indices[mint] = len(indices)
    indices[route.output_mint] = len(indices)
    holders = {mint: cpi.associated_address(taker, mint) for mint in route.intermediate_mints}
    holders |= {route.input_mint: source, route.output_mint: destination}
    plan = u32(len(route.legs))
    metas = _fixed_accounts(route, taker, source, destination, v2=v2)
    for leg in route.legs:
        pool = leg.state.pool
        share = u16(leg.bps) if v2 else u8(leg.bps // 100)
        plan += u8(leg.input_mint != pool.mint_a) + share + u8(indices[leg.input_mint]) + u8(indices[leg.output_mint])
        metas += [
            cpi.readonly(pool.program),
            cpi.readonly(pool.address),
            cpi.writable(holders[leg.input_mint]),
            cpi.writable(holders[leg.output_mint]),
            cpi.writable(pool.vault_a),
            cpi.writable(pool.vault_b),
            cpi.readonly(SPL_TOKEN),
        ]
    amounts = u64(route.in_amount) + u64(quoted_out) + u16(slippage_bps)
    data = ROUTE_V2 + amounts + u16(0) + u16(0) + plan if v2 else ROUTE + plan + amounts + u8(0)
    return Instruction(JUPITER_V6, data, metas)


def _fixed_accounts(route: Route, taker: Pubkey, source: Pubkey, destination: Pubkey, *, v2: bool) -> list[AccountMeta]:
    absent = cpi.readonly(JUPITER_V6)  # Anchor: an absent optional account is the program itself
    if v2:
        return [
            cpi.readonly(taker, True),
            cpi.writable(source),
            cpi.writable(destination),
            cpi.readonly(route.input_mint),
            cpi.readonly(route.output_mint),
            cpi.readonly(SPL_TOKEN),
            cpi.readonly(SPL_TOKEN),
            absent,
            cpi.readonly(EVENT_AUTHORITY),
            cpi.readonly(JUPITER_V6),
        ]
    return [
        cpi.readonly(SPL_TOKEN),
        cpi.readonly(taker, True),
        cpi.writable(source),
        cpi.writable(destination),
        absent,
        cpi.readonly(route.output_mint),
        absent,
        cpi.readonly(EVENT_AUTHORITY),
        cpi.readonly(JUPITER_V6),
    ]


__all__ = ["JupiterError", "JupiterProgram", "Leg", "Route", "find_route", "minimum_out", "route_instruction"]
