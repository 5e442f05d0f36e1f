"""The wallet's stake accounts on their way out of the stake pool, as tickets beside the redemption queue's. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.observe.parts import Keys
from keeper.plan import TicketId
from keeper.protocols.addresses import STAKE, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.stake import StakeAccount, decode_stake_account
from keeper.protocols.stake_pool import StakePool
from keeper.protocols.sysvars import EPOCH_SCHEDULE_SYSVAR, Clock, decode_epoch_schedule, epoch_times
from keeper.units import SSOL, Duration, Epoch, Lamports, UnixTime
from keeper.view import Ticket


@dataclass(frozen=True, slots=True)
class EpochTimes:
    """How long the epoch lasts and when it ends, by the chain's own clock so far."""

    length: Duration
    ends_at: UnixTime


@dataclass(frozen=True, slots=True)
class StakeExits:
    """Requests that wait in stake accounts, and how many more may."""

    tickets: tuple[Ticket, ...]
    places_free: int


def epoch(snapshot: AccountSnapshot, now: Clock) -> EpochTimes:
    """Raises ``LayoutError``."""
    account = snapshot[EPOCH_SCHEDULE_SYSVAR]
    if account is None:
        raise LayoutError("EpochSchedule sysvar", "account", f"an account at {EPOCH_SCHEDULE_SYSVAR}", "none")
    return EpochTimes(*epoch_times(now, decode_epoch_schedule(account.data, owner=account.owner)))


def stake_exits(snapshot: AccountSnapshot, keys: Keys, pool: StakePool, now: Clock, times: EpochTimes) -> StakeExits:
    """Tickets by their places. A place that holds anything but deactivated stake of ours is taken, and shown by nothing.

    What such an account pays is all that lies in it. It does not remember what was given up for it: ``shares`` is what that stake
    is worth in sSOL by the pool's rate now.
    """
    tickets: list[Ticket] = []
    free = 0
    for number, key in enumerate(keys.stake_places):
        account = snapshot[key]
        if account is None or (account.owner == SYSTEM and not account.data):
            free += 1
            continue
        held = _held(account)
        if held is not None and held.belongs_to(keys.owner):
            ticket = _ticket(number, account, held, pool=pool, now=now, times=times)
            tickets += [] if ticket is None else [ticket]
    return StakeExits(tuple(tickets), free)


def _held(account: Account) -> StakeAccount | None:
    if account.owner != STAKE:
        return None
    try:
        return decode_stake_account(account.data)
    except LayoutError:
        return None  # not initialised: nobody's stake yet


def _ticket(
    number: int, account: Account, held: StakeAccount, *, pool: StakePool, now: Clock, times: EpochTimes
) -> Ticket | None:
    """None for stake that nobody deactivated: it would wait for ever."""
    ends = held.delegation.deactivation_epoch if held.delegation is not None else Epoch(0)
    if ends is None:
        return None
    ready = held.payable(now.unix_timestamp, now.epoch)
    ripe_at = now.unix_timestamp if ready else times.ends_at
    stake = max(account.lamports - held.rent_exempt_reserve, Lamports(0))
    identity = TicketId(number, UnixTime(ends.value), "stake")
    return Ticket(identity, pool.rate.tokens(stake, SSOL), account.lamports, ripe_at, ready)
