"""Where the localnet's market lives: every address of it, and the keypairs of those who run and trade it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from solders.keypair import Keypair
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    GLOW_LRT,
    LST_MINT,
    LST_VAULT,
    RESTAKING_POOL,
    SOLAYER_MANAGER_FEE,
    SOLAYER_STAKE_POOL,
    SOLAYER_VALIDATOR_LIST,
    SSOL_MINT,
    WSOL_MINT,
)
from keeper.sim.localnet.lending_addresses import ADAPTER_CONFIGS, AIRSPACE, FEEDS, LendingPoolAddresses, RawToken
from keeper.sim.localnet.programs import cpi, glow_lrt_idl, glow_lrt_state, stake_pool_state
from keeper.sim.localnet.programs.glow_margin_config import permit_address
from keeper.sim.localnet.programs.glow_margin_state import margin_account_address


def derived_keypair(label: str, seed: int | None = None) -> Keypair:
    """A keypair from a label, and from the market's seed where it should differ between markets."""
    return Keypair.from_seed(sha256(f"glow-keeper localnet market/{label}/{seed}".encode()).digest())


GLOWSOL_MINT = derived_keypair("glowSOL mint").pubkey()
"""The localnet's glowSOL. The same in every market, so that a configuration file stays valid."""


@dataclass(frozen=True, slots=True)
class ValidatorAccounts:
    """One validator of the stake pool: its vote account's address (nothing lives there) and its stake accounts."""

    vote: Pubkey
    stake: Pubkey
    transient: Pubkey

    @classmethod
    def of(cls, index: int) -> ValidatorAccounts:
        vote = derived_keypair(f"vote {index}").pubkey()
        return cls(
            vote,
            stake_pool_state.validator_stake_address(SOLAYER_STAKE_POOL, vote),
            stake_pool_state.transient_stake_address(SOLAYER_STAKE_POOL, vote),
        )


LRT_POOL = glow_lrt_state.pool_address(GLOWSOL_MINT)[0]
LRT_IDL = glow_lrt_idl.idl_address(GLOW_LRT)
SSOL_VAULT = cpi.associated_address(LRT_POOL, SSOL_MINT)
LRT_LST = cpi.associated_address(LRT_POOL, LST_MINT)
SHARE_ESCROW = cpi.associated_address(LRT_POOL, GLOWSOL_MINT)
SOL_STAGING = glow_lrt_state.staging_address(LRT_POOL)[0]
WITHDRAW_AUTHORITY = stake_pool_state.withdraw_authority(SOLAYER_STAKE_POOL)[0]
RESERVE_STAKE = derived_keypair("reserve stake").pubkey()


@dataclass(frozen=True, slots=True)
class Market:
    """All addresses of a market. ``dex_pools`` by name, as ``"glowSOL/SOL stable"``; ``mints``, ``lending_pools`` and
    ``raw_tokens`` (what margin accounts hold as it is) by symbol. The last two are empty in a market without lending.

    ``borrower`` is the resident who owes what the pools have lent, ``liquidator`` holds the permit to liquidate.
    """

    lookup_table: Pubkey
    validators: tuple[ValidatorAccounts, ...]
    dex_pools: dict[str, Pubkey]
    operator: Keypair = field(repr=False)
    admin: Keypair = field(repr=False)
    traders: tuple[Keypair, ...] = field(repr=False)
    holders: Keypair = field(repr=False)
    liquidator: Keypair = field(repr=False)
    borrower: Keypair = field(repr=False)
    fee_owner: Keypair = field(repr=False)
    lending_pools: dict[str, LendingPoolAddresses] = field(default_factory=dict)
    raw_tokens: dict[str, RawToken] = field(default_factory=dict)
    airspace: Pubkey = AIRSPACE
    glowsol_mint: Pubkey = GLOWSOL_MINT
    ssol_mint: Pubkey = SSOL_MINT
    lst_mint: Pubkey = LST_MINT
    sol_mint: Pubkey = WSOL_MINT
    stake_pool: Pubkey = SOLAYER_STAKE_POOL
    validator_list: Pubkey = SOLAYER_VALIDATOR_LIST
    manager_fee: Pubkey = SOLAYER_MANAGER_FEE
    stake_pool_withdraw_authority: Pubkey = WITHDRAW_AUTHORITY
    reserve_stake: Pubkey = RESERVE_STAKE
    restaking_pool: Pubkey = RESTAKING_POOL
    lst_vault: Pubkey = LST_VAULT
    lrt_program: Pubkey = GLOW_LRT
    lrt_pool: Pubkey = LRT_POOL
    lrt_idl: Pubkey = LRT_IDL
    ssol_vault: Pubkey = SSOL_VAULT
    lrt_lst: Pubkey = LRT_LST
    share_escrow: Pubkey = SHARE_ESCROW
    sol_staging: Pubkey = SOL_STAGING

    @property
    def mints(self) -> dict[str, Pubkey]:
        return {"SOL": self.sol_mint, "LST": self.lst_mint, "sSOL": self.ssol_mint, "glowSOL": self.glowsol_mint}

    @property
    def borrower_account(self) -> Pubkey:
        """The resident borrower's margin account."""
        return margin_account_address(self.borrower.pubkey(), self.airspace, 0)[0]

    @property
    def liquidation_permit(self) -> Pubkey:
        return permit_address(self.airspace, self.liquidator.pubkey())

    @property
    def feeds(self) -> dict[str, Pubkey]:
        """Price accounts by name, as ``"SOL/USD"``."""
        return FEEDS

    @property
    def adapter_configs(self) -> dict[Pubkey, Pubkey]:
        """Configurations of the programs that margin accounts may invoke."""
        return ADAPTER_CONFIGS

    def as_json(self) -> dict[str, Any]:
        """Addresses only: no secret key leaves this object."""
        names = [
            "lookup_table",
            "stake_pool",
            "validator_list",
            "manager_fee",
            "stake_pool_withdraw_authority",
            "reserve_stake",
            "restaking_pool",
            "lst_vault",
            "lrt_program",
            "lrt_pool",
            "lrt_idl",
            "ssol_vault",
            "lrt_lst",
            "share_escrow",
            "sol_staging",
        ]
        return {
            "mints": {symbol: str(mint) for symbol, mint in self.mints.items()},
            **{name: str(getattr(self, name)) for name in names},
            "validators": [
                {"vote": str(validator.vote), "stake": str(validator.stake)} for validator in self.validators
            ],
            "dex_pools": {name: str(address) for name, address in self.dex_pools.items()},
            "operator": str(self.operator.pubkey()),
            "admin": str(self.admin.pubkey()),
            "traders": [str(trader.pubkey()) for trader in self.traders],
            "holders": str(self.holders.pubkey()),
            **({"lending": self._lending_json()} if self.lending_pools else {}),
        }

    def _lending_json(self) -> dict[str, Any]:
        return {
            "airspace": str(self.airspace),
            "pools": {symbol: pool.as_json() for symbol, pool in self.lending_pools.items()},
            "raw_tokens": {symbol: str(token.config) for symbol, token in self.raw_tokens.items()},
            "feeds": {name: str(feed) for name, feed in self.feeds.items()},
            "adapter_configs": {str(program): str(config) for program, config in self.adapter_configs.items()},
            "borrower": str(self.borrower.pubkey()),
            "borrower_account": str(self.borrower_account),
            "liquidator": str(self.liquidator.pubkey()),
            "fee_owner": str(self.fee_owner.pubkey()),
        }
