"""What the checks look at, read at one moment: the accounts that follow from the configuration, then those that they name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.doctor.case import Case
from keeper.observe.discovery import LendingSource, LrtSource
from keeper.protocols import addresses
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as pools
from keeper.protocols.glow_lrt import (
    Idl,
    IdlError,
    IdlMismatch,
    LrtPool,
    LrtProgram,
    decode_idl_account,
    idl_address,
)
from keeper.protocols.layout import LayoutError
from keeper.protocols.pyth import push_feed_address
from keeper.protocols.stake import place_addresses
from keeper.protocols.stake_pool import StakePool, decode_stake_pool
from keeper.protocols.sysvars import Clock, decode_clock
from keeper.protocols.token import MintState, associated_token_address, decode_mint
from keeper.units import GLOWSOL_SYMBOL, SOL, SSOL, STAKE_POOL_LST, Lamports, Mint

T = TypeVar("T")

OTHER_ADAPTERS = {
    "Jupiter": addresses.JUPITER_V6,
    "restaking": addresses.GLOW_LRT,
    "stake pool": addresses.STAKE_POOL_PROGRAM,
    "Solayer": addresses.SOLAYER_RESTAKING,
}
"""Programs that margin accounts may be allowed to call, beside the lending pools'. The keeper calls none of them through
one."""
PROGRAMS = {"stake pool": addresses.STAKE_POOL_PROGRAM, "Solayer restaking": addresses.SOLAYER_RESTAKING}


@dataclass(frozen=True, slots=True)
class Feed:
    """One price account: where, whose price, and the feed id that it must carry."""

    subject: str
    address: Pubkey
    feed_id: bytes


@dataclass(frozen=True, slots=True)
class Chart:
    """``rent``: of a token account."""

    case: Case
    snapshot: AccountSnapshot
    rent: Lamports

    def at(self, key: Pubkey) -> Account | None:
        """An account that was read. Raises ``KeyError`` for one that was not asked for."""
        return self.snapshot[key]

    def need(self, key: Pubkey, what: str) -> Account:
        """The account at ``key``. Raises ``LayoutError`` where there is none."""
        account = self.snapshot.accounts.get(key)
        if account is None:
            raise LayoutError(what, "account", f"an account at {key}", "none")
        return account

    # the chain

    @property
    def now(self) -> Clock:
        """Raises ``LayoutError``."""
        account = self.need(addresses.CLOCK_SYSVAR, "Clock sysvar")
        return decode_clock(account.data, owner=account.owner)

    def mint(self, key: Pubkey, what: str) -> MintState:
        """Raises ``LayoutError``."""
        account = self.need(key, what)
        return decode_mint(account.data, owner_program=account.owner)

    def stake_pool(self) -> StakePool:
        """Raises ``LayoutError``."""
        account = self.need(addresses.SOLAYER_STAKE_POOL, "Solayer's stake pool")
        return decode_stake_pool(account.data, owner=account.owner)

    # the restaking program

    @property
    def lrt(self) -> LrtSource:
        """Only for checks that run where it is configured."""
        if self.case.lrt is None:
            raise LayoutError("configuration", "market.lrt", "a table", "none")
        return self.case.lrt

    def lrt_program(self) -> LrtProgram:
        """Raises ``IdlError``, ``IdlMismatch``."""
        source = self.lrt
        text = source.idl
        if text is None:
            try:
                account = self.need(idl_address(source.program), "the IDL")
                text = decode_idl_account(account.data, owner=account.owner, program_id=source.program)
            except LayoutError as error:
                raise IdlError(str(error)) from error
        return LrtProgram(Idl.parse(text), source.mapping, source.program, source.pool)

    def lrt_pool(self) -> LrtPool:
        """Raises ``LayoutError``, ``IdlError``, ``IdlMismatch``."""
        account = self.need(self.lrt.pool, "the restaking program's pool (market.lrt.pool)")
        return self.lrt_program().decode_pool(account.data, owner=account.owner)

    # the lending market

    @property
    def lending(self) -> LendingSource:
        """Only for checks that run where it is configured."""
        if self.case.lending is None:
            raise LayoutError("configuration", "market.lending", "a table", "none")
        return self.case.lending

    def pool_key(self, mint: Pubkey) -> Pubkey:
        return pools.pool_address(self.lending.airspace_address, mint, self.lending.pool_program)

    def pool(self, mint: Pubkey) -> pools.MarginPoolState:
        """Raises ``LayoutError``."""
        account = self.need(self.pool_key(mint), f"the lending pool of {label(mint, self.case.lrt)}")
        return pools.decode_margin_pool(account.data, owner=account.owner, program=self.lending.pool_program)

    def config_key(self, mint: Pubkey) -> Pubkey:
        return margin.token_config_address(self.lending.airspace_address, mint, program=self.lending.margin_program)

    def config(self, mint: Pubkey, what: str) -> margin.TokenConfig:
        """Raises ``LayoutError``."""
        account = self.need(self.config_key(mint), f"the token config of {what}")
        return margin.decode_token_config(account.data, owner=account.owner, program=self.lending.margin_program)

    @property
    def raw(self) -> tuple[Mint, ...]:
        """Tokens that may be collateral as they are."""
        return raw_mints(self.case)

    @property
    def account_key(self) -> Pubkey:
        """The wallet's margin account. Raises ``LayoutError`` without a wallet."""
        if self.case.owner is None:
            raise LayoutError("configuration", "wallet.keypair", "a key that can be read", "none")
        source = self.lending
        return margin.margin_account_address(
            self.case.owner, source.airspace_address, source.seed, program=source.margin_program
        )

    def margin_account(self) -> margin.MarginAccountState | None:
        """None where there is none yet. Raises ``LayoutError``."""
        account = self.at(self.account_key)
        if account is None or not account.data:
            return None
        return margin.decode_margin_account(account.data, owner=account.owner, program=self.lending.margin_program)

    def feeds(self) -> tuple[Feed, ...]:
        """Every price account that the pools and the raw collateral name; what cannot be decoded names none."""
        found: dict[Pubkey, Feed] = {}
        program = self.lending.push_oracle

        def add(subject: str, feed_id: bytes) -> None:
            address = push_feed_address(feed_id, program=program)
            found.setdefault(address, Feed(subject, address, feed_id))

        for mint in self.lending.mints:
            with suppress(LayoutError):
                match self.pool(mint).oracle:
                    case pools.PythPull(feed_id):
                        add(label(mint, self.case.lrt), feed_id)
                    case pools.PythPullRedemption(feed_id, quote):
                        add(label(mint, self.case.lrt), feed_id)
                        add("quote", quote)
        for token in self.raw:
            with suppress(LayoutError):
                admin = self.config(Pubkey.from_string(token.address), str(token)).admin
                if isinstance(admin, margin.OracleAdmin) and admin.feed_id:
                    add(str(token), admin.feed_id)
                    if admin.quote_feed_id:
                        add("quote", admin.quote_feed_id)
        return tuple(found.values())


