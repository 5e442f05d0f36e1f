"""Events of the margin program, and its errors in words."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.pubkey import Pubkey

from keeper.protocols import glow_margin as gm
from keeper.protocols.addresses import GLOW_AIRSPACE, GLOW_MARGIN, GLOW_MARGIN_POOL, LOOKUP_TABLE_REGISTRY
from keeper.protocols.errors import explain
from keeper.protocols.glow_margin.events import EVENT_DISCRIMINATORS
from keeper.protocols.layout import LayoutError
from keeper.units import UnixTime
from tests.protocols.account_bytes import key
from tests.protocols.margin_bytes import liquidation_data_bytes

ONE, TWO, THREE = key(1), key(2), key(3)
SUMMARY_BYTES = b"".join(value.to_bytes(16, "little", signed=True) for value in (-1, 2, 3, 4, -5, -6)) + b"\1"
SUMMARY = gm.ValuationSummary(-1, 2, 3, 4, -5, -6, past_due=True)
DATA = gm.LiquidationData(-1, 2, -3, 4, UnixTime(5), is_collecting_fees=True)
DATA_BYTES = liquidation_data_bytes(collecting=True, fees=[(THREE, 9)])


def keys(*all_of_them: Pubkey) -> bytes:
    return b"".join(map(bytes, all_of_them))


EVENTS: dict[str, tuple[bytes, gm.MarginEvent]] = {
    "AccountCreated": (
        keys(ONE, TWO, THREE) + struct.pack("<HH", 7, 4),
        gm.AccountCreated(ONE, TWO, THREE, 7, 4),
    ),
    "AccountClosed": (keys(ONE), gm.AccountClosed(ONE)),
    "VerifiedHealthy": (keys(ONE), gm.VerifiedHealthy(ONE)),
    "VerifiedUnhealthy": (keys(ONE), gm.VerifiedUnhealthy(ONE)),
    "AdapterInvokeBegin": (keys(ONE), gm.AdapterInvokeBegin(ONE)),
    "AdapterInvokeEnd": (b"", gm.AdapterInvokeEnd()),
    "AccountingInvokeBegin": (keys(ONE), gm.AccountingInvokeBegin(ONE)),
    "AccountingInvokeEnd": (b"", gm.AccountingInvokeEnd()),
    "LiquidationBegun": (
        keys(ONE, TWO, THREE) + DATA_BYTES + SUMMARY_BYTES,
        gm.LiquidationBegun(ONE, TWO, THREE, DATA, SUMMARY),
    ),
    "LiquidatorInvokeBegin": (keys(ONE, TWO), gm.LiquidatorInvokeBegin(ONE, TWO)),
    "LiquidatorInvokeEnd": (
        DATA_BYTES + SUMMARY_BYTES + struct.pack("<Q", 8) + keys(THREE),
        gm.LiquidatorInvokeEnd(DATA, SUMMARY, 8, THREE),
    ),
    "LiquidationEnded": (keys(ONE, TWO) + b"\1", gm.LiquidationEnded(ONE, TWO, timed_out=True)),
    "JupiterSwap": (keys(ONE, TWO), gm.JupiterSwap(ONE, TWO)),
}


@pytest.mark.parametrize("name", EVENT_DISCRIMINATORS)
def test_every_event_is_read_and_its_truncations_refused(name: str) -> None:
    body, event = EVENTS[name]
    data = EVENT_DISCRIMINATORS[name] + body
    assert gm.decode_event(data) == event
    for end in range(8, len(data)):
        with pytest.raises(LayoutError, match=f"event {name}"):
            gm.decode_event(data[:end])


@given(st.binary(max_size=600))
def test_what_is_no_event_of_margin_is_none(data: bytes) -> None:
    assert gm.decode_event(data) is None or data[:8] in EVENT_DISCRIMINATORS.values()


def custom(code: int) -> dict[str, object]:
    return {"InstructionError": [0, {"Custom": code}]}


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        (GLOW_MARGIN, 135_030, "glow-margin: Unhealthy (135030)"),
        (GLOW_MARGIN, 135_016, "glow-margin: CloseRequiredPosition (135016)"),
        (GLOW_MARGIN, 135_087, "glow-margin: TokenFeatureViolation (135087)"),
        (GLOW_MARGIN, 141_030, "glow-margin: Unhealthy (141030)"),
        (GLOW_MARGIN_POOL, 135_109, "glow-margin-pool: ExceedsMaxBorrowUtilRatio (135109)"),
        (GLOW_MARGIN_POOL, 141_109, "glow-margin-pool: ExceedsMaxBorrowUtilRatio (141109)"),
        (GLOW_MARGIN, 10_000, "glow-margin: PriceTooOld (10000)"),
        (GLOW_MARGIN, 16_000, "glow-margin: PriceTooOld (16000)"),
        (GLOW_MARGIN, 3012, "glow-margin: Anchor AccountNotInitialized (3012)"),
        (GLOW_MARGIN, 135_025, "glow-margin: custom error 135025 (0x20f71)"),
        (GLOW_AIRSPACE, 701_000, "glow-airspace: PermissionDenied (701000)"),
        (GLOW_AIRSPACE, 707_000, "glow-airspace: PermissionDenied (707000)"),
        (LOOKUP_TABLE_REGISTRY, 10_003, "lookup-registry: TooManyEntries (10003)"),
    ],
)
def test_errors_are_named(program: Pubkey, code: int, words: str) -> None:
    assert explain(custom(code), (program,)) == words


def test_the_list_between_the_published_codes_is_complete() -> None:
    """Names were counted from one published code to the next; each published one falls in its place (test_golden_margin)."""
    codes = sorted(code for code in gm.MARGIN_ERRORS if 100_000 < code < 141_000)
    runs = ((0, 4), (10, 25), (30, 35), (40, 43), (50, 56), (60, 91))
    assert codes == [135_000 + step for first, end in runs for step in range(first, end)]
    assert len({gm.MARGIN_ERRORS[code] for code in codes}) == len(codes)


def test_anchor_returns_each_code_six_thousand_higher() -> None:
    listed = [code for code in gm.MARGIN_ERRORS if code // 1000 in (135, 10)]
    assert {gm.MARGIN_ERRORS[code + 6000] for code in listed} == set(gm.MARGIN_ERRORS.values())
    assert all(gm.MARGIN_ERRORS[code + 6000] == gm.MARGIN_ERRORS[code] for code in listed)
