"""Both walls around the margin account: messages that a venue spoiled, and effects that no honest program has."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.balances import Effects, Limits, verify
from keeper.execution.compile import Compiler
from keeper.execution.lending_sight import LendingSight, loan_account, tracked_accounts
from keeper.execution.naming import ErrorNames
from keeper.execution.outcome import Refusal, Stage
from keeper.execution.simulation import rehearse
from keeper.plan import Atomic, Borrow, Deposit, Intent, Repay, Swap, Withdraw
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.addresses import GLOW_MARGIN
from keeper.protocols.stake import place_addresses
from keeper.protocols.token import associated_token_address, create_ata_idempotent
from keeper.units import SOL, SSOL, Bps, Lamports, TokenAmount
from keeper.venues.door import SwapInstructions
from tests.execution.lending import SOL_LAMPORTS, Lending
from tests.execution.test_lending import glow, put, sol, ssol
from tests.execution.world import VENUE

STRANGER = Pubkey.from_bytes(bytes([66] * 32))
LIQUIDATOR, CONSTRAINTS, FEATURES, OWNER = 80, 13, 14, 16  # offsets (protocol.md 3.2)
FIRST_POSITION = 1_400


@dataclass(frozen=True, slots=True)
class Case:
    """A step with the effects that the real programs would have, and what those are held against."""

    effects: Effects
    limits: Limits

    def refusal(self, key: Pubkey, change: Callable[[Account], Account | None]) -> str:
        """The rule that refuses the effects once ``change`` was done to ``key``; empty where they pass."""
        spoiled = self.effects.after[key]
        assert spoiled is not None
        after = {**self.effects.after, key: change(spoiled)}
        try:
            verify(replace(self.effects, after=after), self.limits)
        except Refusal as refusal:
            return refusal.refused.reason
        return ""


async def rehearsed(lending: Lending, *intents: Intent, min_health: int | None = None) -> Case:
    world = lending.world
    step, view = Atomic(intents, None if min_health is None else Bps(min_health)), world.view()
    compiler = Compiler(world.node, world.owner, world.market, {VENUE: world.venue}, world.policy)
    compiled = await compiler.compile(step, view)
    rehearsal = await rehearse(world.node, world.owner, compiled, view.slot, ErrorNames.of(world.market))
    limits = Limits(
        wallet=world.owner,
        step=step,
        lrt=world.market.lrt,
        fee=Lamports(5_000),
        sol_floor=Lamports(-(10**15)),
        lending=lending.addresses,
        sight=compiled.sight,
    )
    verify(rehearsal.before_after, limits)
    return Case(rehearsal.before_after, limits)


def patched(offset: int, data: bytes) -> Callable[[Account], Account]:
    return lambda account: replace(account, data=account.data[:offset] + data + account.data[offset + len(data) :])


def moved(units: int) -> Callable[[Account], Account]:
    """Add to a token account's amount."""

    def change(account: Account) -> Account:
        (amount,) = struct.unpack_from("<Q", account.data, 64)
        return patched(64, struct.pack("<Q", amount + units))(account)

    return change


async def lever(lending: Lending, min_health: int | None = None) -> Case:
    await put(lending)
    return await rehearsed(
        lending,
        Borrow(lending.market(), sol(20)),
        Swap(sol(20), glow(lending, 18), VENUE),
        Deposit(lending.place(lending.world.glowsol), glow(lending, 18)),
        min_health=min_health,
    )


@pytest.mark.parametrize(
    ("offset", "data", "rule"),
    [
        (OWNER, bytes(STRANGER), "margin_account_changed"),
        (LIQUIDATOR, bytes(STRANGER), "margin_account_changed"),
        (CONSTRAINTS, b"\1", "margin_account_changed"),
        (FEATURES, b"\1\0", "margin_account_changed"),
        (12, b"\1", "margin_account_changed"),  # an invocation left open
        (FIRST_POSITION + 32, bytes(STRANGER), "position_changed"),
        (FIRST_POSITION + 158, b"\1\0", "position_changed"),
        (0, bytes(8), "margin_account_taken"),
    ],
)
async def test_the_margin_account_stays_what_it_is(lending: Lending, offset: int, data: bytes, rule: str) -> None:
    case = await lever(lending)
    assert case.refusal(lending.addresses.account, patched(offset, data)) == rule


async def test_a_margin_account_that_is_closed_or_given_away_is_refused(lending: Lending) -> None:
    case = await lever(lending)
    assert case.refusal(lending.addresses.account, lambda _: None) == "margin_account_taken"
    assert (
        case.refusal(lending.addresses.account, lambda account: replace(account, owner=STRANGER))
        == "margin_account_taken"
    )


async def test_raw_collateral_falls_by_nothing_but_what_the_step_takes(lending: Lending) -> None:
    case = await lever(lending)
    held = lending.account.position(Pubkey.from_string(lending.world.glowsol.address))
    assert held is not None
    assert case.refusal(held.address, moved(-1)) == "collateral_below_bound"
    assert case.refusal(held.address, moved(1)) == ""
    case = await rehearsed(lending, Withdraw(lending.place(lending.world.glowsol), glow(lending, 5)))
    assert case.refusal(held.address, moved(-1)) == "collateral_below_bound"


