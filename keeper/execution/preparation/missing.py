"""What is missing on the ground, as steps in the order in which they work. Pure: the same ground gives the same steps.

Opening sequence and accounts: shared facts, protocol.md 3.7; the lookup table: 6 and 6.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.lending_sight import loan_account
from keeper.execution.preparation.contents import table_contents, wallet_tokens
from keeper.execution.preparation.ground import Ground, issuer_of, note_account, permit_of, raw_account
from keeper.execution.preparation.rent import missing_rent, token_account_size
from keeper.execution.preparation.steps import Agenda, Opening, SetupRefused, Step
from keeper.journal.records import OwnTable
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols import lookup_table
from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, LendingPool, RawCollateral
from keeper.protocols.lookup_table import ADDRESSES_PER_EXTEND, HEADER_LENGTH, MAX_ADDRESSES, LookupTable
from keeper.protocols.token import associated_token_address, create_ata_idempotent
from keeper.units import ComputeUnits, Lamports, Mint

PERMIT_LENGTH = 128
MARGIN_ACCOUNT_LENGTH = 7_544
SMALL, MEDIUM, LARGE = ComputeUnits(60_000), ComputeUnits(100_000), ComputeUnits(250_000)
"""Compute units that a step is given: well above what it uses, because the fee is shown before anything can be simulated."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pools get a loan position, and which a deposit position. Raw collateral gets a position wherever it is known."""

    borrow: tuple[LendingPool, ...] = ()
    lend: tuple[LendingPool, ...] = ()


def missing_steps(ground: Ground, wanted: Wanted) -> Agenda:
    """The steps that are left, in order. Raises ``SetupRefused`` where one is needed that this wallet may not take."""
    lending = ground.market.lending
    steps: list[Step] = []
    notes: list[str] = []
    if lending is not None:
        if ground.account is None:
            steps += _account(ground, lending)
        steps += [step for raw in lending.raw if (step := _raw(ground, lending, raw)) is not None]
        loans = [pool for pool in wanted.borrow if not _has_position(ground, pool.loan_note_mint)]
        if ground.indebted:
            # Registering a loan ends with the health check, which needs every loan's price to be of this moment. Lending
            # steps bring their own prices, and open what they need themselves.
            notes += [
                f"no loan position in the {pool.mint.symbol} pool while another loan is open; the first step that borrows there "
                "opens it"
                for pool in loans
            ]
        else:
            steps += [_loan(ground, lending, pool) for pool in loans]
        steps += [step for pool in wanted.lend if (step := _notes(ground, lending, pool)) is not None]
    steps += [step for mint in wallet_tokens(ground.market) if (step := _wallet_account(ground, mint)) is not None]
    return Agenda((*steps, *_table(ground)), tuple(notes))


def _account(ground: Ground, lending: LendingAddresses) -> Iterator[Step]:
    owner, permit = ground.owner, permit_of(lending, ground.owner)
    if not ground.live(permit):
        _require_issuer(ground, lending)
        create = margin.airspace_permit_create(
            payer=owner, authority=owner, airspace=lending.airspace, owner=owner, program=lending.airspace_program
        )
        rent = missing_rent(ground.rent, ground.at(permit), PERMIT_LENGTH)
        yield Step("airspace permit", (create,), SMALL, (Opening(permit, rent, returns=False),))
    create = margin.create_account(
        owner=owner,
        payer=owner,
        airspace=lending.airspace,
        margin_account=lending.account,
        seed=lending.seed,
        airspace_program=lending.airspace_program,
        program=lending.margin_program,
    )
    rent = missing_rent(ground.rent, ground.at(lending.account), MARGIN_ACCOUNT_LENGTH)
    yield Step("margin account", (create,), SMALL, (Opening(lending.account, rent),))


def _require_issuer(ground: Ground, lending: LendingAddresses) -> None:
    space = ground.airspace
    if space is None:
        raise SetupRefused(
            f"the airspace {lending.airspace} does not exist on this cluster; check market.lending.airspace"
        )
    if space.is_restricted and space.authority != ground.owner and not ground.live(issuer_of(lending, ground.owner)):
        raise SetupRefused(
            f"the airspace {lending.airspace} is restricted and wallet {ground.owner} has no permit: ask its authority "
            f"{space.authority} for one, or take [market.lending] out of the configuration"
        )


def _has_position(ground: Ground, token: Pubkey) -> bool:
    return ground.account is not None and ground.account.position(token) is not None


def _raw(ground: Ground, lending: LendingAddresses, raw: RawCollateral) -> Step | None:
    mint, account = Pubkey.from_string(raw.mint.address), raw_account(lending, raw)
    if _has_position(ground, mint):
        return None
    opened: tuple[Opening, ...] = ()
    create: tuple[Instruction, ...] = ()
    if not ground.live(account):
        size = _size(ground, mint, associated=True)
        rent = missing_rent(ground.rent, ground.at(account), size)
        opened = (Opening(account, rent, tokens=(mint, lending.account)),)
        create = (create_ata_idempotent(ground.owner, lending.account, mint, raw.token_program),)
    register = margin.create_deposit_position(
        authority=ground.owner,
        payer=ground.owner,
        margin_account=lending.account,
        airspace=lending.airspace,
        mint=mint,
        token_program=raw.token_program,
        program=lending.margin_program,
    )
    title = f"collateral position in {raw.mint.symbol}"
    return Step(title, (*create, register), MEDIUM, opened, positions=frozenset({mint}))


