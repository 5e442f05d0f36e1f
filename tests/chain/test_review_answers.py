"""Answers that a review found to be believed, or to escape as no named error."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from solders.signature import Signature

from keeper.chain import results
from keeper.chain.decoding import Malformed
from keeper.chain.transport import retry_after

OURS, OTHER = (Signature.from_bytes(bytes([tag] * 64)) for tag in (1, 2))
WALLET = "11111111111111111111111111111112"


@given(st.text(max_size=60))
@example("Mon, 01 Jan 2024 00:00:00 +99999999999999999999")
@example("Mon, 01 Jan 99999999999999999999 00:00:00 GMT")
@example(format_datetime(datetime(2200, 1, 1, tzinfo=UTC)))
def test_no_header_of_a_gateway_is_an_unnamed_error(value: str) -> None:
    seconds = retry_after(value)
    assert seconds is None or seconds >= 0


def landed(*signatures: str) -> dict[str, object]:
    meta = {"err": None, "fee": 5_000, "preBalances": [10_000], "postBalances": [5_000]}
    return {
        "slot": 7,
        "blockTime": 1,
        "meta": meta,
        "transaction": {"signatures": list(signatures), "message": {"accountKeys": [WALLET]}},
    }


def test_the_transaction_that_was_asked_for_is_taken() -> None:
    found = results.landed_transaction(landed(str(OURS)), OURS)
    assert found is not None
    assert found.signature == OURS


@pytest.mark.parametrize("signatures", [(), (str(OTHER),), (str(OTHER), str(OURS))])
def test_another_transaction_is_not_booked_in_its_place(signatures: tuple[str, ...]) -> None:
    """A cache between us and the node that mixes its answers up."""
    with pytest.raises(Malformed, match="that was asked for"):
        results.landed_transaction(landed(*signatures), OURS)
