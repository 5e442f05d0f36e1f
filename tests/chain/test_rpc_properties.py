"""No JSON, however strange, makes the client raise anything but its named errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from keeper.chain import ONCE, Refused, RpcClient, RpcError, Sent, Unknown
from keeper.units import Slot

KEY = str(Pubkey.default())
WORDS = st.sampled_from(
    [
        "context",
        "slot",
        "value",
        "lamports",
        "owner",
        "data",
        "executable",
        "pubkey",
        "account",
        "err",
        "fee",
        "meta",
        "blockhash",
        "lastValidBlockHeight",
        "transaction",
        "message",
        "accountKeys",
        "preBalances",
        "postBalances",
        "confirmationStatus",
        "confirmations",
        "unitsConsumed",
        "logs",
        "accounts",
        "epoch",
        "absoluteSlot",
        "signature",
        "prioritizationFee",
        "code",
        "error",
        "result",
        "id",
        "preTokenBalances",
        "accountIndex",
        "mint",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [KEY, str(Signature.default()), "base64", "AAAA", "confirmed", "AlreadyProcessed", "\ud800", "1" * 44]
    )
)
ANY_JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6), max_leaves=25
)
CONTEXTUAL = st.builds(
    lambda slot, value: {"context": {"slot": slot}, "value": value}, st.integers(0, 2**64 - 1), ANY_JSON
)
ACCOUNT = st.fixed_dictionaries(
    {
        "lamports": st.integers(-1, 2**65),
        "owner": st.sampled_from([KEY, "x"]),
        "data": st.sampled_from([["AAAA", "base64"], ["A", "base64"], ["AAAA", "base58"], "AAAA", None]),
        "executable": st.booleans() | st.none(),
    }
)
LISTED = st.builds(lambda items: {"context": {"slot": 1}, "value": items}, st.lists(ACCOUNT | st.none(), max_size=2))

Read = Callable[[RpcClient], Awaitable[Any]]
READS: list[Read] = [
    lambda rpc: rpc.slot(),
    lambda rpc: rpc.epoch_info(),
    lambda rpc: rpc.latest_blockhash(),
    lambda rpc: rpc.blockhash_valid(Hash.default(), Slot(1)),
    lambda rpc: rpc.account(Pubkey.default()),
    lambda rpc: rpc.accounts([Pubkey.default()]),
    lambda rpc: rpc.program_accounts(Pubkey.default()),
    lambda rpc: rpc.token_accounts_by_owner(Pubkey.default()),
    lambda rpc: rpc.balance(Pubkey.default()),
    lambda rpc: rpc.signature_statuses([Signature.default()]),
    lambda rpc: rpc.simulate(b"x", accounts=[Pubkey.default()]),
    lambda rpc: rpc.transaction(Signature.default()),
    lambda rpc: rpc.signatures_for(Pubkey.default()),
    lambda rpc: rpc.prioritization_fees([]),
    lambda rpc: rpc.performance_samples(),
    lambda rpc: rpc.genesis_hash(),
    lambda rpc: rpc.health(),
    lambda rpc: rpc.version(),
]


class Canned(httpx2.AsyncBaseTransport):
    """Answers every request with the same body; ``echo`` puts it into a well-formed envelope."""

    def __init__(self) -> None:
        self.body: Any = None
        self.echo = True

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        number = json.loads(await request.aread())["id"]
        body = {"jsonrpc": "2.0", "id": number, "result": self.body} if self.echo else self.body
        return httpx2.Response(200, content=json.dumps(body).encode("utf-8", errors="surrogatepass"))


CANNED = Canned()
# one client for all examples: making one costs more than a thousand of these requests
RPC = RpcClient("http://node.test", transport=CANNED, retry=ONCE)


def attempt(call: Read) -> None:
    async def once() -> None:
        try:
            await call(RPC)
        except RpcError:
            return

    asyncio.run(once())


@given(st.sampled_from(READS), ANY_JSON | CONTEXTUAL | LISTED)
def test_any_result_is_a_value_or_a_named_error(call: Read, result: Any) -> None:
    CANNED.body, CANNED.echo = result, True
    attempt(call)


@given(st.sampled_from(READS), ANY_JSON)
def test_any_envelope_is_a_value_or_a_named_error(call: Read, body: Any) -> None:
    CANNED.body, CANNED.echo = body, False
    attempt(call)


@given(ANY_JSON, st.booleans())
def test_any_answer_to_a_send_is_one_of_three_values(body: Any, echo: bool) -> None:
    payer = Keypair.from_seed(bytes(range(32)))
    raw = (
        b"\x01"
        + bytes(payer.sign_message(b"m"))
        + b"\x80\x01\x00\x00\x01"
        + bytes(payer.pubkey())
        + bytes(32)
        + b"\x00\x00"
    )
    CANNED.body, CANNED.echo = body, echo
    result = asyncio.run(RPC.send_transaction(raw))
    assert isinstance(result, Sent | Refused | Unknown)
