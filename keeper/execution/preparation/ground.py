"""The ground as one read of the chain shows it: the wallet, its margin account, its token accounts and its lookup tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.execution.lending_sight import loan_account
from keeper.execution.ports import Node
from keeper.execution.preparation.contents import wallet_tokens
from keeper.execution.preparation.steps import SetupRefused
from keeper.journal.records import OwnTable
from keeper.protocols import glow_margin as margin
from keeper.protocols.addresses import RENT_SYSVAR, TOKEN_2022
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, LendingPool, RawCollateral
from keeper.protocols.lookup_table import LookupTable, decode_lookup_table
from keeper.protocols.market import Market
from keeper.protocols.sysvars import Rent, decode_rent
from keeper.protocols.token import TokenAccount, associated_token_address, decode_token_account
from keeper.units import Lamports, Slot


@dataclass(frozen=True, slots=True)
class Ground:
    """``tables``: the keeper's own that exist, oldest first. ``absent``: those that are recorded and do not exist. ``recent``: a
    finalised slot, which a new table's address may be made of. ``account``: the margin account, None where there is none."""

    owner: Pubkey
    market: Market
    snapshot: AccountSnapshot
    rent: Rent
    account: margin.MarginAccountState | None
    airspace: margin.Airspace | None
    tables: tuple[tuple[OwnTable, LookupTable], ...]
    absent: tuple[OwnTable, ...]
    recent: Slot

    @property
    def lamports(self) -> Lamports:
        """What the wallet holds."""
        wallet = self.at(self.owner)
        return Lamports(0) if wallet is None else wallet.lamports

    def at(self, key: Pubkey) -> Account | None:
        return self.snapshot.accounts.get(key)

    def live(self, key: Pubkey) -> bool:
        """Whether an account is in use: lamports that somebody sent ahead to an address make none."""
        account = self.at(key)
        return account is not None and bool(account.data)

    def mint(self, key: Pubkey) -> Account:
        """A mint's account. Raises ``SetupRefused`` where it does not exist."""
        found = self.at(key)
        if found is None:
            raise SetupRefused(f"the mint {key} does not exist on this cluster; check [market] in the configuration")
        return found

    def tokens(self, key: Pubkey) -> TokenAccount | None:
        """A token account, None where there is none. Raises ``SetupRefused`` where something else is there."""
        account = self.at(key)
        if account is None or not account.data:
            return None
        try:
            return decode_token_account(account.data, owner_program=account.owner)
        except LayoutError as error:
            raise SetupRefused(f"{key} should be a token account: {error}") from error

    @property
    def indebted(self) -> bool:
        """Whether the margin account owes anything."""
        positions = () if self.account is None else self.account.positions
        return any(one.is_claim and one.balance for one in positions)


def raw_account(lending: LendingAddresses, raw: RawCollateral) -> Pubkey:
    """Where raw collateral lies: the margin account's associated account."""
    return associated_token_address(lending.account, Pubkey.from_string(raw.mint.address), raw.token_program)


def note_account(lending: LendingAddresses, pool: LendingPool) -> Pubkey:
    """Where the deposit notes of ``pool`` lie once ``register_position`` has opened the position."""
    return margin.position_token_address(lending.account, pool.deposit_note_mint, program=lending.margin_program)


def permit_of(lending: LendingAddresses, owner: Pubkey) -> Pubkey:
    """The owner's permit for the airspace."""
    return margin.airspace_permit_address(lending.airspace, owner, program=lending.airspace_program)


def issuer_of(lending: LendingAddresses, owner: Pubkey) -> Pubkey:
    """What lets ``owner`` issue permits in a restricted airspace."""
    return margin.airspace_permit_issuer_address(lending.airspace, owner, program=lending.airspace_program)


