"""An unmodified ``solana`` AsyncClient and SolanaWsClient against the localnet's real clock."""

from __future__ import annotations

import asyncio

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.jsonrpc import SolanaJsonRpcError
from solana.rpc.models import MemcmpOpts, TokenAccountOpts, TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.account_decoder import ParsedAccount
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import (
    AccountNotificationJsonParsed,
    LogsNotification,
    ProgramNotification,
    RootNotification,
    SignatureNotification,
    SlotNotification,
)
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    transfer_checked,
)
from spl.token.models import TransferCheckedParams

from tests.localnet_rpc.stage import SOL, Stage


async def token_payment(
    client: AsyncClient, stage: Stage, receiver: Pubkey, amount: int
) -> tuple[VersionedTransaction, int]:
    """(signed transaction, last valid block height), built with the client's own tools only."""
    latest = (await client.get_latest_blockhash(Confirmed)).value
    payer, mint = stage.trader, stage.market.glowsol_mint
    target = get_associated_token_address(receiver, mint)
    instructions = [
        create_idempotent_associated_token_account(payer.pubkey(), receiver, mint),
        transfer_checked(
            TransferCheckedParams(
                program_id=TOKEN_PROGRAM_ID,
                source=get_associated_token_address(payer.pubkey(), mint),
                mint=mint,
                dest=target,
                owner=payer.pubkey(),
                amount=amount,
                decimals=9,
                signers=[],
            )
        ),
    ]
    message = MessageV0.try_compile(payer.pubkey(), instructions, [], latest.blockhash)
    return VersionedTransaction(message, [payer]), latest.last_valid_block_height


async def test_sends_confirms_and_reads_back_a_token_transfer(ticking: Stage) -> None:
    receiver, mint = Keypair().pubkey(), ticking.market.glowsol_mint
    target = get_associated_token_address(receiver, mint)
    async with AsyncClient(ticking.net.rpc_url) as client:
        assert await client.is_connected()
        transaction, last_valid = await token_payment(client, ticking, receiver, 7 * SOL)
        simulated = (await client.simulate_transaction(transaction, sig_verify=True)).value
        assert simulated.err is None
        options = TxOpts(preflight_commitment=Confirmed)
        signature = (await client.send_transaction(transaction, options)).value
        confirmed = await client.confirm_transaction(
            signature, Confirmed, sleep_seconds=0.02, last_valid_block_height=last_valid
        )
        status = confirmed.value[0]
        assert status is not None
        assert status.err is None
        assert (await client.get_token_account_balance(target)).value.amount == str(7 * SOL)
        told = (await client.get_transaction(signature, "jsonParsed", Confirmed, 0)).value
        assert told is not None
        assert told.slot == status.slot
        assert "transferChecked" in told.transaction.to_json()
        parsed = (await client.get_account_info_json_parsed(target)).value
        assert parsed is not None
        assert isinstance(parsed.data, ParsedAccount)
        assert f'"amount":"{7 * SOL}"' in parsed.data.to_json()
        named = (await client.get_signatures_for_address(receiver, commitment=Confirmed)).value
        assert [item.signature for item in named] == [signature]


