"""Account data that is not what it should be: a named failure, or a view; never another exception."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from solders.pubkey import Pubkey

from keeper.engine.valuation import value
from keeper.observe.observer import ObservationFailed
from keeper.observe.parts import Keys
from keeper.protocols import addresses
from keeper.protocols.token import associated_token_address
from keeper.telemetry.metrics import Metrics
from keeper.telemetry.status import view_summary
from keeper.units import Bps
from tests.observe.conftest import Eye, make_eye

FOREIGN = str(Pubkey.from_bytes(bytes([9] * 32)))
EXTREMES = (0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)


class Snapshot:
    """Serves getMultipleAccounts with one account of it harmed."""

    def __init__(self, runner: asyncio.Runner, eye: Eye) -> None:
        self.runner = runner
        self.eye = eye
        self.keys = Keys(eye.owner, eye.market).all

    def observe(self, index: int, harm: Any) -> Any:
        """A view with ``harm(account)`` in the place of the account at ``index``, or ``ObservationFailed``."""

        def tamper(method: str, answer: Any) -> Any:
            if method == "getMultipleAccounts":
                answer["result"]["value"][index] = harm(answer["result"]["value"][index])
            return answer

        self.eye.wire.tamper = tamper
        try:
            return self.runner.run(self.eye.observer().view(()))
        finally:
            self.eye.wire.tamper = None


@pytest.fixture(scope="module")
def snapshot() -> Iterator[Snapshot]:
    with asyncio.Runner() as runner:
        yield Snapshot(runner, runner.run(make_eye()))


def data_of(account: dict[str, Any]) -> bytes:
    return base64.b64decode(account["data"][0])


def with_data(account: dict[str, Any], data: bytes) -> dict[str, Any]:
    return {**account, "data": [base64.b64encode(data).decode(), "base64"], "space": len(data)}


DECODED = {
    "stake pool": "stake pool",
    "glowSOL account": "token account",
    "lrt pool": "LrtPool",
    "sSOL vault": "token account",
    "glowSOL mint": "mint",
    "queue": "PendingWithdrawals",
}


def _key(snapshot: Snapshot, name: str) -> Pubkey:
    eye = snapshot.eye
    glowsol = Pubkey.from_string(eye.lrt.glowsol.address)
    return {
        "clock": addresses.CLOCK_SYSVAR,
        "stake pool": eye.market.solayer.stake_pool,
        "reserve": eye.market.solayer.reserve_stake,
        "glowSOL account": associated_token_address(eye.owner, glowsol),
        "lrt pool": eye.lrt.pool,
        "sSOL vault": eye.lrt.ssol_vault,
        "glowSOL mint": glowsol,
        "queue": eye.lrt.program.queue_address(eye.owner),
    }[name]


@pytest.mark.parametrize(("name", "said"), [*DECODED.items(), ("clock", "Clock sysvar")])
def test_truncated_data_is_named(snapshot: Snapshot, name: str, said: str) -> None:
    index = snapshot.keys.index(_key(snapshot, name))
    for keep in (0, 1, 39):
        with pytest.raises(ObservationFailed) as caught:
            snapshot.observe(index, lambda one, keep=keep: with_data(one, data_of(one)[:keep]))
        assert said.lower() in str(caught.value).lower()


@pytest.mark.parametrize(("name", "said"), DECODED.items())
def test_a_foreign_owner_is_named(snapshot: Snapshot, name: str, said: str) -> None:
    index = snapshot.keys.index(_key(snapshot, name))
    with pytest.raises(ObservationFailed) as caught:
        snapshot.observe(index, lambda one: {**one, "owner": FOREIGN})
    assert said.lower() in str(caught.value).lower()
    assert FOREIGN in str(caught.value)


@pytest.mark.parametrize("name", ["clock", "stake pool", "reserve", "lrt pool", "sSOL vault", "glowSOL mint"])
def test_a_missing_account_is_named(snapshot: Snapshot, name: str) -> None:
    key = _key(snapshot, name)
    with pytest.raises(ObservationFailed, match=str(key)):
        snapshot.observe(snapshot.keys.index(key), lambda _one: None)


def test_a_token_account_of_another_mint_is_not_ours(snapshot: Snapshot) -> None:
    key = _key(snapshot, "glowSOL account")
    foreign = bytes([9] * 32)
    with pytest.raises(ObservationFailed, match="mint"):
        snapshot.observe(snapshot.keys.index(key), lambda one: with_data(one, foreign + data_of(one)[32:]))


def test_a_token_account_that_changed_hands_is_not_ours(snapshot: Snapshot) -> None:
    key = _key(snapshot, "glowSOL account")
    foreign = bytes([9] * 32)

    def harm(one: dict[str, Any]) -> dict[str, Any]:
        data = data_of(one)
        return with_data(one, data[:32] + foreign + data[64:])

    with pytest.raises(ObservationFailed, match="owner"):
        snapshot.observe(snapshot.keys.index(key), harm)


@st.composite
def harms(draw: st.DrawFn) -> Any:
    """A change of one account: cut, grown, bytes rewritten, numbers made extreme, another owner, other lamports, gone."""
    kind = draw(st.sampled_from(["cut", "grow", "bytes", "numbers", "numbers", "owner", "lamports", "gone", "noise"]))
    share = draw(st.floats(0, 0.999))
    extra = draw(st.binary(min_size=1, max_size=64))
    spots = draw(st.lists(st.tuples(st.floats(0, 0.999), st.sampled_from(EXTREMES)), min_size=1, max_size=4))
    lamports = draw(st.sampled_from(EXTREMES))

    def harm(one: dict[str, Any] | None) -> dict[str, Any] | None:
        if one is None or kind == "gone":
            return None
        data = bytearray(data_of(one))
        if kind == "owner":
            return {**one, "owner": FOREIGN}
        if kind == "lamports":
            return {**one, "lamports": lamports}
        if kind == "cut":
            return with_data(one, bytes(data[: int(share * len(data))]))
        if kind == "grow":
            return with_data(one, bytes(data) + extra)
        if kind == "noise":
            return with_data(one, (extra * (len(data) // len(extra) + 1))[: len(data)])
        for place, number in spots:
            at = int(place * len(data)) & ~(7 if kind == "numbers" else 0)
            put = number.to_bytes(8, "little") if kind == "numbers" else extra
            data[at : at + len(put)] = put[: len(data) - at]
        return with_data(one, bytes(data))

    return harm


@settings(max_examples=max(150, settings().max_examples))  # thousands in a campaign
@given(where=st.floats(0, 0.999), harm=harms())
def test_random_corruption_of_any_account_is_a_view_or_a_named_failure(
    snapshot: Snapshot, where: float, harm: Any
) -> None:
    try:
        view = snapshot.observe(int(where * len(snapshot.keys)), harm)
    except ObservationFailed as failure:
        assert ":" in str(failure)
        return
    # what the rest of a tick does with any view
    opening = {"lamports": 10**9, snapshot.eye.lrt.glowsol.address: 10**9}
    value(view, opening, Bps(800))
    Metrics(CollectorRegistry(), strategies=["arbitrage"]).viewed(view)
    view_summary(view)
