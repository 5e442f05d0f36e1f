"""Every reader of a JSON value accepts what it should and names everything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from solders.hash import Hash
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain import decoding as read

KEY = str(Pubkey.default())
STRANGE: list[Any] = [None, True, 1.5, float("nan"), -1, 2**64, "", "0", "1" * 33, "z" * 44, "z" * 88, "é", "\ud800"]
STRANGE += ["1" * 5_000, [], [1], ["AAAA"], ["AAAA", "base58"], ["A", "base64"], [None, "base64"], {}, {"context": 1}]
GOOD: list[tuple[Callable[[Any, str], Any], Any]] = [
    (read.u64, 2**64 - 1),
    (read.u64_text, str(2**64 - 1)),
    (read.text, "x"),
    (read.flag, False),
    (read.lines, ["a"]),
    (read.pubkey, KEY),
    (read.blockhash, str(Hash.default())),
    (read.signature, str(Signature.default())),
    (read.base64_bytes, "AAAA"),
    (read.encoded, ["AAAA", "base64"]),
    (read.transaction_err, "AccountInUse"),
    (read.unix_time, 5),
    (read.account, {"lamports": 1, "owner": KEY, "data": ["", "base64"], "executable": True}),
    (lambda value, _: read.with_context(value), {"context": {"slot": 1}, "value": None}),
]


@pytest.mark.parametrize(("reader", "good"), GOOD)
def test_the_good_is_read_and_the_strange_is_named(reader: Callable[[Any, str], Any], good: Any) -> None:
    reader(good, "place")
    refused = 0
    for value in STRANGE:
        try:
            reader(value, "place")
        except read.Malformed as error:
            assert str(error)
            refused += 1
    assert refused >= 9


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(read.Malformed) as caught:
        read.u64("x" * 10_000, "place")
    assert len(str(caught.value)) < 200
