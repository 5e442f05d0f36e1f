"""Finding Glow's lending market: every address follows from airspace, tokens and wallet; what must exist is read and checked.

What ``keeper setup`` may create (permit, margin account, positions) need not exist. A token that cannot be priced here (an
oracle of a later build, or an adapter's) is no collateral, and the log says so: it is never priced by a guess (facts,
protocol.md 5.5, 9).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.chain.rpc import RpcClient
from keeper.observe.problems import DiscoveryError
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as pools
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, LendingPool, PriceFeed, RawCollateral
from keeper.protocols.pyth import push_feed_address
from keeper.protocols.token import decode_mint
from keeper.units import SOL, SSOL, Mint

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LendingSource:
    """Where to look. ``airspace``: a name or an address. ``mints``: of the pools to use. ``receivers``: programs that price
    accounts may belong to."""

    airspace: str | Pubkey
    seed: int
    mints: tuple[Pubkey, ...]
    receivers: frozenset[Pubkey]
    push_oracle: Pubkey
    margin_program: Pubkey
    pool_program: Pubkey
    airspace_program: Pubkey

    @property
    def airspace_address(self) -> Pubkey:
        if isinstance(self.airspace, Pubkey):
            return self.airspace
        return margin.airspace_address(self.airspace, program=self.airspace_program)


async def discover_lending(
    rpc: RpcClient, source: LendingSource, owner: Pubkey, raw: Iterable[Mint]
) -> LendingAddresses:
    """The lending market with ``owner``'s margin account. ``raw``: tokens that may be collateral as they are.

    Raises ``DiscoveryError``, ``RpcError``.
    """
    finder = _Finder(source, source.airspace_address)
    raw = tuple(raw)
    addresses = {mint: pools.pool_address(finder.airspace, mint, source.pool_program) for mint in source.mints}
    adapter = margin.adapter_config_address(finder.airspace, source.pool_program, program=source.margin_program)
    configs = [finder.config(_key(mint)) for mint in raw]
    first = await rpc.accounts([finder.airspace, adapter, *addresses.values(), *addresses.keys(), *configs])
    first = first.in_use()
    finder.check_airspace(first, adapter)
    states = {mint: finder.pool_state(first, mint, address) for mint, address in addresses.items()}
    notes = [note for state in states.values() for note in (state.deposit_note_mint, state.loan_note_mint)]
    second = (await rpc.accounts([finder.config(note) for note in notes])).in_use()
    return LendingAddresses(
        margin_program=source.margin_program,
        pool_program=source.pool_program,
        airspace_program=source.airspace_program,
        airspace=finder.airspace,
        seed=source.seed,
        account=margin.margin_account_address(owner, finder.airspace, source.seed, program=source.margin_program),
        pool_adapter_config=adapter,
        pools=tuple(finder.pool(first, second, mint, state) for mint, state in states.items()),
        raw=tuple(found for mint in raw if (found := finder.raw(first, mint)) is not None),
        oracle_owners=source.receivers,
    )


def _key(mint: Mint) -> Pubkey:
    return Pubkey.from_string(mint.address)


@dataclass(frozen=True, slots=True)
class _Finder:
    source: LendingSource
    airspace: Pubkey

    def config(self, mint: Pubkey) -> Pubkey:
        return margin.token_config_address(self.airspace, mint, program=self.source.margin_program)

    def check_airspace(self, snapshot: AccountSnapshot, adapter: Pubkey) -> None:
        space = _required(snapshot[self.airspace], self.airspace, "the airspace (market.lending.airspace)")
        config = _required(snapshot[adapter], adapter, "the adapter config of the lending pools")
        try:
            margin.decode_airspace(space.data, owner=space.owner, program=self.source.airspace_program)
            found = margin.decode_adapter_config(config.data, owner=config.owner, program=self.source.margin_program)
        except LayoutError as error:
            raise DiscoveryError(f"{error}; check market.lending.airspace and the programs named there") from error
        if found.adapter_program != self.source.pool_program:
            raise DiscoveryError(
                f"the adapter config {adapter} is for {found.adapter_program}, not for market.lending.pool_program"
            )

    def pool_state(self, snapshot: AccountSnapshot, mint: Pubkey, address: Pubkey) -> pools.MarginPoolState:
        """Raises ``DiscoveryError`` unless the pool is what its address says."""
        account = _required(snapshot[address], address, f"the lending pool of {mint} (market.lending.pools)")
        program = self.source.pool_program
        try:
            state = pools.decode_margin_pool(account.data, owner=account.owner, program=program)
        except LayoutError as error:
            raise DiscoveryError(f"{error}; the lending pool {address} is not as the facts know it") from error
        expected = {
            "airspace": (state.airspace, self.airspace),
            "token mint": (state.token_mint, mint),
            "address": (state.address, address),
            "vault": (state.vault, pools.vault_address(address, program)),
            "deposit notes": (state.deposit_note_mint, pools.deposit_note_mint_address(address, program)),
            "loan notes": (state.loan_note_mint, pools.loan_note_mint_address(address, program)),
        }
        for name, (found, wanted) in expected.items():
            if found != wanted:
                raise DiscoveryError(f"lending pool {address} names {name} {found}, expected {wanted}; do not use it")
        return state

    def pool(
        self, first: AccountSnapshot, second: AccountSnapshot, mint: Pubkey, state: pools.MarginPoolState
    ) -> LendingPool:
        account = _required(first[mint], mint, "the token mint")
        feed = self._pool_feed(state)
        loan = self._note_config(second, state.loan_note_mint, "loan note", required=True)
        deposit = self._note_config(second, state.deposit_note_mint, "deposit note", required=False)
        if loan is not None and loan.token_kind is not margin.PositionKind.CLAIM:
            raise DiscoveryError(f"the loan notes of pool {state.address} are configured as {loan.token_kind.name}")
        return LendingPool(
            address=state.address,
            mint=_mint(mint, account),
            token_program=account.owner,
            vault=state.vault,
            deposit_note_mint=state.deposit_note_mint,
            loan_note_mint=state.loan_note_mint,
            fee_destination=state.fee_destination,
            deposit_metadata=pools.metadata_address(self.airspace, state.deposit_note_mint),
            deposit_config=self.config(state.deposit_note_mint),
            loan_config=self.config(state.loan_note_mint),
            feed=feed,
            notes_count=deposit is not None and deposit.token_kind is margin.PositionKind.COLLATERAL,
        )

    def _note_config(
        self, snapshot: AccountSnapshot, note: Pubkey, what: str, *, required: bool
    ) -> margin.TokenConfig | None:
        address = self.config(note)
        account = snapshot[address]
        if account is None and not required:
            return None
        account = _required(account, address, f"the token config of the {what} {note}")
        try:
            config = margin.decode_token_config(account.data, owner=account.owner, program=self.source.margin_program)
        except LayoutError as error:
            raise DiscoveryError(f"{error}; the token config of the {what} cannot be read") from error
        if config.admin != margin.AdapterAdmin(self.source.pool_program):
            raise DiscoveryError(f"the {what} {note} is administered by {config.admin}, not by the pool program")
        return config

    def _pool_feed(self, state: pools.MarginPoolState) -> PriceFeed:
        match state.oracle:
            case pools.PythPull(feed_id):
                return self._feed(feed_id)
            case pools.PythPullRedemption(feed_id, quote_feed_id):
                return self._feed(feed_id, quote_feed_id)
            case _:
                raise DiscoveryError(
                    f"lending pool {state.address} is priced by {state.oracle}, which this keeper cannot read; "
                    "take the pool out of market.lending.pools"
                )

    def _feed(self, feed_id: bytes, quote_feed_id: bytes = b"") -> PriceFeed:
        program = self.source.push_oracle
        quote = push_feed_address(quote_feed_id, program=program) if quote_feed_id else None
        return PriceFeed(push_feed_address(feed_id, program=program), feed_id, quote, quote_feed_id)

    def raw(self, snapshot: AccountSnapshot, mint: Mint) -> RawCollateral | None:
        """``mint`` as collateral, or None with a word in the log where it cannot be that here."""
        address = self.config(_key(mint))
        account = snapshot[address]
        problem = "it has no token config in this airspace"
        if account is not None:
            try:
                config = margin.decode_token_config(
                    account.data, owner=account.owner, program=self.source.margin_program
                )
            except LayoutError as error:
                problem = str(error)
            else:
                admin = config.admin
                if config.mint != _key(mint) or config.token_kind is not margin.PositionKind.COLLATERAL:
                    problem = f"its token config is {config.token_kind.name} of {config.mint}"
                elif isinstance(admin, margin.OracleAdmin) and admin.feed_id:
                    feed = self._feed(admin.feed_id, admin.quote_feed_id)
                    return RawCollateral(address, mint, config.mint_token_program, feed)
                else:
                    problem = f"it cannot be priced here ({admin})"
        log.warning("no_collateral", token=str(mint), config=str(address), why=problem)
        return None


def _mint(key: Pubkey, account: Account) -> Mint:
    known = {mint.address: mint for mint in (SOL, SSOL)}
    if str(key) in known:
        return known[str(key)]
    try:
        return Mint(str(key), str(key)[:6], decode_mint(account.data, owner_program=account.owner).decimals)
    except LayoutError as error:
        raise DiscoveryError(f"{error}; check market.lending.pools") from error


def _required(account: Account | None, key: Pubkey, what: str) -> Account:
    if account is None:
        raise DiscoveryError(
            f"{what} {key} does not exist on this cluster; check cluster.rpc and [market.lending], or remove that table"
        )
    return account
