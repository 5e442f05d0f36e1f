"""The wall of setting up: what was shown passes, and every other thing that a transaction could do is refused by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from keeper.chain.accounts import Account
from keeper.engine.assembly import Parts
from keeper.engine.setting_up import SetupOptions, wanted_pools
from keeper.execution.balances import Effects
from keeper.execution.message import NO_BLOCKHASH, Budget, Compiled, Resolved, assemble, resolve
from keeper.execution.naming import ErrorNames
from keeper.execution.outcome import Refusal
from keeper.execution.preparation.bundles import Bundle, bundles
from keeper.execution.preparation.ground import survey
from keeper.execution.preparation.missing import missing_steps
from keeper.execution.preparation.steps import Step
from keeper.execution.preparation.wall import Wall
from keeper.execution.simulation import rehearse
from keeper.protocols.addresses import SPL_TOKEN, SYSTEM
from keeper.protocols.token import associated_token_address
from keeper.units import ComputeUnits, Lamports, MicroLamports, Slot
from tests.setup.conftest import Operator

STRANGER = Pubkey.from_bytes(bytes([66] * 32))
PRICE = MicroLamports(1_000)


class Scene:
    """The first bundles of a full set-up with what a simulation says that they do."""

    def __init__(self, operator: Operator, parts: Parts) -> None:
        self.operator = operator
        self.wallet = parts.owner
        self.market = parts.market
        self.wall = Wall(parts.owner, parts.market.lending)
        self.node = parts.endpoints.primary

    async def bundles(self) -> tuple[Bundle, ...]:
        recent = await self.node.slot("finalized")
        ground = await survey(self.node, self.wallet, self.market, (), recent, not_before=Slot(0))
        wanted = wanted_pools(self.market, SetupOptions())
        return bundles(missing_steps(ground, wanted).steps, self.wallet, PRICE)

    async def effects(self, bundle: Bundle) -> Effects:
        names = ErrorNames.of(self.market)
        rehearsal = await rehearse(self.node, self.wallet, bundle.compiled, Slot(0), names)
        found = rehearsal.before_after
        return Effects(found.before, dict(found.after), bundle.budget.fee - rehearsal.fee)

    def message(self, *instructions: Instruction, budget: Budget) -> Resolved:
        return resolve(assemble(self.wallet, Compiled(instructions, (), ()), budget, NO_BLOCKHASH), ())


@pytest.fixture
async def scene(operator: Operator) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as closing:
        parts = await operator.stage.assemble(closing)
        yield Scene(operator, parts)


def refused(rule: str, check: Callable[[], None]) -> None:
    with pytest.raises(Refusal) as caught:
        check()
    assert caught.value.refused.reason == rule, caught.value


async def test_what_was_shown_passes_both_walls(scene: Scene) -> None:
    (first, *_) = await scene.bundles()
    scene.wall.inspect(scene.message(*first.instructions, budget=first.budget), first, first.budget)
    scene.wall.verify(await scene.effects(first), first)


async def test_a_message_that_says_anything_else_is_refused(scene: Scene) -> None:
    (bundle, *_) = await scene.bundles()
    budget, mine = bundle.budget, bundle.instructions
    gift = transfer(TransferParams(from_pubkey=scene.wallet, to_pubkey=STRANGER, lamports=1))
    foreign = Instruction(STRANGER, b"", [AccountMeta(STRANGER, is_signer=True, is_writable=False)])

    def said(*instructions: Instruction, bundle: Bundle = bundle, budget: Budget = budget) -> Callable[[], None]:
        message = scene.message(*instructions, budget=budget)
        return lambda: scene.wall.inspect(message, bundle, bundle.budget)

    refused("foreign_instruction", said(*mine, gift))
    refused("foreign_instruction", said(*mine[1:]))
    refused("foreign_instruction", said(mine[1], mine[0], *mine[2:]))
    refused("foreign_instruction", said(*mine, budget=Budget(budget.limit, MicroLamports(999_999))))
    refused("foreign_instruction", said(*mine, budget=Budget(ComputeUnits(7), budget.price)))
    refused("foreign_signer", said(*mine, foreign))
    greedy = Bundle((Step("a gift", (gift,), ComputeUnits(1_000)),), PRICE)
    refused("unknown_program", said(gift, bundle=greedy, budget=greedy.budget))
    called = resolve(assemble(scene.wallet, bundle.compiled, budget, NO_BLOCKHASH), ())
    loaded = replace(called, calls=tuple(replace(call, static=False) for call in called.calls))
    refused("program_from_lookup", lambda: scene.wall.inspect(loaded, bundle, budget))


async def test_a_simulation_that_shows_anything_else_is_refused(scene: Scene) -> None:
    (bundle, *_) = await scene.bundles()
    lending = scene.market.lending
    assert lending is not None
    honest = await scene.effects(bundle)
    collateral = associated_token_address(lending.account, scene.operator.sim.glowsol_mint)
    permit = next(one.account for one in bundle.opened if not one.returns)

    def shown(key: Pubkey, after: Account | None) -> Callable[[], None]:
        effects = replace(honest, after={**honest.after, key: after})
        return lambda: scene.wall.verify(effects, bundle)

    def edited(key: Pubkey, position: int, value: bytes) -> Account:
        account = honest.after[key]
        assert account is not None
        return replace(account, data=account.data[:position] + value + account.data[position + len(value) :])

    wallet = honest.after[scene.wallet]
    assert wallet is not None
    refused("above_shown_cost", shown(scene.wallet, replace(wallet, lamports=wallet.lamports - Lamports(1))))
    refused(
        "above_shown_cost", lambda: scene.wall.verify(replace(honest, extra_fee=honest.extra_fee + Lamports(1)), bundle)
    )
    refused("wallet_taken", shown(scene.wallet, replace(wallet, owner=SPL_TOKEN)))
    refused("wallet_taken", shown(scene.wallet, None))
    refused("unexpected_change", shown(STRANGER, Account(Lamports(1), SYSTEM, b"")))
    refused("account_given_away", shown(collateral, edited(collateral, 32, bytes(STRANGER))))
    refused("account_given_away", shown(collateral, edited(collateral, 64, b"\x01")))
    refused("account_given_away", shown(collateral, edited(collateral, 72, b"\x01\0\0\0" + bytes(STRANGER))))
    refused("account_given_away", shown(collateral, edited(collateral, 129, b"\x01\0\0\0" + bytes(STRANGER))))
    refused("not_opened", shown(collateral, None))
    refused("not_opened", shown(collateral, edited(collateral, 108, b"\x00")))
    refused("account_given_away", shown(permit, edited(permit, 40, bytes(STRANGER))))
    refused("not_opened", shown(permit, None))
    refused("not_opened", shown(permit, edited(permit, 0, b"\x00")))
    refused("margin_account_taken", shown(lending.account, edited(lending.account, 16, bytes(STRANGER))))
    refused("margin_account_taken", shown(lending.account, edited(lending.account, 80, bytes(STRANGER))))
    refused("margin_account_taken", shown(lending.account, edited(lending.account, 13, b"\x01")))
    refused("margin_account_taken", shown(lending.account, edited(lending.account, 0, b"\x00")))
    refused("margin_account_taken", shown(lending.account, None))
    refused("position_changed", shown(lending.account, edited(lending.account, 1400 + 112, b"\x01")))
    unnamed = replace(bundle, steps=tuple(replace(step, positions=frozenset[Pubkey]()) for step in bundle.steps))
    refused("position_changed", lambda: scene.wall.verify(honest, unnamed))
    there = replace(honest, before={**honest.before, collateral: honest.after[collateral]})
    refused("account_exists", lambda: scene.wall.verify(there, bundle))


async def test_a_lookup_table_holds_what_was_shown_and_stays_the_wallets(scene: Scene) -> None:
    bundle = next(one for one in await scene.bundles() if any(step.creates for step in one.steps))
    table = next(step.table for step in bundle.steps if step.creates)
    assert table is not None
    honest = await scene.effects(bundle)
    scene.wall.verify(honest, bundle)

    def shown(after: Account | None) -> Callable[[], None]:
        return lambda: scene.wall.verify(replace(honest, after={**honest.after, table: after}), bundle)

    made = honest.after[table]
    assert made is not None
    refused("table_differs", shown(replace(made, data=made.data + bytes(STRANGER))))
    refused("table_differs", shown(replace(made, data=made.data[:-32])))
    refused("table_differs", shown(replace(made, data=made.data[:22] + bytes(STRANGER) + made.data[54:])))
    refused("table_differs", shown(replace(made, data=made.data[:4] + bytes(8) + made.data[12:])))
    refused("table_differs", shown(replace(made, data=b"\x07" + made.data[1:])))
    refused("not_opened", shown(None))


async def test_what_is_closed_is_gone(scene: Scene) -> None:
    key = Pubkey.from_bytes(bytes([5] * 32))
    step = Step("lookup table", (), ComputeUnits(60_000), closed=(key,), returned=Lamports(1_000_000))
    bundle = Bundle((step,), PRICE)
    fee = bundle.budget.fee
    before = {scene.wallet: Account(Lamports(10**9), SYSTEM, b""), key: Account(Lamports(1_000_000), SPL_TOKEN, b"x")}
    gone = {scene.wallet: Account(Lamports(10**9 + 1_000_000) - fee, SYSTEM, b""), key: None}
    scene.wall.verify(Effects(before, gone, Lamports(0)), bundle)
    refused("not_closed", lambda: scene.wall.verify(Effects(before, {**gone, key: before[key]}, Lamports(0)), bundle))
    poorer = {**gone, scene.wallet: Account(Lamports(10**9), SYSTEM, b"")}
    refused("above_shown_cost", lambda: scene.wall.verify(Effects(before, poorer, Lamports(0)), bundle))