def label(mint: Pubkey, lrt: LrtSource | None) -> str:
    """A mint as people call it; its address where it has no known name."""
    names = {token.address: token.symbol for token in (SOL, SSOL, STAKE_POOL_LST)}
    if lrt is not None:
        names[str(lrt.glowsol)] = GLOWSOL_SYMBOL
    return names.get(str(mint), str(mint))


def raw_mints(case: Case) -> tuple[Mint, ...]:
    glow = (Mint(str(case.lrt.glowsol), GLOWSOL_SYMBOL, 9),) if case.lrt is not None else ()
    return (*glow, SSOL)


async def read(case: Case) -> Chart:
    """Two reads: what the configuration names, then what those accounts name. Raises ``RpcError``."""
    # anywhere else, lamports that a stranger sent ahead are no account
    ours = (case.owner, *place_addresses(case.owner)) if case.owner is not None else ()
    first = (await case.rpc.accounts(tuple(_named(case)))).in_use(*ours)
    rent = await case.rpc.rent_exempt(165)
    chart = Chart(case, first, rent)
    further = [key for key in _further(chart) if key not in first.accounts]
    if not further:
        return chart
    second = (await case.rpc.accounts(further, min_context_slot=first.slot)).in_use(*ours)
    return Chart(case, _joined(first, second), rent)


def _joined(first: AccountSnapshot, second: AccountSnapshot) -> AccountSnapshot:
    accounts = {**first.accounts, **second.accounts}
    return AccountSnapshot(min(first.slot, second.slot), accounts, max(first.highest, second.highest))


def _named(case: Case) -> Iterable[Pubkey]:
    yield addresses.CLOCK_SYSVAR
    yield from PROGRAMS.values()
    yield from (addresses.SOLAYER_STAKE_POOL, addresses.RESTAKING_POOL, addresses.LST_VAULT)
    yield from (addresses.SSOL_MINT, addresses.LST_MINT)
    yield from case.lookup_tables
    if case.lrt is not None:
        yield from (case.lrt.program, case.lrt.pool, case.lrt.glowsol, idl_address(case.lrt.program))
    if case.owner is not None:
        yield case.owner
        yield from wallet_accounts(case).values()
    if case.lending is not None:
        yield from _lending_keys(case, case.lending)


def wallet_accounts(case: Case) -> dict[Mint, Pubkey]:
    """The token accounts that strategies use; empty without a wallet."""
    if case.owner is None:
        return {}
    tokens = (*raw_mints(case), STAKE_POOL_LST)
    return {token: associated_token_address(case.owner, Pubkey.from_string(token.address)) for token in tokens}


def _lending_keys(case: Case, source: LendingSource) -> Iterable[Pubkey]:
    airspace = source.airspace_address
    yield airspace
    for program in (source.pool_program, *OTHER_ADAPTERS.values()):
        yield margin.adapter_config_address(airspace, program, program=source.margin_program)
    for mint in source.mints:
        pool = pools.pool_address(airspace, mint, source.pool_program)
        yield from (pool, mint)
        for note in (
            pools.deposit_note_mint_address(pool, source.pool_program),
            pools.loan_note_mint_address(pool, source.pool_program),
        ):
            yield margin.token_config_address(airspace, note, program=source.margin_program)
    for token in raw_mints(case):
        yield margin.token_config_address(airspace, Pubkey.from_string(token.address), program=source.margin_program)
    if case.owner is not None:
        yield margin.airspace_permit_address(airspace, case.owner, program=source.airspace_program)
        yield margin.margin_account_address(case.owner, airspace, source.seed, program=source.margin_program)


def _further(chart: Chart) -> Iterable[Pubkey]:
    """Accounts that only other accounts name. One that cannot be decoded names none: its own check says so."""
    pool = _or_none(chart.stake_pool)
    if pool is not None:
        yield from (pool.reserve_stake, pool.validator_list)
    if chart.case.lrt is not None:
        books = _or_none(chart.lrt_pool)
        if books is not None:
            yield books.ssol_vault
        glowsol = chart.case.lrt.glowsol
        state = _or_none(lambda: chart.mint(glowsol, GLOWSOL_SYMBOL))
        if state is not None and state.mint_authority is not None:
            yield state.mint_authority
    if chart.case.lending is not None:
        yield from (feed.address for feed in chart.feeds())


def _or_none(decode: Callable[[], T]) -> T | None:
    try:
        return decode()
    except (LayoutError, IdlError, IdlMismatch):
        return None