async def survey(
    node: Node, owner: Pubkey, market: Market, own: Sequence[OwnTable], recent: Slot, *, not_before: Slot
) -> Ground:
    """Read the ground, on a node that has seen ``not_before``. Raises ``RpcError``; ``SetupRefused`` for accounts that are not
    what their addresses say."""
    mints = wallet_tokens(market)
    keys = [owner, RENT_SYSVAR, *(Pubkey.from_string(one.address) for one in own)]
    for mint in mints:
        key = Pubkey.from_string(mint.address)
        keys += [key, associated_token_address(owner, key)]
    if market.lending is not None:
        keys += _lending_keys(market.lending, owner)
    snapshot = await node.accounts(keys, min_context_slot=not_before)
    tables = {table: _table(table, snapshot.accounts.get(Pubkey.from_string(table.address))) for table in own}
    return Ground(
        owner=owner,
        market=market,
        snapshot=snapshot,
        rent=_rent(snapshot),
        account=_margin_account(market.lending, owner, snapshot),
        airspace=_airspace(market.lending, snapshot),
        tables=tuple((table, found) for table, found in tables.items() if found is not None),
        absent=tuple(table for table, found in tables.items() if found is None),
        recent=recent,
    )


def _lending_keys(lending: LendingAddresses, owner: Pubkey) -> list[Pubkey]:
    keys = [lending.airspace, permit_of(lending, owner), issuer_of(lending, owner), lending.account]
    for raw in lending.raw:
        keys += [Pubkey.from_string(raw.mint.address), raw_account(lending, raw)]
    for pool in lending.pools:
        keys += [pool.deposit_note_mint, pool.loan_note_mint, note_account(lending, pool), loan_account(lending, pool)]
        keys += [associated_token_address(lending.account, pool.deposit_note_mint, TOKEN_2022)]
    return keys


def _rent(snapshot: AccountSnapshot) -> Rent:
    account = snapshot.accounts.get(RENT_SYSVAR)
    if account is None:
        raise SetupRefused("the node does not show the Rent sysvar, so nothing can be priced; try another cluster.rpc")
    try:
        return decode_rent(account.data, owner=account.owner)
    except LayoutError as error:
        raise SetupRefused(f"{error}; nothing can be priced on this node: try another cluster.rpc") from error


def _table(recorded: OwnTable, account: Account | None) -> LookupTable | None:
    if account is None or not account.data:
        return None
    try:
        table = decode_lookup_table(account.data, owner=account.owner)
    except LayoutError as error:
        raise SetupRefused(f"the keeper's lookup table {recorded.address} cannot be read: {error}") from error
    if str(table.authority) != recorded.authority:
        raise SetupRefused(
            f"the lookup table {recorded.address} belongs to {table.authority}, not to {recorded.authority}"
        )
    return table


def _airspace(lending: LendingAddresses | None, snapshot: AccountSnapshot) -> margin.Airspace | None:
    account = None if lending is None else snapshot.accounts.get(lending.airspace)
    if lending is None or account is None:
        return None
    try:
        return margin.decode_airspace(account.data, owner=account.owner, program=lending.airspace_program)
    except LayoutError as error:
        raise SetupRefused(f"{error}; check market.lending.airspace") from error


def _margin_account(
    lending: LendingAddresses | None, owner: Pubkey, snapshot: AccountSnapshot
) -> margin.MarginAccountState | None:
    account = None if lending is None else snapshot.accounts.get(lending.account)
    if lending is None or account is None or not account.data:
        return None
    try:
        state = margin.decode_margin_account(account.data, owner=account.owner, program=lending.margin_program)
    except LayoutError as error:
        raise SetupRefused(f"the margin account {lending.account} cannot be read: {error}") from error
    if state.owner != owner or state.airspace != lending.airspace:
        raise SetupRefused(f"the margin account {lending.account} belongs to {state.owner} in {state.airspace}")
    if state.liquidator is not None:
        raise SetupRefused(
            f"{state.liquidator} is liquidating the margin account {lending.account}: until that ends, the program refuses its "
            "owner; run it again afterwards"
        )
    return state
