"""What comes before a lending step's actions: interest, positions that are missing, prices and balances, all as of this moment.

A price counts for 30 seconds and a balance hardly longer, so every step that is judged by health brings its own. A step that only
deposits or repays needs none, and is never held up by an oracle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.builders.site import Fragment, Site, ours
from keeper.execution.builders.whole_repayment import SPAN
from keeper.execution.lending_sight import LendingSight, loan_account
from keeper.execution.outcome import Refusal, Stage, UnsupportedIntent
from keeper.plan import Atomic, Borrow, Deposit, Repay, Withdraw
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.addresses import TOKEN_2022
from keeper.protocols.lending import LendingPool, RawCollateral
from keeper.protocols.token import associated_token_address, create_ata_idempotent
from keeper.units import Mint

MAX_COLLECTS = 4
"""Weeks of interest that one step catches up with."""

LENDING = (Deposit, Withdraw, Borrow, Repay)


def needs_lending(step: Atomic) -> bool:
    """Whether a step touches the margin account, or is judged by its health."""
    return step.min_health is not None or any(isinstance(intent, LENDING) for intent in step.intents)


@dataclass(frozen=True, slots=True)
class Place:
    """What an intent moves: a raw token, or a pool's deposits, or a pool's loan. ``token`` is the mint of its position."""

    token: Pubkey
    mint: Mint
    raw: RawCollateral | None = None
    pool: LendingPool | None = None


def place(sight: LendingSight, intent: Deposit | Withdraw | Borrow | Repay) -> Place:
    """Where ``intent`` acts. Raises ``UnsupportedIntent`` for a market that was not discovered, or another token than its own."""
    pool, raw = sight.addresses.pool(intent.market), None
    if isinstance(intent, Borrow | Repay):
        found = None if pool is None else Place(pool.loan_note_mint, pool.mint, pool=pool)
    elif pool is not None:
        found = Place(pool.deposit_note_mint, pool.mint, pool=pool)
    else:
        raw = sight.addresses.raw_collateral(intent.market)
        found = None if raw is None else Place(Pubkey.from_string(raw.mint.address), raw.mint, raw=raw)
    if found is None:
        raise UnsupportedIntent(intent, f"no lending market or collateral {intent.market} was discovered")
    if found.mint != intent.amount.mint:
        raise UnsupportedIntent(intent, f"{intent.market} takes {found.mint}, not {intent.amount}")
    return found


def preamble(site: Site) -> Fragment:
    """The instructions before the first lending intent of the step."""
    sight = site.lending()
    touched = {
        one.token: one for one in (place(sight, item) for item in site.step.intents if isinstance(item, LENDING))
    }
    judged = site.step.min_health is not None or any(isinstance(one, Withdraw | Borrow) for one in site.step.intents)
    held = {position.token for position in sight.account.positions if position.balance}
    missing = [one for token, one in touched.items() if sight.account.position(token) is None]
    steps: list[Instruction] = []
    if judged and not missing:
        steps = _refresh(sight, held | touched.keys())
    elif judged:  # opening a loan is judged by health, too, and its position cannot be refreshed before it exists
        steps = _refresh(sight, held)
    steps += [item for one in missing for item in _open(site, sight, one)]
    if judged and missing:
        steps += _refresh(sight, touched.keys() - held)
    involved = {one.pool.address for one in touched.values() if one.pool is not None}
    pools = [pool for pool in sight.addresses.pools if pool.address in involved or (judged and _in_pool(pool, held))]
    return ours(*_collect(sight, pools, always=judged), *steps)


def _in_pool(pool: LendingPool, held: Iterable[Pubkey]) -> bool:
    return pool.deposit_note_mint in held or pool.loan_note_mint in held


def _collect(sight: LendingSight, pools: Iterable[LendingPool], *, always: bool) -> list[Instruction]:
    """Interest up to now: a note's price counts only what the pool has accrued. ``always``: also where the pool's own
    instructions would do. Raises ``Refusal("interest_behind")`` for a pool too far behind."""
    found: list[Instruction] = []
    for pool in pools:
        state = sight.pools.get(pool.address)
        if state is None:
            raise Refusal(Stage.COMPILE, "account_missing", f"the lending pool {pool.address} does not exist")
        needed = margin_pool.collects_needed(state, sight.now + SPAN)
        if needed > MAX_COLLECTS:
            raise Refusal(
                Stage.COMPILE,
                "interest_behind",
                f"the pool {pool.address} accrued interest last at {state.accrued_until}: {needed} collects would be needed, "
                f"a step carries {MAX_COLLECTS}",
                pool=str(pool.address),
                accrued_until=state.accrued_until.value,
                collects=needed,
            )
        calls = needed if needed > 1 else int(always)
        found += [margin_pool.instructions.collect(pool, program=sight.addresses.pool_program)] * calls
    return found


def _open(site: Site, sight: LendingSight, one: Place) -> list[Instruction]:
    """What opens a position that does not exist yet; its token account's rent comes from the wallet."""
    addresses = sight.addresses
    owner, account = site.owner, addresses.account
    if one.raw is not None:
        program = one.raw.token_program
        return [
            create_ata_idempotent(owner, account, one.token, program),
            margin.create_deposit_position(
                authority=owner,
                payer=owner,
                margin_account=account,
                airspace=addresses.airspace,
                mint=one.token,
                token_program=program,
                program=addresses.margin_program,
            ),
        ]
    if one.pool is None:
        return []
    if one.token == one.pool.deposit_note_mint:
        return [
            margin.register_position(
                authority=owner,
                payer=owner,
                margin_account=account,
                airspace=addresses.airspace,
                mint=one.token,
                token_program=TOKEN_2022,
                program=addresses.margin_program,
            )
        ]
    register = margin_pool.instructions.register_loan(
        one.pool, margin_account=account, payer=owner, program=addresses.pool_program
    )
    return [signed_by_account(site, register)]