def _loan(ground: Ground, lending: LendingAddresses, pool: LendingPool) -> Step:
    account = loan_account(lending, pool)
    register = margin_pool.instructions.register_loan(
        pool, margin_account=lending.account, payer=ground.owner, program=lending.pool_program
    )
    inner = margin.Inner(lending.pool_program, lending.pool_adapter_config, register)
    call = margin.adapter_invoke(ground.owner, lending.account, [inner], program=lending.margin_program)
    size = _size(ground, pool.loan_note_mint, associated=False)
    opening = Opening(
        account, missing_rent(ground.rent, ground.at(account), size), tokens=(pool.loan_note_mint, pool.address)
    )
    title = f"loan position in the {pool.mint.symbol} pool"
    return Step(title, (call,), LARGE, (opening,), positions=frozenset({pool.loan_note_mint}))


def _notes(ground: Ground, lending: LendingAddresses, pool: LendingPool) -> Step | None:
    if _has_position(ground, pool.deposit_note_mint):
        return None
    if not pool.notes_count:
        raise SetupRefused(
            f"deposit notes of the {pool.mint.symbol} pool {pool.address} are no collateral in this airspace: no position can be "
            "opened in them; leave it out of --lend"
        )
    account = note_account(lending, pool)
    register = margin.register_position(
        authority=ground.owner,
        payer=ground.owner,
        margin_account=lending.account,
        airspace=lending.airspace,
        mint=pool.deposit_note_mint,
        token_program=TOKEN_2022,
        program=lending.margin_program,
    )
    size = _size(ground, pool.deposit_note_mint, associated=False)
    opening = Opening(
        account, missing_rent(ground.rent, ground.at(account), size), tokens=(pool.deposit_note_mint, lending.account)
    )
    title = f"deposit position in the {pool.mint.symbol} pool"
    return Step(title, (register,), MEDIUM, (opening,), positions=frozenset({pool.deposit_note_mint}))


def _wallet_account(ground: Ground, mint: Mint) -> Step | None:
    key = Pubkey.from_string(mint.address)
    account = associated_token_address(ground.owner, key)
    if ground.live(account):
        return None
    if ground.mint(key).owner != SPL_TOKEN:
        raise SetupRefused(
            f"{mint.symbol} ({key}) is not a token of the SPL token program, which the keeper's steps expect"
        )
    rent = missing_rent(ground.rent, ground.at(account), _size(ground, key, associated=True))
    opening = Opening(account, rent, tokens=(key, ground.owner))
    return Step(
        f"the wallet's {mint.symbol} account",
        (create_ata_idempotent(ground.owner, ground.owner, key),),
        SMALL,
        (opening,),
    )


def _size(ground: Ground, mint: Pubkey, *, associated: bool) -> int:
    try:
        return token_account_size(ground.mint(mint), associated=associated)
    except LayoutError as error:
        raise SetupRefused(f"what an account of {mint} costs cannot be told: {error}") from error


def _table(ground: Ground) -> Iterator[Step]:
    """What is missing in the keeper's tables goes into the newest one, and into a new one where that has no room."""
    active = [(table, found) for table, found in ground.tables if found.deactivation_slot is None]
    known = {key for _, found in active for key in found.addresses}
    left = [key for key in table_contents(ground.owner, ground.market) if key not in known]
    while left:
        if not active or len(active[-1][1].addresses) >= MAX_ADDRESSES:
            step, made = _new_table(ground, Pubkey.from_string(active[-1][0].address) if active else None)
            yield step
            active.append((made, LookupTable((), ground.recent, None, ground.owner)))
        own, held = active[-1]
        part = left[: min(ADDRESSES_PER_EXTEND, MAX_ADDRESSES - len(held.addresses))]
        yield _extension(ground, own, held, tuple(part))
        active[-1] = (own, LookupTable((*held.addresses, *part), ground.recent, None, ground.owner))
        left = left[len(part) :]


def _new_table(ground: Ground, newest: Pubkey | None) -> tuple[Step, OwnTable]:
    create, address = lookup_table.create(ground.owner, ground.owner, ground.recent)
    if address == newest or any(Pubkey.from_string(one.address) == address for one, _ in ground.tables):
        raise SetupRefused(f"a lookup table was made in slot {ground.recent} already; run it again in a moment")
    rent = missing_rent(ground.rent, ground.at(address), HEADER_LENGTH)
    made = OwnTable(str(address), str(ground.owner), ground.recent)
    return Step("lookup table", (create,), SMALL, (Opening(address, rent),), creates=made, table=address), made


def _extension(ground: Ground, own: OwnTable, held: LookupTable, keys: tuple[Pubkey, ...]) -> Step:
    address = Pubkey.from_string(own.address)
    before, after = (HEADER_LENGTH + 32 * count for count in (len(held.addresses), len(held.addresses) + len(keys)))
    present = ground.at(address)
    # Lamports above its size's rent are in the table already; those of the steps before this one bring it to exactly that.
    there = max(ground.rent.exempt(before), Lamports(0) if present is None else present.lamports)
    growth = max(ground.rent.exempt(after) - there, Lamports(0))
    extend = lookup_table.extend(address, ground.owner, ground.owner, list(keys))
    title = f"{len(keys)} addresses in the lookup table"
    return Step(title, (extend,), SMALL, (Opening(address, growth),), table=address, appended=keys)
