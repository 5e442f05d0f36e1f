"""Where the lending market on paper lives, and what governance wrote there: the localnet's airspace, and a wallet of its own."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.protocols import glow_margin, glow_margin_pool
from keeper.protocols.addresses import (
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    PYTH_RECEIVER,
    SOL_USD_FEED,
    SPL_TOKEN,
    SSOL_RATE_FEED,
    WSOL_MINT,
)
from keeper.protocols.lending import LendingAddresses, LendingPool, PriceFeed, RawCollateral
from keeper.protocols.pyth import push_feed_address
from keeper.sim.localnet.lending_addresses import AIRSPACE, GLOWSOL_RATE_FEED
from keeper.sim.localnet.programs.glow_margin_config import ConfigKind, Oracle, PythPullRedemption, TokenConfig
from keeper.units import SOL, SSOL, Lamports, Mint

LEVERAGE, STALENESS = 400, 30
"""Of a loan in hundredths, and of positions in seconds (shared facts, protocol.md 4.6)."""
RENT = Lamports(2_039_280)
"""Of a token account."""


def _key(text: str) -> Pubkey:
    return Pubkey(sha256(f"paper market: {text}".encode()).digest())


OWNER = _key("wallet")
GLOWSOL = Mint(str(_key("glowSOL mint")), "glowSOL", 9)
FEED_OF = {GLOWSOL: GLOWSOL_RATE_FEED, SSOL: SSOL_RATE_FEED}


@cache
def addresses() -> LendingAddresses:
    """Where everything lives: the localnet's airspace and this market's wallet."""
    account = glow_margin.margin_account_address(OWNER, AIRSPACE, 0)
    pool = glow_margin_pool.pool_address(AIRSPACE, WSOL_MINT)
    deposits = glow_margin_pool.deposit_note_mint_address(pool)
    loans = glow_margin_pool.loan_note_mint_address(pool)
    sol_usd = push_feed_address(SOL_USD_FEED)

    def raw(mint: Mint) -> RawCollateral:
        feed = PriceFeed(push_feed_address(FEED_OF[mint]), FEED_OF[mint], sol_usd, SOL_USD_FEED)
        config = glow_margin.token_config_address(AIRSPACE, Pubkey.from_string(mint.address))
        return RawCollateral(config, mint, SPL_TOKEN, feed)

    return LendingAddresses(
        margin_program=GLOW_MARGIN,
        pool_program=GLOW_MARGIN_POOL,
        airspace_program=GLOW_AIRSPACE,
        airspace=AIRSPACE,
        seed=0,
        account=account,
        pool_adapter_config=glow_margin.adapter_config_address(AIRSPACE, GLOW_MARGIN_POOL),
        pools=(
            LendingPool(
                address=pool,
                mint=SOL,
                token_program=SPL_TOKEN,
                vault=glow_margin_pool.vault_address(pool),
                deposit_note_mint=deposits,
                loan_note_mint=loans,
                fee_destination=_key("fees"),
                deposit_metadata=glow_margin_pool.metadata_address(AIRSPACE, deposits),
                deposit_config=glow_margin.token_config_address(AIRSPACE, deposits),
                loan_config=glow_margin.token_config_address(AIRSPACE, loans),
                feed=PriceFeed(sol_usd, SOL_USD_FEED),
                notes_count=True,
            ),
        ),
        raw=(raw(GLOWSOL), raw(SSOL)),
        oracle_owners=frozenset({PYTH_RECEIVER}),
    )


@cache
def token_config(mint: Pubkey, kind: ConfigKind, modifier: int) -> Account:
    """A TokenConfig as governance wrote it."""
    admin: Oracle | Pubkey = GLOW_MARGIN_POOL
    for token, feed in FEED_OF.items():
        if token.address == str(mint):
            admin = PythPullRedemption(feed, SOL_USD_FEED)
    config = TokenConfig(mint, AIRSPACE, kind, modifier, STALENESS, admin, token_features=4)
    return Account(RENT, GLOW_MARGIN, config.encode())
