"""What is missing, garbled or worse: one finding says so, and the others keep their verdict."""

from __future__ import annotations

from typing import Any

import pytest

from keeper.doctor import Examination, staking
from keeper.sim.localnet.programs.glow_margin_config import (
    NoOracle,
    TokenConfig,
)
from tests.doctor import plants
from tests.doctor.ward import Ward, doubtful, red

LRT = ("lrt_pool", "lrt_paused", "lrt_rate")


async def test_accounts_that_are_missing_or_garbled_leave_the_others_their_verdict(ward: Ward) -> None:
    for plant, check, gone in (
        (plants.no_idl, "lrt_idl", set(LRT)),
        (plants.garbled_account, "margin_account", {"liquidation", "positions", "config_drift"}),
        (plants.foreign_pool, "stake_pool", set[str]()),
    ):
        plant(ward)
        examination = await ward.examined()
        assert examination.finding(check).failed
        assert gone <= doubtful(examination)
        assert not examination.finding("genesis").failed
        assert not examination.finding("airspace").failed


async def test_an_airspace_that_does_not_exist_is_named(ward: Ward) -> None:
    plants.no_airspace(ward)
    examination = await ward.examined()
    assert "market.lending.airspace" in examination.finding("airspace").remedy
    assert not examination.finding("lrt_pool").failed


async def test_a_pool_that_does_not_exist_is_named(ward: Ward) -> None:
    plants.no_pool(ward)
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
    state.positions[0].token = plants.SOMEBODY
    state.positions[0].balance = 5
    ward.put(ward.borrower.account, state.encode())
    examination = await ward.examined()
    assert red(examination) == {"positions"}
    assert "market.lending.pools" in examination.finding("positions").remedy


async def test_a_key_that_others_can_read_leaves_the_chain_examined(ward: Ward) -> None:
    plants.open_key(ward)
    examination = await ward.examined()
    assert red(examination) == {"keypair"}
    assert "chmod 600" in examination.finding("keypair").found
    assert {"funds", "margin_account", "venue"} <= doubtful(examination)
    assert not examination.finding("lrt_pool").failed


async def test_a_mapping_that_cannot_be_read_is_named(ward: Ward) -> None:
    plants.broken_mapping(ward)
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

    plants.tampered(ward, "getGenesisHash", lambda answer: second(answer) if len(asked) < 3 else answer)
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
