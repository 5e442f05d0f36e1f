"""What can be closed so that its rent comes back, as steps. Pure. What holds a balance is kept, and said why."""

from __future__ import annotations

from collections.abc import Iterator

from solders.pubkey import Pubkey

from keeper.execution.preparation.ground import Ground
from keeper.execution.preparation.missing import LARGE, SMALL
from keeper.execution.preparation.steps import Agenda, Step
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols import lookup_table
from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.protocols.lending import LendingAddresses
from keeper.units import Lamports

COLD_AFTER = 520
"""Slots after its deactivation in which a table can certainly not be closed: 512 slot hashes and some that are skipped."""


def closing_steps(ground: Ground) -> Agenda:
    """Everything of the margin account and the lookup tables that can be closed now. The wallet's own token accounts stay."""
    steps: list[Step] = []
    kept: list[str] = []
    lending = ground.market.lending
    if lending is not None and ground.account is not None:
        closed = set[Pubkey]()
        for position in ground.account.positions:
            found = _position(ground, lending, position)
            if isinstance(found, Step):
                steps.append(found)
                closed.add(position.token)
            else:
                kept.append(found)
        if len(closed) < len(ground.account.positions):
            kept.append(f"the margin account {lending.account}: it still has positions")
        elif ground.account.constraints:
            kept.append(
                f"the margin account {lending.account}: it is under constraints ({ground.account.constraints!r})"
            )
        else:
            close = margin.close_account(
                owner=ground.owner,
                receiver=ground.owner,
                margin_account=lending.account,
                program=lending.margin_program,
            )
            rent = _held(ground, lending.account)
            steps.append(Step("margin account", (close,), SMALL, closed=(lending.account,), returned=rent))
    steps += _tables(ground, kept)
    return Agenda(tuple(steps), tuple(kept))


def _held(ground: Ground, key: Pubkey) -> Lamports:
    account = ground.at(key)
    return Lamports(0) if account is None else account.lamports


def _position(ground: Ground, lending: LendingAddresses, position: margin.AccountPosition) -> Step | str:
    pool = next((one for one in lending.pools if position.token in (one.loan_note_mint, one.deposit_note_mint)), None)
    raw = next((one for one in lending.raw if one.mint.address == str(position.token)), None)
    name = pool.mint.symbol if pool is not None else raw.mint.symbol if raw is not None else str(position.token)
    tokens = ground.tokens(position.address)
    if tokens is None:
        return f"the position in {name}: its token account {position.address} is not among those that setup opens"
    if position.balance or tokens.amount:
        owed = "owed" if position.is_claim else "held"
        return f"the position in {name}: {max(position.balance, tokens.amount)} units are still {owed}"
    if position.is_claim:
        if pool is None:
            return f"the loan position in {name}: its pool is not configured"
        if ground.indebted:
            return f"the loan position in the {name} pool: another loan is open"
        close = margin_pool.instructions.close_loan(
            pool, margin_account=lending.account, beneficiary=ground.owner, program=lending.pool_program
        )
        inner = margin.Inner(lending.pool_program, lending.pool_adapter_config, close)
        call = margin.adapter_invoke(ground.owner, lending.account, [inner], program=lending.margin_program)
        title, limit = f"loan position in the {name} pool", LARGE
    else:
        call = margin.close_position(
            authority=ground.owner,
            receiver=ground.owner,
            margin_account=lending.account,
            mint=position.token,
            token_account=position.address,
            token_program=TOKEN_2022 if pool is not None else raw.token_program if raw is not None else SPL_TOKEN,
            program=lending.margin_program,
        )
        title, limit = (
            f"collateral position in {name}" if pool is None else f"deposit position in the {name} pool",
            SMALL,
        )
    return Step(
        title,
        (call,),
        limit,
        closed=(position.address,),
        returned=_held(ground, position.address),
        positions=frozenset({position.token}),
    )


def _tables(ground: Ground, kept: list[str]) -> Iterator[Step]:
    for own, table in ground.tables:
        address = Pubkey.from_string(own.address)
        if table.deactivation_slot is None:
            kept.append(
                f"the lookup table {address} goes out of use now; its rent of {_held(ground, address)} comes back when this is "
                f"run again after about {COLD_AFTER} slots (four minutes)"
            )
            retire = lookup_table.deactivate(address, ground.owner)
            yield Step("lookup table out of use", (retire,), SMALL, table=address, deactivates=True)
        elif ground.snapshot.slot.since(table.deactivation_slot) <= COLD_AFTER:
            kept.append(
                f"the lookup table {address}: deactivated in slot {table.deactivation_slot}, it can be closed after about "
                f"{COLD_AFTER} slots; run this again then"
            )
        else:
            close = lookup_table.close(address, ground.owner, ground.owner)
            yield Step(
                "lookup table", (close,), SMALL, closed=(address,), returned=_held(ground, address), table=address
            )