async def test_a_loan_rises_by_nothing_but_what_the_step_borrows(lending: Lending) -> None:
    case = await lever(lending)
    loan = loan_account(lending.addresses, lending.pool())
    assert case.refusal(loan, moved(-1)) == ""
    assert case.refusal(loan, moved(5)) == "loan_above_bound"


async def test_a_loan_falls_by_what_the_step_repays(lending: Lending) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(20)))
    loan = loan_account(lending.addresses, lending.pool())
    case = await rehearsed(lending, Repay(lending.market(), sol(5)))
    assert case.refusal(loan, moved(5)) == "loan_above_bound"
    case = await rehearsed(lending, Repay(lending.market(), sol(21), whole=True))
    assert case.refusal(loan, moved(10**7)) == "loan_above_bound"


async def test_deposit_notes_answer_for_what_was_put_in(lending: Lending) -> None:
    await lending.landed(Deposit(lending.market(), sol(10)))
    notes = margin.position_token_address(lending.addresses.account, lending.pool().deposit_note_mint)
    case = await rehearsed(lending, Deposit(lending.market(), sol(10)))
    assert case.refusal(notes, moved(-5)) == "collateral_below_bound"
    case = await rehearsed(lending, Withdraw(lending.market(), sol(5)))
    assert case.refusal(notes, moved(-5)) == "collateral_below_bound"


@pytest.mark.parametrize(
    ("offset", "data"),
    [(32, bytes(STRANGER)), (72, b"\1\0\0\0" + bytes(STRANGER)), (129, b"\1\0\0\0" + bytes(STRANGER))],
    ids=["owner", "delegate", "close authority"],
)
async def test_token_accounts_of_the_margin_account_keep_their_hands(
    lending: Lending, offset: int, data: bytes
) -> None:
    case = await lever(lending)
    held = lending.account.position(Pubkey.from_string(lending.world.glowsol.address))
    assert held is not None
    assert case.refusal(held.address, patched(offset, data)) == "authority_changed"
    assert case.refusal(held.address, lambda _: None) == "collateral_below_bound"


async def test_health_is_that_of_the_worse_of_position_and_configuration(lending: Lending) -> None:
    case = await lever(lending, min_health=3_000)
    sight = case.limits.sight
    assert isinstance(sight, LendingSight)
    mint = Pubkey.from_string(lending.world.glowsol.address)

    def with_weight(weight: int) -> Limits:
        configs = {**sight.configs, mint: replace(sight.configs[mint], value_modifier=weight)}
        return replace(case.limits, sight=replace(sight, configs=configs))

    verify(case.effects, with_weight(100))  # better than the position's 95: no matter
    with pytest.raises(Refusal) as caught:
        verify(case.effects, with_weight(20))
    assert caught.value.refused.reason == "health_below_bound"


async def test_health_that_nobody_can_know_is_refused(lending: Lending) -> None:
    case = await lever(lending, min_health=1)
    loan = next(position for position in lending.account.positions if position.is_claim)
    price = FIRST_POSITION + 192 * loan.slot + 128
    assert case.refusal(lending.addresses.account, patched(price + 8, bytes(8))) == "health_unknown"  # never refreshed
    assert case.refusal(lending.addresses.account, patched(price + 20, b"\0")) == "health_unknown"  # invalid
    nothing = Effects({}, {lending.world.owner: case.effects.after[lending.world.owner]}, Lamports(0))
    with pytest.raises(Refusal) as caught:
        verify(replace(nothing, before=nothing.after), replace(case.limits, step=Atomic((sell(lending),), Bps(1))))
    assert caught.value.refused.reason == "health_unknown"


def sell(lending: Lending) -> Swap:
    return Swap(glow(lending, 5), sol(5), VENUE)


async def test_a_step_without_lending_may_not_touch_the_margin_account(lending: Lending) -> None:
    case = await lever(lending)
    plain = replace(case.limits, step=Atomic((sell(lending),)), sight=None)
    with pytest.raises(Refusal) as caught:
        verify(case.effects, plain)
    assert caught.value.refused.reason == "loan_above_bound"
    loan = loan_account(lending.addresses, lending.pool())
    still = {**case.effects.after, loan: case.effects.before[loan]}
    with pytest.raises(Refusal) as caught:
        verify(replace(case.effects, after=still), plain)
    assert caught.value.refused.reason == "margin_account_changed"


Spoil = Callable[[Lending], tuple[Instruction, ...]]


def steal_collateral(lending: Lending) -> tuple[Instruction, ...]:
    """Raw collateral to a stranger."""
    held = lending.account.position(Pubkey.from_string(lending.world.glowsol.address))
    assert held is not None
    return (
        margin.transfer_deposit(
            owner=lending.world.owner,
            margin_account=lending.addresses.account,
            source_owner=lending.addresses.account,
            source=held.address,
            destination=associated_token_address(STRANGER, held.token),
            amount=glow(lending, 1),
        ),
    )


