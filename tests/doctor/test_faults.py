"""One thing is broken, and exactly that check is red, with a remedy that speaks of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.doctor import plants
from tests.doctor.ward import Ward, doubtful, red


@dataclass(frozen=True, slots=True)
class Fault:
    """``plant`` breaks one thing; ``red`` must fail and nothing else; ``word`` stands in the remedy of the first of them.
    ``unknown``: what cannot be told any more because of it."""

    name: str
    plant: Callable[[Ward], None]
    red: tuple[str, ...]
    word: str
    blocks: bool = True
    unknown: tuple[str, ...] = ()


LRT = ("lrt_pool", "lrt_paused", "lrt_rate")
FAULTS = (
    Fault("wrong genesis hash", plants.wrong_genesis, ("genesis",), "cluster.genesis_hash", unknown=("lookup_cover",)),
    Fault("node of another cluster", plants.another_cluster, ("genesis",), "mainnet-beta", unknown=("lookup_cover",)),
    Fault("unhealthy node", plants.unhealthy, ("node",), "caught up"),
    Fault("frozen node", plants.frozen, ("node",), "frozen"),
    Fault("poor wallet", plants.poor, ("funds",), "send SOL", blocks=False),
    Fault("wallet of a program", plants.owned_wallet, ("funds",), "system program", blocks=False),
    Fault("token account of another", plants.frozen_tokens, ("token_accounts:sSOL",), "fresh wallet"),
    Fault("sSOL minted by somebody", plants.foreign_minter, ("mint:sSOL",), "not Solayer"),
    Fault("sSOL not backed", plants.unbacked, ("restaking_pool",), "stop buying"),
    Fault("outdated stake pool", plants.outdated, ("stake_pool_epoch",), "wait", blocks=False),
    Fault("dear stake pool", plants.dear, ("stake_pool_fees",), "manager", blocks=False),
    Fault("paused restaking", plants.paused, ("lrt_paused",), "resumes"),
    Fault(
        "wrong glowSOL mint",
        plants.wrong_glowsol,
        ("lrt_pool", "mint_glowsol"),
        "market.lrt.glowsol",
        unknown=("lrt_rate", "collateral:glowSOL", "lookup_cover"),
    ),
    Fault(
        "IDL that does not fit", plants.unfit_idl, ("lrt_idl",), "market.lrt.mapping", unknown=(*LRT, "lookup_cover")
    ),
    Fault("mad redemption rate", plants.insane_rate, ("lrt_rate",), "stop buying"),
    Fault("restricted airspace, no permit", plants.restricted, ("airspace_permit",), "authority"),
    Fault("no adapter config", plants.no_adapter, ("adapter_configs",), "pool_program", unknown=("lookup_cover",)),
    Fault(
        "adapter config of another",
        plants.foreign_adapter,
        ("adapter_configs",),
        "pool_program",
        unknown=("lookup_cover",),
    ),
    Fault(
        "pool names a strange vault",
        plants.strange_pool,
        ("lending_pool:SOL",),
        "do not trade",
        unknown=("lookup_cover",),
    ),
    Fault("disabled pool", plants.disabled, ("lending_open:SOL",), "enables"),
    Fault("pool that does not lend", plants.closed, ("lending_open:SOL",), "repaid"),
    Fault("interest behind", plants.behind, ("interest:SOL",), "collect", blocks=False),
    Fault(
        "no loan config",
        plants.no_loan_config,
        ("token_config:SOL loan",),
        "market.lending.pools",
        unknown=("lookup_cover",),
    ),
    Fault(
        "loan of another", plants.foreign_loan_config, ("token_config:SOL loan",), "pools", unknown=("lookup_cover",)
    ),
    Fault("no collateral", plants.no_collateral, ("collateral:glowSOL", "collateral:sSOL"), "governance"),
    Fault("stale oracle", plants.stale, ("oracle:SOL",), "push"),
    Fault("wide confidence", plants.wide, ("oracle:glowSOL",), "publishers"),
    Fault("negative price", plants.negative, ("oracle:sSOL",), "do not touch"),
    Fault("partially verified price", plants.partial, ("oracle:SOL",), "fully verified"),
    Fault("oracle of a foreign program", plants.foreign_oracle, ("oracle:SOL",), "oracle_receivers"),
    Fault("no price account", plants.silent_oracle, ("oracle:glowSOL",), "nobody pushes"),
    Fault("liquidation", plants.liquidated, ("liquidation",), "liquidator"),
    Fault("constrained account", plants.constrained, ("margin_account",), "adapter"),
    Fault("drifted weight", plants.drifted, ("config_drift",), "leverage", blocks=False),
    Fault(
        "deactivated table",
        plants.dead_table,
        ("lookup_table:",),
        "market.lookup_tables",
        blocks=False,
        unknown=("lookup_cover",),
    ),
    Fault(
        "missing table", plants.no_table, (f"lookup_table:{str(plants.SOMEBODY)[:8]}",), "keeper setup", blocks=False
    ),
    Fault("journal of another program", plants.foreign_journal, ("journal",), "journal.url"),
    Fault("no folder for the journal", plants.no_journal_folder, ("journal",), "journal.url"),
    Fault("venue down", plants.venue_down, ("venue:jupiter",), "venues.jupiter", blocks=False),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_planted_fault_is_red_at_its_check_and_nowhere_else(ward: Ward, fault: Fault) -> None:
    fault.plant(ward)
    examination = await ward.examined()
    expected = {
        check if not check.endswith(":") else f"{check}{str(ward.market.lookup_table)[:8]}" for check in fault.red
    }
    assert red(examination) == expected, "\n".join(examination.lines())
    assert doubtful(examination) == set(fault.unknown)
    first = next(one for one in examination.failed)
    assert fault.word in first.remedy
    assert {one.blocks for one in examination.failed} == {fault.blocks}
    assert not examination.ok
