"""The market that a keeper works: which addresses its protocols live at on this cluster.

What the facts call UNKNOWN (glowSOL's mint, the restaking program's accounts, the stake pool's reserve) is filled in from
configuration or read from the chain by ``keeper.observe.discovery``; this is only the result.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.glow_lrt.program import LrtProgram
from keeper.protocols.lending import LendingAddresses
from keeper.units import Mint


@dataclass(frozen=True, slots=True)
class SolayerAddresses:
    """Solayer's restaking pool and the stake pool under it. ``reserve_stake`` and ``manager_fee`` come from the pool account."""

    stake_pool_program: Pubkey
    stake_pool: Pubkey
    withdraw_authority: Pubkey
    validator_list: Pubkey
    reserve_stake: Pubkey
    manager_fee: Pubkey
    restaking_program: Pubkey
    restaking_pool: Pubkey
    lst_vault: Pubkey
    lst: Mint
    ssol: Mint


@dataclass(frozen=True, slots=True)
class LrtAddresses:
    """The liquid restaking program with its IDL and mapping, and the pool it is used with."""

    program: LrtProgram
    pool: Pubkey
    glowsol: Mint
    ssol_vault: Pubkey


@dataclass(frozen=True, slots=True)
class Market:
    """Everything that has an address. ``lrt`` is None in the mode without access to the restaking program, ``lending`` where no
    lending market is configured."""

    genesis_hash: str
    solayer: SolayerAddresses
    lrt: LrtAddresses | None
    lookup_tables: tuple[Pubkey, ...] = ()
    lending: LendingAddresses | None = None
