"""Methods no real node has, under the prefix ``localnet_``: what tests and scenarios do to the world."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from solders.account import Account

from keeper.sim.localnet.rpc.errors import invalid_params
from keeper.sim.localnet.rpc.node import Method, Node
from keeper.sim.localnet.rpc.params import (
    Config,
    Params,
    as_boolean,
    as_integer,
    as_list,
    as_pubkey,
    as_text,
    decode_base64,
)

MAX_ADVANCE = 10_000_000
_AT_ONCE = 64


async def _advance_to(node: Node, slot: int) -> None:
    """Advance block by block, letting other tasks (subscribers above all) run now and then."""
    while node.bank.clock.slot < slot:
        for _ in range(_AT_ONCE):
            if node.bank.clock.slot >= slot:
                break
            node.bank.advance_slot()
        await asyncio.sleep(0)


def _clock_json(node: Node) -> dict[str, int]:
    clock = node.bank.clock
    return {
        "slot": clock.slot,
        "blockHeight": clock.block_height,
        "epoch": clock.epoch,
        "slotIndex": clock.slot_index,
        "unixTimestamp": clock.unix_timestamp,
    }


def _bounded(node: Node, slot: int) -> int:
    ahead = slot - node.bank.clock.slot
    if ahead < 0:
        raise invalid_params(f"slot {slot} is {-ahead} slots in the past; time runs forwards")
    if ahead > MAX_ADVANCE:
        raise invalid_params(f"slot {slot} is {ahead} slots away; at most {MAX_ADVANCE} in one call")
    return slot


async def advance_slots(node: Node, params: Params) -> dict[str, int]:
    """``[slots = 1]``: at least so many slots pass (more where a slot is skipped). Returns the clock."""
    slots = 1 if params.optional(0) is None else params.integer(0)
    await _advance_to(node, _bounded(node, node.bank.clock.slot + slots))
    return _clock_json(node)


async def warp(node: Node, params: Params) -> dict[str, int]:
    """``[{"slot"|"epoch"|"unixTimestamp": n}]``: slots pass until the clock is there. Returns the clock."""
    config = params.config(0)
    if len(config.values) != 1:
        raise invalid_params('localnet_warp needs exactly one of {"slot": n}, {"epoch": n}, {"unixTimestamp": n}')
    clock, bank = node.bank.clock, node.bank.config
    slot, epoch, time = config.integer("slot"), config.integer("epoch"), config.integer("unixTimestamp")
    if slot is None and epoch is not None:
        slot = (
            clock.slot if epoch == clock.epoch else bank.start_slot + (epoch - bank.start_epoch) * bank.slots_per_epoch
        )
    if slot is None and time is not None:
        # Inverse of start_unix + slots * slot_ms * warp / 1000, rounded up to the first slot that is there.
        slot = bank.start_slot + -(-(time - bank.start_unix) * 1_000 // (bank.slot_ms * bank.warp))
    if slot is None:
        raise invalid_params(
            f"localnet_warp does not know {next(iter(config.values))!r}; use slot, epoch or unixTimestamp"
        )
    await _advance_to(node, _bounded(node, slot))
    return _clock_json(node)


def account_from_json(values: dict[str, Any]) -> Account:
    """An account from the object that getAccountInfo and ``solana account --output json`` write. Data must be base64."""
    config = Config(values)
    lamports, owner, data = config.integer("lamports"), config.get("owner"), config.get("data")
    if lamports is None or owner is None or data is None:
        raise invalid_params('an account needs lamports, owner and data: [text, "base64"]')
    parts = as_list(data)
    if len(parts) != 2 or parts[1] != "base64":
        raise invalid_params('account data must be [text, "base64"]')
    executable = config.get("executable")
    rent_epoch = config.get("rentEpoch")
    return Account(
        lamports=lamports,
        data=decode_base64(as_text(parts[0])),
        owner=as_pubkey(owner),
        executable=False if executable is None else as_boolean(executable),
        # The CLI writes u64::MAX, which passes through JavaScript as a slightly larger float.
        rent_epoch=0 if not isinstance(rent_epoch, int) else min(as_integer(rent_epoch, maximum=2**65), 2**64 - 1),
    )


def set_account(node: Node, params: Params) -> None:
    """``[address, account]``: write an account past all rules; zero lamports remove it."""
    key, values = params.pubkey(0), params.config(1).values
    account = account_from_json(values)
    try:
        node.bank.set_account(key, account)
    except ValueError as error:
        raise invalid_params(f"account {key} was refused: {error}") from error


def market(node: Node, params: Params) -> dict[str, Any]:  # noqa: ARG001 - takes none
    """Addresses of the market in the box."""
    if node.market is None:
        raise invalid_params("this localnet runs without a market")
    return node.market()


def set_faults(node: Node, params: Params) -> dict[str, int]:
    """``[{fault: value}]``: change some of the fault rates. Returns all of them."""
    return asdict(node.faults.change(params.config(0).values))


EXTENSION_METHODS: dict[str, Method] = {
    "localnet_advanceSlots": advance_slots,
    "localnet_warp": warp,
    "localnet_setAccount": set_account,
    "localnet_market": market,
    "localnet_setFaults": set_faults,
}
