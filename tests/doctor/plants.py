"""What can go wrong with a market, one function each: it breaks that thing on a sound stage."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL, SPL_TOKEN, SYSTEM
from keeper.protocols.glow_lrt import decode_idl_account
from keeper.protocols.token import associated_token_address
from keeper.sim.localnet.programs.glow_lrt_state import LrtPool
from keeper.sim.localnet.programs.glow_margin_config import (
    AdapterConfig,
    Airspace,
    TokenConfig,
    airspace_permit_address,
)
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool
from keeper.sim.localnet.programs.glow_margin_state import MarginAccount
from keeper.sim.localnet.programs.native_state import encode_mint, encode_token_account
from keeper.sim.localnet.programs.stake_pool_state import Fee, StakePoolState
from tests.doctor.ward import Ward

SOMEBODY = Pubkey.from_bytes(b"\x07" * 32)
WEEK = 604_800


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