async def test_every_read_parses(ticking: Stage) -> None:
    trader, mint = ticking.trader.pubkey(), ticking.market.glowsol_mint
    async with AsyncClient(ticking.net.rpc_url, Confirmed) as client:
        assert (await client.get_slot(Processed)).value >= (await client.get_slot(Confirmed)).value
        assert (await client.get_block_height(Finalized)).value > 0
        assert (await client.get_epoch_info()).value.slots_in_epoch == 432_000
        assert (await client.get_epoch_schedule()).value.slots_per_epoch == 432_000
        assert (await client.get_balance(trader)).value > 0
        assert (await client.get_multiple_accounts([trader, mint])).value[1] is not None
        held = await client.get_token_accounts_by_owner(trader, TokenAccountOpts(mint=mint))
        assert len(held.value) == 1
        parsed = await client.get_token_accounts_by_owner_json_parsed(
            trader, TokenAccountOpts(program_id=TOKEN_PROGRAM_ID)
        )
        assert len(parsed.value) == 3
        assert int((await client.get_token_supply(mint)).value.amount) > 0
        assert (await client.get_token_largest_accounts(mint)).value[0].amount.amount != "0"
        filters: list[int | MemcmpOpts] = [165, MemcmpOpts(offset=0, bytes=str(mint))]
        scanned = await client.get_program_accounts(TOKEN_PROGRAM_ID, encoding="base64", filters=filters)
        assert {item.account.owner for item in scanned.value} == {TOKEN_PROGRAM_ID}
        assert (await client.get_minimum_balance_for_rent_exemption(165)).value == 2_039_280
        assert (await client.get_version()).value.solana_core
        assert (await client.get_genesis_hash()).value is not None
        identity = (await client.get_identity()).value.identity
        assert (await client.get_slot_leader()).value == identity
        assert (await client.get_slot_leaders(1_000, 2)).value == [identity, identity]
        assert (await client.get_vote_accounts()).value.delinquent == []
        assert (await client.get_supply()).value.total > 0
        assert (await client.get_transaction_count()).value >= 0
        assert (await client.get_first_available_block()).value == 1_000
        assert (await client.get_minimum_ledger_slot()).value == 1_000
        await client.get_recent_performance_samples(1)
        await client.get_recent_prioritization_fees([trader])
        transaction, _ = await token_payment(client, ticking, trader, 1)
        assert isinstance(transaction.message, MessageV0)
        assert (await client.get_fee_for_message(transaction.message)).value == 5_000
        airdrop = (await client.request_airdrop(Keypair().pubkey(), SOL)).value
        await client.confirm_transaction(airdrop, Confirmed, sleep_seconds=0.02)
        slot = (await client.get_signature_statuses([airdrop])).value[0]
        assert slot is not None
        block = (await client.get_block(slot.slot, "jsonParsed", max_supported_transaction_version=0)).value
        assert block is not None
        assert (await client.get_block_time(slot.slot)).value == block.block_time
        assert isinstance((await client.get_blocks(slot.slot)).value, list)


async def test_errors_parse(ticking: Stage) -> None:
    async with AsyncClient(ticking.net.rpc_url, Confirmed) as client:
        transaction, _ = await token_payment(client, ticking, Keypair().pubkey(), 10**18)
        with pytest.raises(Exception, match="custom program error: 0x1") as refused:
            await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))
        assert "Custom" in str(refused.value) or isinstance(refused.value, SolanaJsonRpcError)


async def test_websocket_client_hears_everything(ticking: Stage) -> None:
    receiver = Keypair().pubkey()
    target = get_associated_token_address(receiver, ticking.market.glowsol_mint)
    wanted = {
        AccountNotificationJsonParsed,
        LogsNotification,
        ProgramNotification,
        SignatureNotification,
        SlotNotification,
        RootNotification,
    }
    async with AsyncClient(ticking.net.rpc_url, Confirmed) as client, SolanaWsClient(ticking.net.ws_url) as socket:
        transaction, _ = await token_payment(client, ticking, receiver, SOL)
        await socket.account_subscribe(pubkey=target, commitment=Confirmed, encoding="jsonParsed")
        await socket.logs_subscribe(commitment=Confirmed)
        await socket.program_subscribe(
            program_id=TOKEN_PROGRAM_ID, commitment=Processed, encoding="base64", filters=[165]
        )
        await socket.signature_subscribe(signature=transaction.signatures[0], commitment=Confirmed)
        slots = await socket.slot_subscribe()
        await socket.root_subscribe()
        await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))
        heard: set[type] = set()
        async with asyncio.timeout(10):
            while not wanted <= heard:
                note = await socket.recv()
                heard.add(type(note))
                if isinstance(note, SignatureNotification):
                    assert note.result.value.err is None
        await socket.unsubscribe(slots)
