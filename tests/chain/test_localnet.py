"""The client against the localnet's real faces: a transfer from blockhash to ledger, and a live websocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.chain import (
    AccountChanged,
    BlockhashSource,
    ChainEvent,
    ChainStream,
    Commitment,
    DataSize,
    Endpoints,
    PriorityFee,
    Refused,
    RpcClient,
    Sent,
    SignatureVerificationFailure,
    SlotAdvanced,
    StreamConnected,
)
from keeper.sim.localnet.interface import BankConfig
from keeper.sim.localnet.server import Localnet, LocalnetConfig
from keeper.units import Lamports, MicroLamports, Slot

PAYER = Keypair.from_seed(bytes([21] * 32))
TARGET = Keypair.from_seed(bytes([22] * 32)).pubkey()


@pytest.fixture
async def net() -> AsyncIterator[Localnet]:
    config = LocalnetConfig(bank=BankConfig(slots_per_epoch=1_000), market=None, clock="virtual")
    async with Localnet(config) as net:
        net.bank.airdrop(PAYER.pubkey(), 10**10)
        net.bank.advance_slot(3)
        yield net


@pytest.fixture
async def rpc(net: Localnet) -> AsyncIterator[RpcClient]:
    async with RpcClient(net.rpc_url) as client:
        yield client


def payment(blockhash: Hash, lamports: int = 1_000_000) -> VersionedTransaction:
    give = transfer(TransferParams(from_pubkey=PAYER.pubkey(), to_pubkey=TARGET, lamports=lamports))
    return VersionedTransaction(MessageV0.try_compile(PAYER.pubkey(), [give], [], blockhash), [PAYER])


async def test_a_transfer_from_blockhash_to_ledger(net: Localnet, rpc: RpcClient) -> None:
    recent, height = await BlockhashSource(rpc).fresh()
    assert recent.last_valid_block_height.since(height) > 100
    signed = payment(recent.hash)
    raw, signature = bytes(signed), signed.signatures[0]

    foreseen = await rpc.simulate(raw, accounts=[TARGET, PAYER.pubkey()], min_context_slot=recent.slot)
    assert foreseen.err is None
    after = foreseen.accounts[TARGET]
    assert after is not None
    assert after.lamports == Lamports(1_000_000)
    assert await rpc.account(TARGET) is None

    assert await rpc.send_transaction(raw, min_context_slot=recent.slot) == Sent(signature)
    assert await rpc.send_transaction(raw) == Sent(signature)  # the same bytes again do no harm
    net.bank.advance_slot(2)
    (status,) = await rpc.signature_statuses([signature])
    assert status is not None
    assert (status.err, status.confirmation >= Commitment.CONFIRMED) == (None, True)
    landed = await rpc.transaction(signature)
    assert landed is not None
    assert landed.lamports_change(TARGET) == Lamports(1_000_000)
    assert landed.lamports_change(PAYER.pubkey()) == Lamports(-1_000_000) - landed.fee
    assert await rpc.balance(TARGET) == Lamports(1_000_000)
    assert [info.signature for info in await rpc.signatures_for(TARGET)] == [signature]
    net.bank.advance_slot(40)
    (final,) = await rpc.signature_statuses([signature], search_history=True)
    assert final is not None
    assert final.confirmation is Commitment.FINALIZED


async def test_failures_of_a_real_node_have_names(net: Localnet, rpc: RpcClient) -> None:
    recent = await rpc.latest_blockhash()
    too_much = await rpc.simulate(bytes(payment(recent.hash, 10**12)))
    assert too_much.err == {"InstructionError": [0, {"Custom": 1}]}
    assert too_much.accounts == {}
    stranger = Keypair.from_seed(bytes([23] * 32))
    forged = VersionedTransaction.populate(payment(recent.hash).message, [stranger.sign_message(b"x")])
    refused = await rpc.send_transaction(bytes(forged), skip_preflight=False)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, SignatureVerificationFailure)
    net.bank.advance_slot(200)
    assert await rpc.blockhash_valid(recent.hash, recent.slot) is False
    assert (await Endpoints(rpc).block_height_floor()).height > recent.last_valid_block_height


async def test_reads_of_a_real_node(net: Localnet, rpc: RpcClient) -> None:
    await rpc.require_cluster(await rpc.genesis_hash())
    assert (await rpc.health()).ok
    assert await rpc.version()
    info = await rpc.epoch_info()
    assert info.slots_in_epoch == 1_000
    assert await rpc.slot("processed") == Slot(net.bank.clock.slot)
    assert await rpc.rent_exempt(165) > await rpc.rent_exempt(0)
    missing = Pubkey.from_bytes(bytes([1] * 32))
    snapshot = await rpc.accounts([PAYER.pubkey(), missing])
    assert snapshot[missing] is None
    assert len(snapshot.existing()) == 1
    assert len(await rpc.token_accounts_by_owner(PAYER.pubkey())) == 0
    assert len(await rpc.program_accounts(PAYER.pubkey(), [DataSize(3)])) == 0
    assert await rpc.performance_samples() is not None
    floor = MicroLamports(7)
    assert await PriorityFee(rpc, floor=floor, cap=MicroLamports(9)).price([PAYER.pubkey()]) == floor


async def test_the_websocket_tells_of_slots_and_changes(net: Localnet, rpc: RpcClient) -> None:
    events: asyncio.Queue[ChainEvent] = asyncio.Queue()
    stream = ChainStream(net.ws_url, [TARGET], on_event=events.put_nowait, rng=Random(1))
    task = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(10):
            assert await events.get() == StreamConnected()
            recent = await rpc.latest_blockhash()
            assert isinstance(await rpc.send_transaction(bytes(payment(recent.hash))), Sent)
            seen: list[ChainEvent] = []
            while not {AccountChanged, SlotAdvanced} <= {type(event) for event in seen}:
                net.bank.advance_slot(1)
                seen.append(await events.get())
        assert any(isinstance(event, AccountChanged) and event.key == TARGET for event in seen)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
