"""The second wall around stake accounts, on effects that no honest program has."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.outcome import Refusal
from keeper.execution.stakes import check_stakes
from keeper.plan import Atomic, ClaimUnstake, Intent, RequestUnstake, TicketId, Wrap
from keeper.protocols.addresses import STAKE, SYSTEM
from keeper.protocols.stake import place_address
from keeper.units import SSOL, Lamports, TokenAmount, UnixTime

WALLET, STRANGER, ELSEWHERE = (Pubkey.from_bytes(bytes([tag] * 32)) for tag in (1, 2, 3))
RENT, WORTH = 2_282_880, 4_000_000_000
FIRST, SECOND = place_address(WALLET, 0), place_address(WALLET, 1)
ASK = RequestUnstake(TokenAmount(SSOL, 3_500_000_000), Lamports(WORTH))
CLAIM = ClaimUnstake(TicketId(0, UnixTime(900), "stake"), Lamports(WORTH))

Accounts = dict[Pubkey, Account | None]


def staked(
    stake: int = WORTH, staker: Pubkey = WALLET, withdrawer: Pubkey = WALLET, ends: int = 900, extra: int = 0
) -> Account:
    """A delegated stake account (facts, protocol.md 6.1)."""
    head = struct.pack("<IQ", 2, RENT) + bytes(staker) + bytes(withdrawer) + bytes(48)
    tail = bytes(32) + struct.pack("<QQQdQ", stake, 7, ends, 0.25, 0)
    return Account(Lamports(stake + RENT + extra), STAKE, (head + tail).ljust(200, b"\0"))


def rule(before: Mapping[Pubkey, Account | None], after: Accounts, *intents: Intent) -> str:
    try:
        check_stakes({key: before.get(key) for key in after}, after, WALLET, Atomic(intents))
    except Refusal as refusal:
        return refusal.refused.reason
    return ""


def test_new_stake_that_meets_the_plan_passes_and_its_rent_is_counted() -> None:
    assert check_stakes({FIRST: None}, {FIRST: staked()}, WALLET, Atomic((ASK,))) == Lamports(RENT)
    ahead = Account(Lamports(RENT + 9), SYSTEM, b"")
    assert check_stakes({FIRST: ahead}, {FIRST: staked(extra=9)}, WALLET, Atomic((ASK,))) == Lamports(0)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({FIRST: staked(WORTH - 1)}, "queued_below_bound"),
        ({FIRST: None}, "queued_below_bound"),
        ({FIRST: staked(staker=STRANGER)}, "stake_given_away"),
        ({FIRST: staked(withdrawer=STRANGER)}, "stake_given_away"),
        ({FIRST: staked(ends=2**64 - 1)}, "stake_not_cooling"),
        ({ELSEWHERE: staked()}, "stake_out_of_place"),
        ({FIRST: Account(Lamports(RENT), STAKE, bytes(200))}, "stake_given_away"),
    ],
)
def test_new_stake_outside_the_plan_is_named(made: Accounts, expected: str) -> None:
    assert rule({}, made, ASK) == expected


def test_what_a_stranger_sent_ahead_does_not_hide_that_the_pool_paid_less() -> None:
    ahead = Account(Lamports(RENT + 50), SYSTEM, b"")
    assert rule({FIRST: ahead}, {FIRST: staked(WORTH - 50, extra=50)}, ASK) == "queued_below_bound"


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (None, "stake_changed"),
        (staked(WORTH - 1), "stake_changed"),
        (staked(staker=STRANGER), "stake_changed"),
        (staked(), ""),
        (staked(extra=1), ""),
    ],
)
def test_stake_that_the_step_does_not_claim_stays(after: Account | None, expected: str) -> None:
    assert rule({FIRST: staked()}, {FIRST: after}, Wrap(Lamports(1))) == expected
    assert rule({SECOND: staked()}, {SECOND: after}, CLAIM) == expected


def test_claimed_stake_may_leave_its_place_but_not_change_hands() -> None:
    assert rule({FIRST: staked()}, {FIRST: None}, CLAIM) == ""
    assert rule({FIRST: staked()}, {FIRST: staked(withdrawer=STRANGER)}, CLAIM) == "stake_given_away"


def test_stake_of_others_is_none_of_our_business() -> None:
    theirs = staked(staker=STRANGER, withdrawer=STRANGER)
    assert rule({ELSEWHERE: theirs}, {ELSEWHERE: None}, Wrap(Lamports(1))) == ""