def _refresh(sight: LendingSight, tokens: Iterable[Pubkey]) -> list[Instruction]:
    """Prices and balances of the positions in ``tokens``.

    Collateral whose price cannot be used is left out, and then counts for nothing; for a loan there is no health without a
    price, which is a ``Refusal`` by the oracle's problem.
    """
    wanted, addresses = set(tokens), sight.addresses
    prices: list[margin.Inner] = []
    balances: list[Instruction] = []
    for pool in addresses.pools:
        problem = sight.feed_problem(pool.feed)
        owes, lends = pool.loan_note_mint in wanted, pool.deposit_note_mint in wanted
        if problem and owes:
            raise Refusal(
                Stage.COMPILE,
                problem,
                f"the loan in {pool.mint} cannot be valued: its price account {pool.feed.price} is not usable ({problem})",
                price=str(pool.feed.price),
            )
        if problem or not (owes or lends):
            continue
        inner = margin_pool.instructions.margin_refresh_position(
            pool, margin_account=addresses.account, program=addresses.pool_program
        )
        prices.append(margin.Inner(addresses.pool_program, addresses.pool_adapter_config, inner))
        for token, wants in ((pool.loan_note_mint, owes), (pool.deposit_note_mint, lends)):
            if wants:
                balances.append(_balance(sight, pool, token))
    found = [margin.accounting_invoke(addresses.account, prices, program=addresses.margin_program)] if prices else []
    found += balances
    for raw in addresses.raw:
        token = Pubkey.from_string(raw.mint.address)
        if token in wanted and not sight.feed_problem(raw.feed):
            found.append(
                margin.refresh_deposit_position(
                    margin_account=addresses.account,
                    config=raw.config,
                    price=raw.feed.price,
                    quote=raw.feed.quote,
                    token_account=position_account(sight, token),
                    program=addresses.margin_program,
                )
            )
    return found


def _balance(sight: LendingSight, pool: LendingPool, token: Pubkey) -> Instruction:
    account = loan_account(sight.addresses, pool) if token == pool.loan_note_mint else position_account(sight, token)
    return margin.update_position_balance(
        margin_account=sight.addresses.account, token_account=account, program=sight.addresses.margin_program
    )


def position_account(sight: LendingSight, token: Pubkey) -> Pubkey:
    """The token account of the position in ``token``: where the account says, else where opening it puts it."""
    addresses = sight.addresses
    position = sight.account.position(token)
    if position is not None:
        return position.address
    for raw in addresses.raw:
        if str(token) == raw.mint.address:
            return associated_token_address(addresses.account, token, raw.token_program)
    return margin.position_token_address(addresses.account, token, program=addresses.margin_program)


def signed_by_account(site: Site, *called: Instruction) -> Instruction:
    """``called`` of the pool program with the margin account's signature; ends with the program's own health check."""
    addresses = site.lending().addresses
    inners = [margin.Inner(addresses.pool_program, addresses.pool_adapter_config, one) for one in called]
    return margin.adapter_invoke(site.owner, addresses.account, inners, program=addresses.margin_program)


def unsigned(site: Site, *called: Instruction) -> Instruction:
    """``called`` of the pool program, paid by the wallet that signs the transaction."""
    addresses = site.lending().addresses
    inners = [margin.Inner(addresses.pool_program, addresses.pool_adapter_config, one) for one in called]
    return margin.accounting_invoke(addresses.account, inners, program=addresses.margin_program)
