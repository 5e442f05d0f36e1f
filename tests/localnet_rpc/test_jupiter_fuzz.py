"""No query and no body makes the Jupiter face break."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.protocols.addresses import SPL_TOKEN
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from tests.localnet_rpc.jupiter_client import ask, pair, swap_body
from tests.localnet_rpc.stage import Stage

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=60)
    | st.just("9" * 5_000)
    | st.just("NaN"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def replaced(value: Any, data: st.DataObject) -> Any:
    """``value`` with one of its parts, at any depth, replaced by something else."""
    parts = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not parts or data.draw(st.integers(0, 3)) == 0:
        return data.draw(JSON)
    chosen = data.draw(st.sampled_from(parts))
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[chosen] = replaced(copied[chosen], data)
    return copied


@pytest.fixture(scope="module")
def shared() -> Stage:
    return Stage(Localnet(LocalnetConfig(clock="virtual", cranks=None)))


@given(data=st.data())
async def test_no_swap_body_makes_the_face_break(shared: Stage, data: st.DataObject) -> None:
    more: dict[str, Any] = {"dynamicComputeUnitLimit": True, "payer": str(SPL_TOKEN), "blockhashSlotsToExpiry": 3}
    more |= {"prioritizationFeeLamports": {"priorityLevelWithMaxLamports": {"priorityLevel": "high", "maxLamports": 5}}}
    body = replaced(await swap_body(shared, **more), data)
    status, answer = await ask(shared, "POST", "/swap/v1/swap", body=json.dumps(body).encode())
    assert status in (200, 400, 422), answer
    json.dumps(answer)


QUERY_NAMES = (
    "inputMint",
    "outputMint",
    "amount",
    "taker",
    "slippageBps",
    "dexes",
    "maxAccounts",
    "tipAmount",
    "payer",
    "mode",
)


@given(changes=st.dictionaries(st.sampled_from(QUERY_NAMES), st.text(max_size=45) | st.integers(-1, 2**70), max_size=3))
async def test_no_query_makes_the_face_break(shared: Stage, changes: dict[str, Any]) -> None:
    status, answer = await ask(
        shared, "GET", "/swap/v2/build", {**pair(shared), "taker": shared.trader.pubkey(), **changes}
    )
    assert status in (200, 400), answer
    json.dumps(answer)
