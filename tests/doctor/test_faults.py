"""One thing is broken, and exactly that check is red, with a remedy that speaks of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from solders.pubkey import Pubkey

from keeper.doctor import Examination, staking
from keeper.protocols.addresses import GLOW_MARGIN_POOL, SPL_TOKEN, SYSTEM
from keeper.protocols.glow_lrt import decode_idl_account
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.programs.glow_lrt_state import LrtPool
from keeper.sim.localnet.programs.glow_margin_config import (
    AdapterConfig,
    Airspace,
    NoOracle,
    TokenConfig,
    airspace_permit_address,
)
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from keeper.sim.localnet.programs.glow_margin_state import MarginAccount
from keeper.sim.localnet.programs.native_state import encode_mint, encode_token_account
from keeper.sim.localnet.programs.stake_pool_state import Fee, StakePoolState
from tests.doctor.ward import Ward, doubtful, red

SOMEBODY = Pubkey.from_bytes(b"\x07" * 32)
WEEK = 604_800


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


def tampered(ward: Ward, method: str, change: Callable[[Any], Any]) -> None:
    ward.stage.rpc.tamper = lambda called, answer: change(answer) if called == method else answer


def wrong_genesis(ward: Ward) -> None:
    ward.edit('genesis_hash = "', 'genesis_hash = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d" # "')


def another_cluster(ward: Ward) -> None:
    tampered(ward, "getGenesisHash", lambda answer: answer | {"result": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"})


def unhealthy(ward: Ward) -> None:
    error = {"code": -32005, "message": "Node is behind by 42 slots", "data": {"numSlotsBehind": 42}}
    tampered(ward, "getHealth", lambda _: {"jsonrpc": "2.0", "id": 1, "error": error})


def frozen(ward: Ward) -> None:
    tampered(ward, "getSlot", lambda answer: answer | {"result": 1_002})


def poor(ward: Ward) -> None:
    ward.put(ward.stage.wallet.pubkey(), b"", lamports=1_000_000)


def owned_wallet(ward: Ward) -> None:
    ward.put(ward.stage.wallet.pubkey(), b"", owner=SPL_TOKEN)


def open_key(ward: Ward) -> None:
    ward.stage.place.wallet.chmod(0o644)


def frozen_tokens(ward: Ward) -> None:
    market, owner = ward.market, ward.stage.wallet.pubkey()
    ward.give(associated_token_address(owner, market.ssol_mint), encode_token_account(market.ssol_mint, SOMEBODY, 5))


def foreign_minter(ward: Ward) -> None:
    ward.put(ward.market.ssol_mint, encode_mint(10**9, 9, SOMEBODY))


def unbacked(ward: Ward) -> None:
    data = bytearray(ward.account(ward.market.lst_vault).data)
    data[64:72] = (1).to_bytes(8, "little")
    ward.put(ward.market.lst_vault, bytes(data))


def outdated(ward: Ward) -> None:
    ward.change(ward.market.stake_pool, StakePoolState.decode, last_update_epoch=ward.stage.net.bank.clock.epoch - 1)


def dear(ward: Ward) -> None:
    ward.change(ward.market.stake_pool, StakePoolState.decode, sol_withdrawal_fee=Fee(100, 5))


def foreign_pool(ward: Ward) -> None:
    ward.put(ward.market.stake_pool, bytes(ward.account(ward.market.stake_pool).data), owner=SYSTEM)


def paused(ward: Ward) -> None:
    ward.change(ward.market.lrt_pool, LrtPool.decode, paused=True)


def wrong_glowsol(ward: Ward) -> None:
    ward.edit(f'glowsol = "{ward.market.glowsol_mint}"', f'glowsol = "{ward.market.lst_mint}"')


def unfit_idl(ward: Ward) -> None:
    path = ward.stage.place.path / "idl.json"
    idl = json.loads(_idl(ward))
    for instruction in idl["instructions"]:
        instruction["name"] = "x_" + instruction["name"]
    path.write_text(json.dumps(idl))
    ward.edit('idl = "chain"', 'idl = "idl.json"')


def no_idl(ward: Ward) -> None:
    ward.remove(ward.market.lrt_idl)


def broken_mapping(ward: Ward) -> None:
    (ward.stage.place.path / "mapping.toml").write_text("[pool]\nnonsense = 1\n")
    ward.edit('mapping = "localnet"', 'mapping = "mapping.toml"')


def insane_rate(ward: Ward) -> None:
    mint = ward.account(ward.market.glowsol_mint)
    supply = int.from_bytes(mint.data[36:44], "little") // 4
    ward.put(ward.market.glowsol_mint, bytes(mint.data[:36]) + supply.to_bytes(8, "little") + bytes(mint.data[44:]))


def _idl(ward: Ward) -> str:
    account = ward.account(ward.market.lrt_idl)
    return decode_idl_account(bytes(account.data), owner=account.owner, program_id=ward.market.lrt_program)


def no_airspace(ward: Ward) -> None:
    ward.edit("[market.lending]", '[market.lending]\nairspace = "nowhere"')


def restricted(ward: Ward) -> None:
    ward.change(ward.market.airspace, Airspace.decode, is_restricted=True)
    ward.remove(airspace_permit_address(ward.market.airspace, ward.stage.wallet.pubkey())[0])


def no_adapter(ward: Ward) -> None:
    ward.remove(ward.market.adapter_configs[GLOW_MARGIN_POOL])


def foreign_adapter(ward: Ward) -> None:
    ward.change(ward.market.adapter_configs[GLOW_MARGIN_POOL], AdapterConfig.decode, adapter_program=SOMEBODY)


def no_pool(ward: Ward) -> None:
    ward.edit(f'"{ward.market.ssol_mint}"]', f'"{ward.market.lst_mint}"]')


def strange_pool(ward: Ward) -> None:
    ward.change(ward.market.lending_pools["SOL"].pool, MarginPool.decode, vault=SOMEBODY)


def disabled(ward: Ward) -> None:
    set_flags(ward, 3)


def closed(ward: Ward) -> None:
    set_flags(ward, 0)


def set_flags(ward: Ward, flags: int) -> None:
    key = ward.market.lending_pools["SOL"].pool
    config = MarginPool.decode(bytes(ward.account(key).data)).config
    ward.change(key, MarginPool.decode, config=replace(config, flags=flags))


def behind(ward: Ward) -> None:
    now = ward.stage.net.bank.clock.unix_timestamp
    ward.change(ward.market.lending_pools["SOL"].pool, MarginPool.decode, accrued_until=now - WEEK - 60)


def no_loan_config(ward: Ward) -> None:
    ward.remove(ward.market.lending_pools["SOL"].loan_config)


def foreign_loan_config(ward: Ward) -> None:
    ward.change(ward.market.lending_pools["SOL"].loan_config, TokenConfig.decode, admin=SOMEBODY)


def no_collateral(ward: Ward) -> None:
    for symbol in ("glowSOL", "sSOL"):
        ward.remove(ward.market.raw_tokens[symbol].config)


def stale(ward: Ward) -> None:
    ward.oracles.stop("SOL/USD")
    ward.clock.advance(64)


def wide(ward: Ward) -> None:
    ward.oracles.widen("glowSOL/SOL", 600)
    ward.stage.net.bank.advance_slot(2)


def negative(ward: Ward) -> None:
    ward.oracles.override("sSOL/SOL", -1)
    ward.stage.net.bank.advance_slot(2)


def partial(ward: Ward) -> None:
    ward.oracles.weaken("SOL/USD", 5)
    ward.stage.net.bank.advance_slot(2)


def foreign_oracle(ward: Ward) -> None:
    ward.oracles.stop("SOL/USD")
    key = ward.market.feeds["SOL/USD"]
    ward.put(key, bytes(ward.account(key).data), owner=SOMEBODY)


def silent_oracle(ward: Ward) -> None:
    ward.oracles.stop("glowSOL/SOL")
    ward.remove(ward.market.feeds["glowSOL/SOL"])


def liquidated(ward: Ward) -> None:
    ward.change(ward.borrower.account, MarginAccount.decode, liquidator=ward.market.liquidator.pubkey())


def constrained(ward: Ward) -> None:
    ward.change(ward.borrower.account, MarginAccount.decode, constraints=1)


def garbled_account(ward: Ward) -> None:
    ward.put(ward.borrower.account, b"\xff" * 7_544)


def drifted(ward: Ward) -> None:
    ward.change(ward.market.raw_tokens["glowSOL"].config, TokenConfig.decode, value_modifier=80)


def dead_table(ward: Ward) -> None:
    data = bytes(ward.account(ward.market.lookup_table).data)
    ward.put(ward.market.lookup_table, data[:4] + (900).to_bytes(8, "little") + data[12:])


def no_table(ward: Ward) -> None:
    ward.edit(f'["{ward.market.lookup_table}"]', f'["{ward.market.lookup_table}", "{SOMEBODY}"]')


def foreign_journal(ward: Ward) -> None:
    with sqlite3.connect(ward.stage.place.journal) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()


def no_journal_folder(ward: Ward) -> None:
    ward.edit("sqlite:///journal.db", "sqlite:///nowhere/journal.db")


def venue_down(ward: Ward) -> None:
    ward.stage.jupiter.down = True


LRT = ("lrt_pool", "lrt_paused", "lrt_rate")
FAULTS = (
    Fault("wrong genesis hash", wrong_genesis, ("genesis",), "cluster.genesis_hash", unknown=("lookup_cover",)),
    Fault("node of another cluster", another_cluster, ("genesis",), "mainnet-beta", unknown=("lookup_cover",)),
    Fault("unhealthy node", unhealthy, ("node",), "caught up"),
    Fault("frozen node", frozen, ("node",), "frozen"),
    Fault("poor wallet", poor, ("funds",), "send SOL", blocks=False),
    Fault("wallet of a program", owned_wallet, ("funds",), "system program", blocks=False),
    Fault("token account of another", frozen_tokens, ("token_accounts:sSOL",), "fresh wallet"),
    Fault("sSOL minted by somebody", foreign_minter, ("mint:sSOL",), "not Solayer"),
    Fault("sSOL not backed", unbacked, ("restaking_pool",), "stop buying"),
    Fault("outdated stake pool", outdated, ("stake_pool_epoch",), "wait", blocks=False),
    Fault("dear stake pool", dear, ("stake_pool_fees",), "manager", blocks=False),
    Fault("paused restaking", paused, ("lrt_paused",), "resumes"),
    Fault(
        "wrong glowSOL mint",
        wrong_glowsol,
        ("lrt_pool", "mint_glowsol"),
        "market.lrt.glowsol",
        unknown=("lrt_rate", "collateral:glowSOL", "lookup_cover"),
    ),
    Fault("IDL that does not fit", unfit_idl, ("lrt_idl",), "market.lrt.mapping", unknown=(*LRT, "lookup_cover")),
    Fault("mad redemption rate", insane_rate, ("lrt_rate",), "stop buying"),
    Fault("restricted airspace, no permit", restricted, ("airspace_permit",), "authority"),
    Fault("no adapter config", no_adapter, ("adapter_configs",), "pool_program", unknown=("lookup_cover",)),
    Fault(
        "adapter config of another", foreign_adapter, ("adapter_configs",), "pool_program", unknown=("lookup_cover",)
    ),
    Fault("pool names a strange vault", strange_pool, ("lending_pool:SOL",), "do not trade", unknown=("lookup_cover",)),
    Fault("disabled pool", disabled, ("lending_open:SOL",), "enables"),
    Fault("pool that does not lend", closed, ("lending_open:SOL",), "repaid"),
    Fault("interest behind", behind, ("interest:SOL",), "collect", blocks=False),
    Fault(
        "no loan config", no_loan_config, ("token_config:SOL loan",), "market.lending.pools", unknown=("lookup_cover",)
    ),
    Fault("loan of another", foreign_loan_config, ("token_config:SOL loan",), "pools", unknown=("lookup_cover",)),
    Fault("no collateral", no_collateral, ("collateral:glowSOL", "collateral:sSOL"), "governance"),
    Fault("stale oracle", stale, ("oracle:SOL",), "push"),
    Fault("wide confidence", wide, ("oracle:glowSOL",), "publishers"),
    Fault("negative price", negative, ("oracle:sSOL",), "do not touch"),
    Fault("partially verified price", partial, ("oracle:SOL",), "fully verified"),
    Fault("oracle of a foreign program", foreign_oracle, ("oracle:SOL",), "oracle_receivers"),
    Fault("no price account", silent_oracle, ("oracle:glowSOL",), "nobody pushes"),
    Fault("liquidation", liquidated, ("liquidation",), "liquidator"),
    Fault("constrained account", constrained, ("margin_account",), "adapter"),
    Fault("drifted weight", drifted, ("config_drift",), "leverage", blocks=False),
    Fault(
        "deactivated table",
        dead_table,
        ("lookup_table:",),
        "market.lookup_tables",
        blocks=False,
        unknown=("lookup_cover",),
    ),
    Fault("missing table", no_table, (f"lookup_table:{str(SOMEBODY)[:8]}",), "keeper setup", blocks=False),
    Fault("journal of another program", foreign_journal, ("journal",), "journal.url"),
    Fault("no folder for the journal", no_journal_folder, ("journal",), "journal.url"),
    Fault("venue down", venue_down, ("venue:jupiter",), "venues.jupiter", blocks=False),
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


async def test_accounts_that_are_missing_or_garbled_leave_the_others_their_verdict(ward: Ward) -> None:
    for plant, check, gone in (
        (no_idl, "lrt_idl", set(LRT)),
        (garbled_account, "margin_account", {"liquidation", "positions", "config_drift"}),
        (foreign_pool, "stake_pool", set[str]()),
    ):
        plant(ward)
        examination = await ward.examined()
        assert examination.finding(check).failed
        assert gone <= doubtful(examination)
        assert not examination.finding("genesis").failed
        assert not examination.finding("airspace").failed


async def test_an_airspace_that_does_not_exist_is_named(ward: Ward) -> None:
    no_airspace(ward)
    examination = await ward.examined()
    assert "market.lending.airspace" in examination.finding("airspace").remedy
    assert not examination.finding("lrt_pool").failed


async def test_a_pool_that_does_not_exist_is_named(ward: Ward) -> None:
    no_pool(ward)
    examination = await ward.examined()
    assert "lending_pool:sSOL-raw" in red(examination)
    assert not examination.finding("lending_pool:SOL").failed


async def test_one_collateral_of_two_is_enough(ward: Ward) -> None:
    ward.change(ward.market.raw_tokens["glowSOL"].config, TokenConfig.decode, admin=NoOracle())
    examination = await ward.examined()
    assert red(examination) == set()
    assert doubtful(examination) == {"collateral:glowSOL"}
    assert "another token" in examination.finding("collateral:glowSOL").remedy


async def test_a_position_in_a_token_that_is_not_configured(ward: Ward) -> None:
    state = ward.borrower.state
    state.positions[0].token = SOMEBODY
    state.positions[0].balance = 5
    ward.put(ward.borrower.account, state.encode())
    examination = await ward.examined()
    assert red(examination) == {"positions"}
    assert "market.lending.pools" in examination.finding("positions").remedy


async def test_a_key_that_others_can_read_leaves_the_chain_examined(ward: Ward) -> None:
    open_key(ward)
    examination = await ward.examined()
    assert red(examination) == {"keypair"}
    assert "chmod 600" in examination.finding("keypair").found
    assert {"funds", "margin_account", "venue"} <= doubtful(examination)
    assert not examination.finding("lrt_pool").failed


async def test_a_mapping_that_cannot_be_read_is_named(ward: Ward) -> None:
    broken_mapping(ward)
    examination = await ward.examined()
    assert red(examination) == {"lrt_idl"}
    assert "mapping.toml" in examination.finding("lrt_idl").found


async def test_an_unreachable_node_is_one_failure_and_the_rest_unknown(ward: Ward) -> None:
    ward.stage.rpc.down = True
    examination = await ward.examined()
    assert red(examination) == {"node"}
    assert {"genesis", "lrt_pool", "airspace", "oracle", "positions", "funds"} <= doubtful(examination)
    assert all(one.remedy for one in examination.findings if one.check in doubtful(examination))


async def test_a_check_that_raises_is_a_finding_of_its_own(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(staking, "decode_restaking_pool", broken)
    examination = await ward.examined()
    assert red(examination) == {"restaking_pool"}
    assert "ZeroDivisionError" in examination.finding("restaking_pool").found


async def test_a_second_endpoint_of_another_cluster_is_named(ward: Ward) -> None:
    ward.edit('rpc = ["http://localnet.invalid"]', 'rpc = ["http://localnet.invalid", "http://localnet.invalid:81"]')
    asked: list[str] = []

    def second(answer: Any) -> Any:
        asked.append(answer["result"])
        return answer if len(asked) == 1 else answer | {"result": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"}

    tampered(ward, "getGenesisHash", lambda answer: second(answer) if len(asked) < 3 else answer)
    examination = await ward.examined()
    failing = {check for check in red(examination) if check.startswith(("witness", "genesis"))}
    assert failing, "one of the endpoints answers for another cluster"


async def test_no_secret_reaches_the_findings(ward: Ward) -> None:
    key = ward.stage.place.path / "key"
    key.write_text("super-secret-key")
    ward.edit('base_url = "http://localnet.invalid"', 'base_url = "http://localnet.invalid"\napi_key_file = "key"')
    ward.edit('["http://localnet.invalid"]', '["http://localnet.invalid/?api-key=abcdefghijklmnop"]')
    for down in (False, True):
        ward.stage.rpc.down = ward.stage.jupiter.down = down
        text = (await ward.examined()).as_json()
        assert "super-secret-key" not in text
        assert "abcdefghijklmnop" not in text
        assert ward.stage.place.wallet.read_text()[1:40] not in text


def verdicts(examination: Examination) -> dict[str, str]:
    return {finding.check: finding.status.value for finding in examination.findings}


async def test_two_looks_at_one_chain_say_the_same(ward: Ward) -> None:
    assert verdicts(await ward.examined()) == verdicts(await ward.examined())