def borrow_for_another(lending: Lending) -> tuple[Instruction, ...]:
    """A loan of ours into a stranger's account."""
    lent = margin_pool.instructions.margin_borrow_v2(
        lending.pool(), margin_account=lending.addresses.account, destination=STRANGER, amount=sol(1)
    )
    inner = margin.Inner(lending.addresses.pool_program, lending.addresses.pool_adapter_config, lent)
    return (margin.adapter_invoke(lending.world.owner, lending.addresses.account, [inner]),)


def close_it(lending: Lending) -> tuple[Instruction, ...]:
    return (
        margin.close_account(owner=lending.world.owner, receiver=STRANGER, margin_account=lending.addresses.account),
    )


def collect_once_more(lending: Lending) -> tuple[Instruction, ...]:
    """Harmless, and still none of a venue's business."""
    return tuple([margin_pool.instructions.collect(lending.pool())] * 2)


def account_for_the_margin_account(lending: Lending) -> tuple[Instruction, ...]:
    """Our builders may open accounts of the margin account; a venue may not have the wallet pay for them."""
    mint = Pubkey.from_string(lending.world.market.solayer.lst.address)
    return (create_ata_idempotent(lending.world.owner, lending.addresses.account, mint),)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (steal_collateral, "foreign_protocol_call"),
        (borrow_for_another, "foreign_protocol_call"),
        (close_it, "foreign_protocol_call"),
        (collect_once_more, "foreign_protocol_call"),
        (account_for_the_margin_account, "account_for_stranger"),
    ],
)
async def test_a_venue_has_no_business_with_the_lending_market(lending: Lending, spoil: Spoil, rule: str) -> None:
    await put(lending)
    await lending.landed(Borrow(lending.market(), sol(5)))

    def tamper(swap: SwapInstructions) -> SwapInstructions:
        return replace(swap, setup=(*swap.setup, *spoil(lending)))

    lending.world.venue.tamper = tamper
    step: tuple[Intent, ...] = (
        Withdraw(lending.place(lending.world.glowsol), glow(lending, 5)),
        sell(lending),
        Repay(lending.market(), sol(5)),
    )
    outcome = await lending.refused(*step, min_health=1)
    assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, rule)


async def test_a_route_names_nothing_that_is_ours_in_the_protocols(lending: Lending) -> None:
    """A pool on the way could use the wallet's signature on it, and show the simulation another face."""
    assert lending.world.market.lrt is not None
    ours = [
        lending.addresses.account,
        *tracked_accounts(lending.addresses),
        *place_addresses(lending.world.owner),
        lending.world.market.lrt.program.queue_address(lending.world.owner),
    ]
    for key in ours:

        def tamper(swap: SwapInstructions, key: Pubkey = key) -> SwapInstructions:
            metas = [*swap.swap.accounts, AccountMeta(key, is_signer=False, is_writable=False)]
            return replace(swap, swap=Instruction(swap.swap.program_id, bytes(swap.swap.data), metas))

        lending.world.venue.tamper = tamper
        outcome = await lending.refused(sell(lending))
        assert (outcome.stage, outcome.reason, outcome.numbers) == (
            Stage.FIREWALL,
            "venue_names_ours",
            {"account": str(key)},
        )


async def test_an_invoke_whose_inside_was_changed_is_not_ours_any_more(lending: Lending) -> None:
    """The venue copies our own borrow, and changes who gets it: by one account, and by the amount."""
    await put(lending)
    ours: list[Instruction] = []

    def tamper(swap: SwapInstructions) -> SwapInstructions:
        return replace(swap, setup=(*swap.setup, *ours))

    lending.world.venue.tamper = tamper
    wallet = associated_token_address(lending.world.owner, Pubkey.from_string(SOL.address))
    for destination, amount in ((STRANGER, sol(5)), (wallet, TokenAmount(SOL, 5 * SOL_LAMPORTS + 1))):
        lent = margin_pool.instructions.margin_borrow_v2(
            lending.pool(), margin_account=lending.addresses.account, destination=destination, amount=amount
        )
        inner = margin.Inner(lending.addresses.pool_program, lending.addresses.pool_adapter_config, lent)
        ours[:] = [margin.adapter_invoke(lending.world.owner, lending.addresses.account, [inner])]
        assert ours[0].program_id == GLOW_MARGIN
        outcome = await lending.refused(Borrow(lending.market(), sol(5)), Swap(sol(5), glow(lending, 4), VENUE))
        assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, "foreign_protocol_call")


async def test_sol_that_is_paid_into_the_market_may_be_wrapped_and_no_more(lending: Lending) -> None:
    from keeper.protocols.token import wrap

    def tamper(swap: SwapInstructions) -> SwapInstructions:
        return replace(swap, setup=(*swap.setup, *wrap(lending.world.owner, Lamports(SOL_LAMPORTS))))

    lending.world.venue.tamper = tamper
    await lending.landed(Deposit(lending.place(SSOL), ssol(5)))
    outcome = await lending.refused(sell(lending), Deposit(lending.market(), sol(5)))
    assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, "transfer_beyond_plan")
