"""Where Glow's lending market lives on this cluster, as ``keeper.observe`` discovers it. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.units import Mint


@dataclass(frozen=True, slots=True)
class PriceFeed:
    """The price accounts of a token: one feed, or a redemption rate and the feed that quotes it (protocol.md 3.3, 5).

    ``feed_id`` and ``quote_feed_id`` are the 32 bytes that the accounts must carry.
    """

    price: Pubkey
    feed_id: bytes
    quote: Pubkey | None = None
    quote_feed_id: bytes = b""

    @property
    def accounts(self) -> tuple[Pubkey, ...]:
        return (self.price,) if self.quote is None else (self.price, self.quote)


@dataclass(frozen=True, slots=True)
class LendingPool:
    """One pool of the margin-pool program. ``deposit_config`` and ``loan_config`` are the TokenConfigs of its notes (margin
    program). ``notes_count``: the deposit note is registered as collateral, so that a deposit in the pool can be a position."""

    address: Pubkey
    mint: Mint
    token_program: Pubkey
    vault: Pubkey
    deposit_note_mint: Pubkey
    loan_note_mint: Pubkey
    fee_destination: Pubkey
    deposit_metadata: Pubkey
    deposit_config: Pubkey
    loan_config: Pubkey
    feed: PriceFeed
    notes_count: bool


@dataclass(frozen=True, slots=True)
class RawCollateral:
    """A token that the margin account takes as it is: its TokenConfig is of kind Collateral with an oracle of margin's own."""

    config: Pubkey
    mint: Mint
    token_program: Pubkey
    feed: PriceFeed


@dataclass(frozen=True, slots=True)
class LendingAddresses:
    """The lending market with the keeper's margin account in it (PDA of the wallet, the airspace and ``seed``; it may not exist
    yet). ``oracle_owners``: the programs that price accounts may belong to."""

    margin_program: Pubkey
    pool_program: Pubkey
    airspace_program: Pubkey
    airspace: Pubkey
    seed: int
    account: Pubkey
    pool_adapter_config: Pubkey
    pools: tuple[LendingPool, ...]
    raw: tuple[RawCollateral, ...]
    oracle_owners: frozenset[Pubkey]

    def pool(self, address: str) -> LendingPool | None:
        return next((pool for pool in self.pools if str(pool.address) == address), None)

    def raw_collateral(self, config: str) -> RawCollateral | None:
        return next((one for one in self.raw if str(one.config) == config), None)
