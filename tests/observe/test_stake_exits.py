"""Stake accounts that cool down, as tickets in the same queue as glowSOL's requests; and the epoch's clock."""

from __future__ import annotations

import struct

import pytest
from solders.account import Account
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account as ChainAccount
from keeper.chain.accounts import AccountSnapshot
from keeper.observe import exits
from keeper.plan import TicketId
from keeper.protocols.addresses import STAKE, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.stake import PLACES, place_address
from keeper.protocols.sysvars import EPOCH_SCHEDULE_SYSVAR, SYSVAR_OWNER, Clock
from keeper.units import SSOL, Epoch, Lamports, Rate, Slot, TokenAmount, UnixTime
from keeper.view import Ticket, View
from tests.observe.conftest import Eye

RENT, STAKED = 2_282_880, 4_000_000_000


def staked(owner: Pubkey, ends: int, *, started: int = 1, lockup: int = 0) -> Account:
    """A delegated stake account (facts, protocol.md 6.1)."""
    head = struct.pack("<IQ", 2, RENT) + bytes(owner) * 2 + struct.pack("<qQ", lockup, 0) + bytes(32)
    tail = bytes(32) + struct.pack("<QQQdQ", STAKED, started, ends, 0.25, 0)
    return Account(STAKED + RENT, (head + tail).ljust(200, b"\0"), STAKE)


async def view_with(eye: Eye, *accounts: Account) -> View:
    for place, account in enumerate(accounts):
        eye.net.bank.set_account(place_address(eye.owner, place), account)
    return await eye.observer().view(())


def stake_tickets(view: View) -> list[Ticket]:
    return [ticket for ticket in view.queue if ticket.id.way == "stake"]


async def test_stake_that_cools_down_is_a_ticket_that_ripens_with_the_epoch(eye: Eye) -> None:
    epoch = eye.net.bank.clock.epoch
    view = await view_with(eye, staked(eye.owner, epoch), staked(eye.owner, epoch - 1))
    cooling, cold = stake_tickets(view)
    assert (cooling.id, cold.id) == (
        TicketId(0, UnixTime(epoch), "stake"),
        TicketId(1, UnixTime(epoch - 1), "stake"),
    )
    assert cooling.assets == cold.assets == Lamports(STAKED + RENT)
    assert (cooling.ready, cold.ready) == (False, True)
    assert (cooling.ripe_at, cold.ripe_at) == (view.epoch_ends_at, view.block_time)
    assert not cooling.ripe(view.epoch_ends_at)
    assert cold.ripe(view.block_time)
    pool = view.pool(SSOL)
    assert pool is not None
    assert cooling.shares == pool.rate.tokens(Lamports(STAKED), SSOL)
    assert pool.stake_places_free == PLACES - 2
    assert len(view.queue) == 2 + len([ticket for ticket in view.queue if ticket.id.way == "glowsol"]) > 2


@pytest.mark.parametrize("kind", ["foreign", "delegated", "empty", "gift", "other program"])
async def test_what_is_no_request_of_ours_is_no_ticket(eye: Eye, kind: str) -> None:
    epoch, stranger = eye.net.bank.clock.epoch, Pubkey.from_bytes(bytes([9] * 32))
    account = {
        "foreign": staked(stranger, epoch),
        "delegated": staked(eye.owner, 2**64 - 1),
        "empty": Account(RENT, bytes(200), STAKE),
        "gift": Account(5, b"", SYSTEM),
        "other program": Account(RENT, bytes(8), stranger),
    }[kind]
    view = await view_with(eye, account)
    pool = view.pool(SSOL)
    assert pool is not None
    assert stake_tickets(view) == []
    assert pool.stake_places_free == (PLACES if kind == "gift" else PLACES - 1)


async def test_locked_stake_is_not_ready(eye: Eye) -> None:
    clock = eye.net.bank.clock
    view = await view_with(eye, staked(eye.owner, clock.epoch - 1, lockup=clock.unix_timestamp + 10**6))
    assert [ticket.ready for ticket in stake_tickets(view)] == [False]


async def test_stake_deactivated_in_its_first_epoch_is_ready_at_once(eye: Eye) -> None:
    epoch = eye.net.bank.clock.epoch
    view = await view_with(eye, staked(eye.owner, epoch, started=epoch))
    assert [ticket.ready for ticket in stake_tickets(view)] == [True]


async def test_the_stake_pool_says_what_leaving_by_stake_pays(eye: Eye) -> None:
    pool = (await eye.observer().view(())).pool(SSOL)
    assert pool is not None
    assert pool.stake_rate is not None
    ten = TokenAmount(SSOL, 10 * 10**9)
    after_fee = Rate(pool.rate.numerator * 9_992, pool.rate.denominator * 10_000).lamports(ten)  # 8 bps
    assert after_fee - Lamports(1) <= pool.stake_rate.lamports(ten) <= after_fee
    assert pool.stake_rent == Lamports(eye.net.bank.rent_exempt(200))
    assert pool.stake_places_free == PLACES


async def test_the_epochs_end_is_told_by_the_chains_clock(eye: Eye) -> None:
    view, clock = await eye.observer().view(()), eye.net.bank.clock
    left = clock.slots_per_epoch - clock.slot_index
    passed = clock.unix_timestamp - clock.epoch_start_timestamp
    assert view.epoch_length.value == -(-clock.slots_per_epoch * passed // clock.slot_index)
    assert view.epoch_ends_at.since(view.block_time) == -(-left * passed // clock.slot_index)


@pytest.mark.parametrize("data", [None, b"short", bytes(33)])
def test_a_schedule_that_is_none_is_named(data: bytes | None) -> None:
    account = None if data is None else ChainAccount(Lamports(1), SYSVAR_OWNER, data)
    snapshot = AccountSnapshot(Slot(1), {EPOCH_SCHEDULE_SYSVAR: account}, Slot(1))
    with pytest.raises(LayoutError, match="EpochSchedule sysvar"):
        exits.epoch(snapshot, Clock(Slot(1), UnixTime(0), Epoch(0), UnixTime(1)))
