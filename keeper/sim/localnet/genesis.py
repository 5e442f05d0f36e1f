"""What exists before the first block: native mints, the faucet, the leader."""

from __future__ import annotations

import hashlib

from solders.account import Account
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import MEMO, SPL_TOKEN, SYSTEM, TOKEN_2022, WSOL_MINT

FAUCET_LAMPORTS = 500_000_000 * 10**9
LEADER_LAMPORTS = 100 * 10**9
NATIVE_MINT_2022 = Pubkey.from_string("9pan9bMn5HatX4EJdBwg9VgCa7Uz5HL8N1m5D3NdXej9")
_MINT_LAMPORTS = 1_461_600  # rent exemption of 82 bytes
_NATIVE_MINT = bytes(36) + bytes(8) + bytes([9, 1]) + bytes(36)  # no authority, supply 0, 9 decimals, initialised


def _keypair(seed: int, role: str) -> Keypair:
    return Keypair.from_seed(hashlib.sha256(f"glow-keeper localnet {seed} {role}".encode()).digest())


def faucet(seed: int) -> Keypair:
    """The wallet that airdrops come from."""
    return _keypair(seed, "faucet")


def leader(seed: int) -> Pubkey:
    """The validator that collects fees."""
    return _keypair(seed, "leader").pubkey()


def accounts(seed: int) -> list[tuple[Pubkey, Account]]:
    """The accounts of the first slot."""
    return [
        (WSOL_MINT, Account(_MINT_LAMPORTS, _NATIVE_MINT, SPL_TOKEN)),
        (NATIVE_MINT_2022, Account(_MINT_LAMPORTS, _NATIVE_MINT, TOKEN_2022)),
        (faucet(seed).pubkey(), Account(FAUCET_LAMPORTS, b"", SYSTEM)),
        (leader(seed), Account(LEADER_LAMPORTS, b"", SYSTEM)),
    ]


def airdrop(payer: Keypair, key: Pubkey, lamports: int, count: int, blockhash: Hash) -> VersionedTransaction:
    """A transfer from ``payer``; the memo with its ``count`` keeps equal airdrops of one block apart."""
    instructions = [
        transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=key, lamports=lamports)),
        Instruction(MEMO, f"airdrop {count}".encode(), []),
    ]
    message = MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash)
    return VersionedTransaction(message, [payer])
