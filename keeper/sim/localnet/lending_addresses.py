"""Where the localnet's lending market lives: the addresses that follow from the airspace "default" (protocol.md 0.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    GLOW_LRT,
    GLOW_MARGIN_POOL,
    JUPITER_V6,
    SOL_USD_FEED,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    SSOL_RATE_FEED,
    STAKE_POOL_PROGRAM,
)
from keeper.sim.localnet.programs import glow_margin_pool_accounts as pool_pda
from keeper.sim.localnet.programs.glow_margin_config import (
    Oracle,
    PythPull,
    PythPullRedemption,
    adapter_config_address,
    airspace_address,
    token_config_address,
)
from keeper.sim.localnet.programs.pyth_feed import push_feed_address

AIRSPACE_NAME = "default"
AIRSPACE = airspace_address(AIRSPACE_NAME)
GLOWSOL_RATE_FEED = bytes.fromhex("add6499a420f809bbebc0b22fbf68acb8c119023897f6ea80008000000000000")
"""glowSOL's feed in Glow's test configuration (protocol.md 1.3); no live one is known."""

SOL_USD, SSOL_RATE, GLOWSOL_RATE = "SOL/USD", "sSOL/SOL", "glowSOL/SOL"
FEED_IDS = {SOL_USD: SOL_USD_FEED, SSOL_RATE: SSOL_RATE_FEED, GLOWSOL_RATE: GLOWSOL_RATE_FEED}
FEEDS = {name: push_feed_address(feed_id) for name, feed_id in FEED_IDS.items()}
"""Price accounts by name."""

ADAPTERS = (GLOW_MARGIN_POOL, JUPITER_V6, GLOW_LRT, STAKE_POOL_PROGRAM, SOLAYER_RESTAKING)
ADAPTER_CONFIGS = {program: adapter_config_address(AIRSPACE, program) for program in ADAPTERS}
"""Programs that margin accounts may invoke, with their configurations."""


def oracle_of(symbol: str) -> Oracle:
    """How a token is priced. Raises ``KeyError`` for a token without a price."""
    oracles: dict[str, Oracle] = {
        "SOL": PythPull(SOL_USD_FEED),
        "sSOL": PythPullRedemption(SSOL_RATE_FEED, SOL_USD_FEED),
        "glowSOL": PythPullRedemption(GLOWSOL_RATE_FEED, SOL_USD_FEED),
    }
    return oracles[symbol]


def price_accounts(symbol: str) -> tuple[Pubkey, Pubkey | None]:
    """The accounts of that oracle: the price, and the quote of a redemption rate."""
    if symbol == "SOL":
        return FEEDS[SOL_USD], None
    return FEEDS[f"{symbol}/SOL"], FEEDS[SOL_USD]


@dataclass(frozen=True, slots=True)
class RawToken:
    """A token that margin accounts hold as it is."""

    symbol: str
    mint: Pubkey
    config: Pubkey
    price: Pubkey
    quote: Pubkey | None
    token_program: Pubkey = SPL_TOKEN

    @classmethod
    def of(cls, symbol: str, mint: Pubkey) -> RawToken:
        return cls(symbol, mint, token_config_address(AIRSPACE, mint), *price_accounts(symbol))


@dataclass(frozen=True, slots=True)
class LendingPoolAddresses:
    """One lending pool with everything of it that has an address."""

    symbol: str
    mint: Pubkey
    pool: Pubkey
    vault: Pubkey
    deposit_note_mint: Pubkey
    loan_note_mint: Pubkey
    fee_destination: Pubkey
    token_metadata: Pubkey
    deposit_metadata: Pubkey
    loan_metadata: Pubkey
    deposit_config: Pubkey
    loan_config: Pubkey
    price: Pubkey
    quote: Pubkey | None
    token_program: Pubkey = SPL_TOKEN

    @classmethod
    def of(cls, symbol: str, mint: Pubkey, fee_owner: Pubkey) -> LendingPoolAddresses:
        pool = pool_pda.pool_address(AIRSPACE, mint)[0]
        deposit_notes, loan_notes = pool_pda.deposit_note_mint_address(pool), pool_pda.loan_note_mint_address(pool)
        price, quote = price_accounts(symbol)
        return cls(
            symbol=symbol,
            mint=mint,
            pool=pool,
            vault=pool_pda.vault_address(pool),
            deposit_note_mint=deposit_notes,
            loan_note_mint=loan_notes,
            fee_destination=pool_pda.fee_destination_address(pool, fee_owner),
            token_metadata=pool_pda.metadata_address(AIRSPACE, mint),
            deposit_metadata=pool_pda.metadata_address(AIRSPACE, deposit_notes),
            loan_metadata=pool_pda.metadata_address(AIRSPACE, loan_notes),
            deposit_config=token_config_address(AIRSPACE, deposit_notes),
            loan_config=token_config_address(AIRSPACE, loan_notes),
            price=price,
            quote=quote,
        )

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.__slots__ if name not in ("symbol", "quote")]
        quote = None if self.quote is None else str(self.quote)
        return {name: str(getattr(self, name)) for name in names} | {"quote": quote}
