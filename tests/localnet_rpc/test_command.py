"""``keeper localnet``, the command itself: an unmodified ``solana`` AsyncClient on it, accounts and real programs from files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.models import TxOpts
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    create_idempotent_associated_token_account,
    get_associated_token_address,
    initialize_mint,
    transfer_checked,
)
from spl.token.models import InitializeMintParams, TransferCheckedParams

from keeper.protocols.addresses import GLOW_LRT, MEMO
from keeper.sim.localnet.market_addresses import GLOWSOL_MINT
from tests.localnet_rpc.command import SOL, funded, localnet

MINT_BYTES = 82
PROGRAMDATA_HEADER = 45  # UpgradeableLoaderState::size_of_programdata_metadata of solana-loader-v3-interface


async def confirmed(client: AsyncClient, instructions: Sequence[Instruction], *signers: Keypair) -> Any:
    """Send, confirm and read back; the first signer pays."""
    latest = (await client.get_latest_blockhash(Confirmed)).value
    message = MessageV0.try_compile(signers[0].pubkey(), list(instructions), [], latest.blockhash)
    transaction = VersionedTransaction(message, list(signers))
    signature = (await client.send_transaction(transaction, TxOpts(preflight_commitment=Confirmed))).value
    ended = await client.confirm_transaction(
        signature, Confirmed, sleep_seconds=0.02, last_valid_block_height=latest.last_valid_block_height
    )
    status = ended.value[0]
    assert status is not None
    assert status.err is None
    told = (await client.get_transaction(signature, "json", Confirmed, 0)).value
    assert told is not None
    assert told.transaction.meta is not None
    return told.transaction.meta


async def test_the_solana_client_sends_confirms_and_reads_back_a_token_transfer(tmp_path: Path) -> None:
    payer, receiver = Keypair(), Keypair().pubkey()
    source, target = (get_associated_token_address(owner, GLOWSOL_MINT) for owner in (payer.pubkey(), receiver))
    async with (
        localnet(tmp_path, *funded(tmp_path, payer.pubkey(), 50 * SOL)) as net,
        AsyncClient(net.rpc) as client,
    ):
        assert (await client.get_balance(payer.pubkey(), Confirmed)).value == 10 * SOL
        move = TransferCheckedParams(
            program_id=TOKEN_PROGRAM_ID,
            source=source,
            mint=GLOWSOL_MINT,
            dest=target,
            owner=payer.pubkey(),
            amount=7 * SOL,
            decimals=9,
            signers=[],
        )
        create = create_idempotent_associated_token_account(payer.pubkey(), receiver, GLOWSOL_MINT)
        meta = await confirmed(client, [create, transfer_checked(move)], payer)
        assert {balance.ui_token_amount.amount for balance in meta.post_token_balances} == {str(43 * SOL), str(7 * SOL)}
        assert (await client.get_token_account_balance(target, Confirmed)).value.amount == str(7 * SOL)


def memo_program() -> bytes:
    account = LiteSVM().get_account(MEMO)
    assert account is not None
    return bytes(account.data)


def token_program() -> bytes:
    """SPL Token's ELF, out of the program data account that its upgradeable loader keeps it in."""
    runtime = LiteSVM()
    program = runtime.get_account(TOKEN_PROGRAM_ID)
    assert program is not None
    data = runtime.get_account(Pubkey.from_bytes(bytes(program.data)[4:36]))
    assert data is not None
    return bytes(data.data)[PROGRAMDATA_HEADER:]


async def test_a_loaded_program_replaces_the_model_at_its_address(tmp_path: Path) -> None:
    """The restaking model knows no such instruction; the memo program that takes its place does, and the rest lives on."""
    (tmp_path / "memo.so").write_bytes(memo_program())
    payer = Keypair()
    wallet = funded(tmp_path, payer.pubkey(), SOL)
    greeting = Instruction(GLOW_LRT, b"in the place of a model", [])
    async with localnet(tmp_path, *wallet) as net, AsyncClient(net.rpc) as client:
        with pytest.raises(Exception, match="InstructionFallbackNotFound"):
            await confirmed(client, [greeting], payer)
    program = ["--bpf-program", str(GLOW_LRT), str(tmp_path / "memo.so")]
    async with localnet(tmp_path, *wallet, *program) as net, AsyncClient(net.rpc) as client:
        meta = await confirmed(client, [greeting], payer)
        assert f"Program {GLOW_LRT} success" in meta.log_messages
        loaded = (await client.get_account_info(GLOW_LRT, Confirmed)).value
        assert loaded is not None
        assert loaded.executable
        epoch = (await client.get_epoch_info(Confirmed)).value
        assert epoch.absolute_slot > 0


async def test_a_real_program_runs_at_the_address_it_was_given(tmp_path: Path) -> None:
    """SPL Token, loaded at the address of a keypair file, makes a mint of its own there."""
    at, payer, mint = Keypair(), Keypair(), Keypair()
    (tmp_path / "token.so").write_bytes(token_program())
    (tmp_path / "address.json").write_text(json.dumps(list(bytes(at))))
    options = ["--bpf-program", str(tmp_path / "address.json"), str(tmp_path / "token.so")]
    program = at.pubkey()
    room = CreateAccountParams(
        from_pubkey=payer.pubkey(), to_pubkey=mint.pubkey(), lamports=SOL, space=MINT_BYTES, owner=program
    )
    token = InitializeMintParams(decimals=6, program_id=program, mint=mint.pubkey(), mint_authority=payer.pubkey())
    async with (
        localnet(tmp_path, *funded(tmp_path, payer.pubkey(), SOL), *options) as net,
        AsyncClient(net.rpc) as client,
    ):
        await confirmed(client, [create_account(room), initialize_mint(token)], payer, mint)
        made = (await client.get_account_info(mint.pubkey(), Confirmed)).value
    assert made is not None
    assert made.owner == program
    assert made.data[4:36] == bytes(payer.pubkey())
    assert made.data[44] == 6
