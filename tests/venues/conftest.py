"""Jupiter's answers, well-formed by default, to be bent by the tests; and a server on loopback that gives them."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from solders.hash import Hash
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from keeper.units import SOL, SSOL, Mint, TokenAmount
from keeper.venues.vetting import (
    ASSOCIATED_TOKEN,
    COMPUTE_BUDGET,
    JUPITER,
    SPL_TOKEN,
    SYSTEM,
    WSOL,
    associated_token_account,
)

OWNER = Keypair.from_seed(bytes([7] * 32)).pubkey()
STRANGER = Keypair.from_seed(bytes([8] * 32)).pubkey()


@dataclass
class Jupiter:
    """Makes answers for one question: sell ``sell`` for ``buy``."""

    sell: TokenAmount = field(default_factory=lambda: TokenAmount(SSOL, 1_000_000_000))
    buy: Mint = SOL
    out: int = 1_148_200_000
    slippage: int = 20
    owner: Pubkey = OWNER
    stranger: Pubkey = STRANGER

    @property
    def threshold(self) -> int:
        return -(-self.out * (10_000 - self.slippage) // 10_000)

    def quote(self, **changes: Any) -> dict[str, Any]:
        """v1 /quote, and the quote part of v2 /build."""
        info = {"ammKey": str(STRANGER), "label": "Sanctum Infinity", "feeAmount": "0"}
        body = {
            "inputMint": self.sell.mint.address,
            "outputMint": self.buy.address,
            "inAmount": str(self.sell.units),
            "outAmount": str(self.out),
            "otherAmountThreshold": str(self.threshold),
            "swapMode": "ExactIn",
            "slippageBps": self.slippage,
            "platformFee": None,
            "priceImpactPct": "0.0002",
            "routePlan": [{"swapInfo": info, "percent": 100, "bps": 10_000}],
            "contextSlot": 446_970_000,
            "timeTaken": 0.01,
        }
        return {key: value for key, value in {**body, **changes}.items() if value is not ...}

    def build(self, **changes: Any) -> dict[str, Any]:
        """v2 /build."""
        body = {
            "computeBudgetInstructions": [as_json(Instruction(COMPUTE_BUDGET, b"\x03" + bytes(8), []))],
            "setupInstructions": [as_json(self.create())],
            "swapInstruction": as_json(self.swap()),
            "cleanupInstruction": as_json(self.close()),
            "otherInstructions": [],
            "tipInstruction": None,
            "addressesByLookupTableAddress": {str(STRANGER): [str(JUPITER)]},
            "blockhashWithMetadata": {"blockhash": [0] * 32, "lastValidBlockHeight": 5},
        }
        return self.quote(**{**body, **changes})

    @staticmethod
    def json(instruction: Instruction) -> dict[str, Any]:
        """An instruction as Jupiter writes it."""
        return as_json(instruction)

    def create(self, wallet: Pubkey | None = None, account: Pubkey | None = None) -> Instruction:
        """Idempotent creation of the owner's wSOL account."""
        account = account or associated_token_account(self.owner, WSOL)
        keys = [self.owner, account, wallet or self.owner, WSOL, SYSTEM, SPL_TOKEN]
        return Instruction(ASSOCIATED_TOKEN, b"\x01", [AccountMeta(key, i == 0, i < 2) for i, key in enumerate(keys)])

    def wrap(self, lamports: int, to: Pubkey | None = None) -> Instruction:
        """Transfer of SOL into the wSOL account."""
        target = to or associated_token_account(self.owner, WSOL)
        metas = [AccountMeta(self.owner, True, True), AccountMeta(target, False, True)]
        return Instruction(SYSTEM, struct.pack("<IQ", 2, lamports), metas)

    def sync(self) -> Instruction:
        """SyncNative of the wSOL account."""
        return Instruction(SPL_TOKEN, b"\x11", [AccountMeta(associated_token_account(self.owner, WSOL), False, True)])

    def close(self, to: Pubkey | None = None) -> Instruction:
        """Unwrapping."""
        account = associated_token_account(self.owner, WSOL)
        metas = [
            AccountMeta(account, False, True),
            AccountMeta(to or self.owner, False, True),
            AccountMeta(self.owner, True, False),
        ]
        return Instruction(SPL_TOKEN, b"\x09", metas)

    def swap(
        self,
        *,
        kind: str = "bb64facc31c4af14",
        amount: int | None = None,
        out: int | None = None,
        slippage: int | None = None,
        program: Pubkey = JUPITER,
        signer: Pubkey | None = None,
    ) -> Instruction:
        """The router's instruction; ``kind`` is its discriminator."""
        amounts = (
            amount or self.sell.units,
            self.out if out is None else out,
            self.slippage if slippage is None else slippage,
        )
        plan = struct.pack("<I", 1) + bytes(5)
        bodies = {
            "e517cb977ae3ad2a": plan + struct.pack("<QQHB", *amounts, 0),
            "c1209b3341d69c81": b"\x02" + plan + struct.pack("<QQHB", *amounts, 0),
            "bb64facc31c4af14": struct.pack("<QQHHH", *amounts, 0, 0) + plan,
            "d19853937cfed8e9": b"\x02" + struct.pack("<QQHHH", *amounts, 0, 0) + plan,
        }
        data = bytes.fromhex(kind) + bodies.get(kind, plan)
        metas = [
            AccountMeta(SPL_TOKEN, False, False),
            AccountMeta(signer or self.owner, True, False),
            AccountMeta(STRANGER, False, True),
        ]
        return Instruction(program, data, metas)

    def transaction(
        self, *instructions: Instruction, payer: Pubkey | None = None, tables: list[Any] | None = None
    ) -> str:
        """An unsigned v0 transaction as v1 /swap returns it."""
        every = instructions or (
            Instruction(COMPUTE_BUDGET, b"\x02" + bytes(4), []),
            self.create(),
            self.swap(kind="e517cb977ae3ad2a"),
            self.close(),
        )
        message = MessageV0.try_compile(payer or self.owner, list(every), tables or [], Hash.default())
        count = message.header.num_required_signatures
        return base64.b64encode(bytes(VersionedTransaction.populate(message, [Signature.default()] * count))).decode()


def as_json(instruction: Instruction) -> dict[str, Any]:
    accounts = [
        {"pubkey": str(meta.pubkey), "isSigner": meta.is_signer, "isWritable": meta.is_writable}
        for meta in instruction.accounts
    ]
    data = base64.b64encode(bytes(instruction.data)).decode()
    return {"programId": str(instruction.program_id), "accounts": accounts, "data": data}


@pytest.fixture
def jupiter() -> Jupiter:
    """Answers to "sell 1 sSOL for SOL"."""
    return Jupiter()


@pytest.fixture(scope="session")
def make_jupiter() -> type[Jupiter]:
    """For hypothesis, whose examples each need answers of their own."""
    return Jupiter


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class LoopbackServer:
    """Serves ``answer`` on every path; keeps the requests."""

    answer: Handler
    url: str = ""
    requests: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)


@pytest.fixture(scope="session")
def make_server() -> Callable[[], AbstractAsyncContextManager[LoopbackServer]]:
    """Starts an HTTP server on loopback whose ``answer`` the test sets."""
    return loopback


@asynccontextmanager
async def loopback() -> AsyncIterator[LoopbackServer]:
    async def unset(_: web.Request) -> web.StreamResponse:
        return web.Response(status=500, text="no answer set")

    made = LoopbackServer(unset)

    async def handle(request: web.Request) -> web.StreamResponse:
        made.requests.append((request.path, dict(request.query), dict(request.headers)))
        return await made.answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()
