"""A healthy localnet is all green, and what is not configured or not there yet is unknown with the way to get it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from solders.account import Account

from keeper.config.loading import load_config
from keeper.doctor import Examination, Finding, Status
from keeper.engine.checkup import checkup
from keeper.protocols.addresses import LST_MINT, SYSTEM, WSOL_MINT
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.server import LocalnetConfig
from tests.doctor.ward import Ward, doubtful, red, write
from tests.engine.stage import Stage, quiet_config


async def test_everything_is_green(ward: Ward) -> None:
    examination = await ward.examined()
    assert (red(examination), doubtful(examination)) == (set(), set())
    assert examination.ok
    checks = [finding.check for finding in examination.findings]
    assert len(checks) == len(set(checks)), "no two findings share a name"
    wanted = {
        "node",
        "genesis",
        "clock",
        "keypair",
        "funds",
        "journal",
        "venue:jupiter",
        "lrt_idl",
        "lrt_paused",
        "lrt_rate",
    }
    wanted |= {"mint:sSOL", "mint_glowsol", "stake_pool", "stake_pool_epoch", "stake_pool_fees", "restaking_pool"}
    wanted |= {"airspace", "airspace_permit", "adapter_configs", "lending_pool:SOL", "lending_open:SOL", "interest:SOL"}
    wanted |= {"token_config:SOL loan", "collateral:glowSOL", "oracle:SOL", "oracle:sSOL", "oracle:glowSOL"}
    wanted |= {"margin_account", "liquidation", "positions", "config_drift", "lookup_cover"}
    assert wanted <= set(checks)


async def test_lamports_that_strangers_send_ahead_are_no_faulty_account(ward: Ward) -> None:
    """Everybody can derive the address of an account that is not open yet, and send it a few lamports."""
    bank = ward.stage.net.bank
    for mint in (LST_MINT, WSOL_MINT):
        account = associated_token_address(ward.stage.wallet.pubkey(), mint)
        if bank.get_account(account) is None:
            bank.set_account(account, Account(890_880, b"", SYSTEM))
    assert red(await ward.examined()) == set()


async def test_before_setup_the_margin_account_is_unknown_and_setup_is_the_remedy(tmp_path: Path) -> None:
    stage = await Stage.build(tmp_path, config=LocalnetConfig(bank=BankConfig(), clock="virtual"))
    await write(stage)
    examination = await checkup(load_config(stage.place.config), stage.edges)
    assert red(examination) == set()
    assert doubtful(examination) == {"airspace_permit", "margin_account", "liquidation", "positions", "config_drift"}
    for check in doubtful(examination):
        assert "keeper setup" in examination.finding(check).remedy


async def test_without_lending_and_restaking_the_doctor_names_candidates_for_glowsol(tmp_path: Path) -> None:
    stage = await Stage.build(tmp_path, config=LocalnetConfig(bank=BankConfig(), clock="virtual"))
    await write(stage, without=("market.lrt", "market.lending"))
    examination = await checkup(load_config(stage.place.config), stage.edges)
    assert (red(examination), doubtful(examination)) == (set(), {"lrt", "lending"})
    market = stage.net.market
    assert market is not None
    finding = examination.finding("lrt")
    assert str(market.glowsol_mint) in finding.found
    assert str(market.lrt_pool) in finding.found
    assert str(market.ssol_mint) not in finding.found
    assert "market.lrt.glowsol" in finding.remedy


async def test_a_private_cluster_may_keep_its_own_time(tmp_path: Path) -> None:
    stage = await Stage.build(tmp_path, config=quiet_config())
    await write(stage)
    stage.net.bank.advance_slot(1_000)
    examination = await checkup(load_config(stage.place.config), stage.edges)
    assert red(examination) == set()
    assert "clock" in doubtful(examination)


async def test_the_table_and_the_json_say_the_same(ward: Ward) -> None:
    ward.edit('idl = "chain"', 'idl = "nowhere.json"')
    examination = await ward.examined()
    text = "\n".join(examination.lines())
    body = json.loads(examination.as_json())
    assert body["ok"] is False
    assert [one["check"] for one in body["findings"]] == [one.check for one in examination.findings]
    for one in examination.findings:
        assert f"{one.status.value:<8} {one.check}" in text
    assert "nowhere.json" in text.replace("\n", " ")
    assert text.splitlines()[-1].startswith(
        f"{len([o for o in examination.findings if o.status is Status.PASS])} passed, 1 failed"
    )


def test_a_failure_without_a_remedy_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="without a remedy"):
        Finding("x", Status.FAIL, "bad")
    assert not Examination((Finding("x", Status.FAIL, "bad", "mend it"),)).ok
    assert Examination((Finding("x", Status.UNKNOWN, "?", "ask"),)).ok
