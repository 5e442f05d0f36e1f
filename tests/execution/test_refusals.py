"""What is never sent: plans that cannot hold, venues that cheat, simulations that fail, effects outside the bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from spl.token.instructions import approve, set_authority
from spl.token.instructions import transfer as token_transfer
from spl.token.models import ApproveParams, AuthorityType, SetAuthorityParams
from spl.token.models import TransferParams as TokenTransferParams

from keeper.chain.pool import Endpoints
from keeper.execution.executor import Executor
from keeper.execution.outcome import Landed, Refused, Stage
from keeper.execution.policy import ExecutionPolicy
from keeper.journal.journal import Journal
from keeper.journal.records import Leadership, LedgerEntry
from keeper.plan import (
    Borrow,
    ClaimUnstake,
    Intent,
    RequestUnstake,
    Stake,
    Swap,
    TicketId,
    Unstake,
    Wrap,
)
from keeper.protocols.addresses import MEMO, SPL_TOKEN
from keeper.protocols.token import associated_token_address, close_account, create_ata_idempotent
from keeper.units import SOL, SSOL, Lamports, Mint, TokenAmount, UnixTime
from keeper.venues.door import SwapInstructions, VenueRateLimited
from keeper.view import Freshness
from tests.execution.weather import FaultyNetwork, FaultyNode, Wire
from tests.execution.world import SOL_LAMPORTS, VENUE, World, plan

ONE = Lamports(SOL_LAMPORTS)
STRANGER = Pubkey.from_string("4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T")


@pytest.fixture
def executor(world: World, journal: Journal) -> Executor:
    return world.executor(journal, Endpoints(world.node))


async def refused(world: World, executor: Executor, leadership: Leadership, *intents: Intent) -> Refused:
    """The one refusal; nothing was signed for it."""
    before = world.landed()
    (outcome,) = await world.run(executor, leadership, intents)
    assert isinstance(outcome, Refused), outcome
    world.bank.advance_slot(5)
    assert world.landed() == before
    return outcome


def glowsol(world: World, units: int) -> TokenAmount:
    return TokenAmount(world.glowsol, units)


# -- plans that cannot hold


async def test_a_sequence_may_not_spend_more_than_it_is_sure_to_have(
    world: World, executor: Executor, leadership: Leadership
) -> None:
    sure = glowsol(world, SOL_LAMPORTS * 9 // 10)
    outcome = await refused(
        world,
        executor,
        leadership,
        Stake(ONE, sure),
        Swap(sure + glowsol(world, 1), TokenAmount(SOL, SOL_LAMPORTS // 2), VENUE),
    )
    assert (outcome.stage, outcome.reason) == (Stage.COMPILE, "spends_more_than_sure")
    assert outcome.numbers["spends"] == sure.units + 1
    assert outcome.numbers["sure"] == sure.units


async def test_the_gas_reserve_is_not_spendable(world: World, executor: Executor, leadership: Leadership) -> None:
    outcome = await refused(world, executor, leadership, Wrap(Lamports(world.lamports() - 1)))
    assert outcome.reason == "spends_more_than_sure"


async def test_lending_is_a_named_refusal(world: World, executor: Executor, leadership: Leadership) -> None:
    outcome = await refused(world, executor, leadership, Borrow("pool", TokenAmount(SOL, 1)))
    assert (outcome.stage, outcome.reason) == (Stage.COMPILE, "unsupported_intent")
    assert outcome.numbers["intent"] == "Borrow"


async def test_a_stale_view_is_not_acted_on(world: World, executor: Executor, leadership: Leadership) -> None:
    view = replace(world.view(), fresh=Freshness("lagging_node", ()))
    (outcome,) = await executor.execute(leadership, "test", plan((Wrap(ONE),)), view)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "view_not_fresh"


async def test_without_the_restaking_program_its_intents_are_refused(
    world: World, journal: Journal, leadership: Leadership
) -> None:
    minted = glowsol(world, 1)
    world.market = replace(world.market, lrt=None)
    executor = world.executor(journal, Endpoints(world.node))
    outcome = await refused_bare(world, executor, leadership, Stake(ONE, minted))
    assert outcome.reason == "no_lrt_access"


async def refused_bare(world: World, executor: Executor, leadership: Leadership, intent: Intent) -> Refused:
    view = world.view_without_tokens()
    (outcome,) = await executor.execute(leadership, "test", plan((intent,)), view)
    assert isinstance(outcome, Refused)
    return outcome


async def test_an_unknown_mint_is_refused(world: World, executor: Executor, leadership: Leadership) -> None:
    foreign = Mint(str(STRANGER), "XYZ", 6)
    outcome = await refused(world, executor, leadership, Stake(ONE, TokenAmount(foreign, 1)))
    assert outcome.reason == "unsupported_intent"
    outcome = await refused(world, executor, leadership, Swap(TokenAmount(SOL, 5), TokenAmount(foreign, 1), VENUE))
    assert outcome.reason == "no_route"


async def test_a_claim_without_a_queue_account_is_refused(
    world: World, executor: Executor, leadership: Leadership
) -> None:
    outcome = await refused(world, executor, leadership, ClaimUnstake(TicketId(0, UnixTime(1)), ONE))
    assert outcome.reason == "account_missing"


async def test_a_reused_index_is_not_the_old_ticket(world: World, executor: Executor, leadership: Leadership) -> None:
    minted = glowsol(world, SOL_LAMPORTS // 2)
    await world.run(executor, leadership, (Stake(ONE, minted), RequestUnstake(minted, Lamports(1))))
    outcome = await refused(world, executor, leadership, ClaimUnstake(TicketId(0, UnixTime(1)), Lamports(1)))
    assert outcome.reason == "ticket_gone"


# -- venues


async def test_an_unknown_venue_is_named(world: World, executor: Executor, leadership: Leadership) -> None:
    outcome = await refused(world, executor, leadership, Swap(TokenAmount(SOL, 10**6), glowsol(world, 1), "nowhere"))
    assert (outcome.reason, outcome.numbers["venue"]) == ("unknown_venue", "nowhere")


async def test_a_venues_trouble_is_a_refusal_with_its_name(
    world: World, executor: Executor, leadership: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object, **__: object) -> None:
        raise VenueRateLimited(VENUE, 3.0)

    monkeypatch.setattr(world.venue, "quote", busy)
    outcome = await refused(world, executor, leadership, Swap(TokenAmount(SOL, 10**6), glowsol(world, 1), VENUE))
    assert outcome.reason == "venue_rate_limited"


async def test_the_slippage_asked_for_leaves_exactly_the_plans_minimum(
    world: World, executor: Executor, leadership: Leadership
) -> None:
    sell = TokenAmount(SOL, SOL_LAMPORTS)
    fair = (await world.venue.quote(sell, world.glowsol, slippage=world.policy.max_slippage)).receive
    world.venue.quoted.clear()
    least = glowsol(world, fair.units * 9_995 // 10_000)
    (outcome,) = await world.run(executor, leadership, (Swap(sell, least, VENUE),))
    assert isinstance(outcome, Landed)
    first, second = world.venue.quoted
    assert first.min_receive < least <= second.min_receive
    assert second.slippage < world.policy.max_slippage


Tamper = Callable[[World, SwapInstructions], SwapInstructions]


def _with(swap: SwapInstructions, *extra: Instruction) -> SwapInstructions:
    return replace(swap, setup=(*swap.setup, *extra))


def _drain(world: World, swap: SwapInstructions) -> SwapInstructions:
    return _with(swap, transfer(TransferParams(from_pubkey=world.owner, to_pubkey=STRANGER, lamports=1)))


def _wrap_more(world: World, swap: SwapInstructions) -> SwapInstructions:
    wsol = associated_token_address(world.owner, Pubkey.from_string(SOL.address))
    return _with(swap, transfer(TransferParams(from_pubkey=world.owner, to_pubkey=wsol, lamports=1)))


def _memo(_: World, swap: SwapInstructions) -> SwapInstructions:
    return _with(swap, Instruction(MEMO, b"hello", []))


def _wsol(world: World) -> Pubkey:
    return associated_token_address(world.owner, Pubkey.from_string(SOL.address))


def _approve(world: World, swap: SwapInstructions) -> SwapInstructions:
    return _with(
        swap,
        approve(
            ApproveParams(
                program_id=SPL_TOKEN,
                source=_wsol(world),
                delegate=STRANGER,
                owner=world.owner,
                amount=1,
                signers=[],
            )
        ),
    )


def _authority(world: World, swap: SwapInstructions) -> SwapInstructions:
    return _with(
        swap,
        set_authority(
            SetAuthorityParams(
                program_id=SPL_TOKEN,
                account=_wsol(world),
                authority=AuthorityType.ACCOUNT_OWNER,
                current_authority=world.owner,
                signers=[],
                new_authority=STRANGER,
            )
        ),
    )


def _send_tokens(world: World, swap: SwapInstructions) -> SwapInstructions:
    return _with(
        swap,
        token_transfer(
            TokenTransferParams(
                program_id=SPL_TOKEN, source=_wsol(world), dest=STRANGER, owner=world.owner, amount=1, signers=[]
            )
        ),
    )


def _close_to_stranger(world: World, swap: SwapInstructions) -> SwapInstructions:
    return replace(swap, cleanup=(close_account(_wsol(world), STRANGER, world.owner),))


def _account_for_stranger(world: World, swap: SwapInstructions) -> SwapInstructions:
    return _with(swap, create_ata_idempotent(world.owner, STRANGER, Pubkey.from_string(SSOL.address)))


def _second_signer(_: World, swap: SwapInstructions) -> SwapInstructions:
    metas = [*swap.swap.accounts, AccountMeta(STRANGER, is_signer=True, is_writable=False)]
    return replace(swap, swap=Instruction(swap.swap.program_id, bytes(swap.swap.data), metas))


def _protocol(world: World, swap: SwapInstructions) -> SwapInstructions:
    assert world.market.lrt is not None
    return _with(swap, world.market.lrt.program.deposit_sol(world.owner, Lamports(1), glowsol(world, 0)))


def _twice(_: World, swap: SwapInstructions) -> SwapInstructions:
    return replace(swap, cleanup=(swap.swap, *swap.cleanup))


def _other_program(_: World, swap: SwapInstructions) -> SwapInstructions:
    return replace(swap, swap=Instruction(STRANGER, bytes(swap.swap.data), list(swap.swap.accounts)))


def _no_minimum(_: World, swap: SwapInstructions) -> SwapInstructions:
    data = bytearray(bytes(swap.swap.data))
    data[24:26] = (10_000).to_bytes(
        2, "little"
    )  # route_v2: slippage_bps after discriminator, in and quoted out amounts
    return replace(swap, swap=Instruction(swap.swap.program_id, bytes(data), list(swap.swap.accounts)))


def _sell_less(_: World, swap: SwapInstructions) -> SwapInstructions:
    data = bytearray(bytes(swap.swap.data))
    data[8:16] = (1_000).to_bytes(8, "little")
    data[16:24] = (900).to_bytes(8, "little")
    return replace(swap, swap=Instruction(swap.swap.program_id, bytes(data), list(swap.swap.accounts)))


def _garbled(_: World, swap: SwapInstructions) -> SwapInstructions:
    return replace(swap, swap=Instruction(swap.swap.program_id, b"\x00" * 40, list(swap.swap.accounts)))


@pytest.mark.parametrize(
    ("tamper", "rule"),
    [
        (_drain, "transfer_to_stranger"),
        (_wrap_more, "transfer_beyond_plan"),
        (_memo, "unknown_program"),
        (_approve, "token_instruction"),
        (_authority, "token_instruction"),
        (_send_tokens, "token_instruction"),
        (_close_to_stranger, "close_to_stranger"),
        (_account_for_stranger, "account_for_stranger"),
        (_second_signer, "foreign_signer"),
        (_protocol, "foreign_protocol_call"),
        (_twice, "swap_count"),
        (_other_program, "unknown_program"),
        (_no_minimum, "swap_minimum"),
        (_sell_less, "swap_amount"),
        (_garbled, "swap_not_understood"),
    ],
)
async def test_a_cheating_venue_is_stopped_before_any_node_sees_the_message(
    world: World, executor: Executor, leadership: Leadership, tamper: Tamper, rule: str
) -> None:
    world.venue.tamper = lambda swap: tamper(world, swap)
    least = glowsol(world, SOL_LAMPORTS * 9 // 10)
    outcome = await refused(world, executor, leadership, Swap(TokenAmount(SOL, SOL_LAMPORTS), least, VENUE))
    assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, rule), outcome


async def test_an_honest_venue_is_not_stopped(world: World, executor: Executor, leadership: Leadership) -> None:
    least = glowsol(world, SOL_LAMPORTS * 9 // 10)
    (outcome,) = await world.run(executor, leadership, (Swap(TokenAmount(SOL, SOL_LAMPORTS), least, VENUE),))
    assert isinstance(outcome, Landed)


# -- simulation and effects


async def test_a_simulation_that_fails_names_the_programs_error(
    world: World, executor: Executor, leadership: Leadership
) -> None:
    outcome = await refused(world, executor, leadership, Stake(ONE, glowsol(world, 2 * SOL_LAMPORTS)))
    assert (outcome.stage, outcome.reason) == (Stage.SIMULATION, "program_error")
    assert "glow" in str(outcome.numbers["error"])
    assert "log" in outcome.detail


async def test_the_plans_own_floor_holds_to_the_lamport(world: World, journal: Journal, leadership: Leadership) -> None:
    executor = world.executor(journal, Endpoints(world.node))
    rent = world.bank.rent_exempt(165)
    exact = -(SOL_LAMPORTS + rent + 5_000)
    (outcome,) = await executor.execute(leadership, "test", plan((Wrap(ONE),), min_sol_change=exact + 1), world.view())
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.numbers["change"]) == ("below_plan", exact)
    world.bank.advance_slot(1)
    (outcome,) = await executor.execute(leadership, "test", plan((Wrap(ONE),), min_sol_change=exact), world.view())
    assert isinstance(outcome, Landed)
    assert outcome.native_change == Lamports(exact)


async def test_a_floor_spans_the_steps_of_a_plan(world: World, journal: Journal, leadership: Leadership) -> None:
    executor = world.executor(journal, Endpoints(world.node))
    rent = world.bank.rent_exempt(165)
    both = plan((Wrap(ONE),), (Wrap(ONE),), min_sol_change=-(2 * SOL_LAMPORTS + rent + 9_999))
    outcomes = await executor.execute(leadership, "test", both, world.view())
    assert [type(outcome) for outcome in outcomes] == [Landed, Refused]


async def test_what_is_queued_must_be_worth_the_plans_minimum(
    world: World, executor: Executor, leadership: Leadership
) -> None:
    minted = glowsol(world, SOL_LAMPORTS // 2)
    outcome = await refused(world, executor, leadership, Stake(ONE, minted), RequestUnstake(minted, ONE))
    assert (outcome.stage, outcome.reason) == (Stage.FIREWALL, "queued_below_bound")


async def test_an_unreachable_minimum_of_an_instant_exit_fails_in_simulation(
    world: World, executor: Executor, leadership: Leadership
) -> None:
    half = TokenAmount(SSOL, SOL_LAMPORTS // 2)
    await world.run(executor, leadership, (Stake(ONE, half),))
    outcome = await refused(world, executor, leadership, Unstake(half, Lamports(9 * SOL_LAMPORTS)))
    assert "ExceededSlippage" in str(outcome.numbers["error"])


async def test_the_priority_fee_is_cut_to_its_cap(world: World, journal: Journal, leadership: Leadership) -> None:
    executor = world.executor(journal, Endpoints(world.node))
    (outcome,) = await executor.execute(leadership, "test", plan((Wrap(ONE),)), world.view(unit_price=10**12))
    assert isinstance(outcome, Landed)
    assert Lamports(5_000) < outcome.fee <= Lamports(5_000 + 1_400_000 * world.policy.max_unit_price.value // 10**6)
    record = world.bank.transaction(world.bank.signatures_for(world.owner)[0])
    assert record is not None
    assert outcome.fee == Lamports(record.fee)


@pytest.mark.parametrize("method", ["getMultipleAccounts", "simulateTransaction", "getLatestBlockhash"])
async def test_a_node_that_does_not_answer_refuses_before_anything_is_signed(
    world: World, journal: Journal, leadership: Leadership, method: str
) -> None:
    node = FaultyNode(world.node, world.bank, fails=lambda called: called == method)
    wire = Wire(world.bank)
    network = FaultyNetwork(node, [], lambda raw, _: wire.deliver(raw))
    executor = world.executor(journal, network)
    outcome = await refused(world, executor, leadership, Wrap(ONE))
    assert outcome.reason in ("node_unavailable", "blockhash_unavailable")
    assert await journal.attempts() == ()


async def test_deciding_the_same_on_the_same_view_again_is_the_same_intent(
    world: World, journal: Journal, leadership: Leadership, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even for an executor that does not know of the landing, and so takes the view for new."""
    view, wish = world.view(), plan((Wrap(ONE),))
    (first,) = await world.executor(journal, Endpoints(world.node)).execute(leadership, "test", wish, view)

    async def forgotten(_limit: int | None = 100) -> tuple[LedgerEntry, ...]:
        return ()

    monkeypatch.setattr(journal, "entries", forgotten)
    (second,) = await world.executor(journal, Endpoints(world.node)).execute(leadership, "test", wish, view)
    assert isinstance(first, Landed)
    assert isinstance(second, Refused)
    assert (second.stage, second.reason) == (Stage.JOURNAL, "attempt_conflict")
    assert world.landed() == 1


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="poll_interval"):
        ExecutionPolicy(poll_interval=0)
    with pytest.raises(ValueError, match="single_endpoint_margin"):
        ExecutionPolicy(single_endpoint_margin=-1)
