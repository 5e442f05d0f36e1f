"""Token balances before and after a transaction, as getTransaction shows them.

Layout: SPL Token account, 165 bytes (mint 0..32, owner 32..64, amount u64 at 64, state at 108); Token-2022 appends an account
type byte at 165 (2 = account) and extensions. Mint decimals: byte 44.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import SPL_TOKEN, TOKEN_2022
from keeper.sim.localnet.interface import TokenBalance

TOKEN_PROGRAMS = (SPL_TOKEN, TOKEN_2022)
ACCOUNT_BYTES = 165
_MULTISIG_BYTES = 355
_MINT_BYTES = 82
_ACCOUNT_TYPE = 2


def is_token_account(account: Account) -> bool:
    """Whether ``account`` is an initialised token account of either token program."""
    if account.owner not in TOKEN_PROGRAMS:
        return False
    return is_token_data(bytes(account.data))


def is_token_data(data: bytes) -> bool:
    """Whether ``data`` of a token program's account is an initialised token account (not a mint, not a multisig)."""
    if len(data) < ACCOUNT_BYTES or len(data) == _MULTISIG_BYTES or data[108] == 0:
        return False
    return len(data) == ACCOUNT_BYTES or data[ACCOUNT_BYTES] == _ACCOUNT_TYPE


class TokenBalances:
    """Reads the token balances of a transaction's accounts."""

    def __init__(self, account: Callable[[Pubkey], Account | None]) -> None:
        self._account = account

    def read(self, keys: Sequence[Pubkey], state: Mapping[Pubkey, Account | None]) -> tuple[TokenBalance, ...]:
        """Balances of those ``keys`` that are token accounts; ``state`` holds accounts already read.

        As on a validator, a transaction that names no token program shows none.
        """
        if not any(program in keys for program in TOKEN_PROGRAMS):
            return ()
        found = []
        for index, key in enumerate(keys):
            if key in TOKEN_PROGRAMS:
                continue
            account = state[key] if key in state else self._account(key)
            if account is None or account.owner not in TOKEN_PROGRAMS:
                continue
            balance = self._balance(index, account)
            if balance is not None:
                found.append(balance)
        return tuple(found)

    def _balance(self, index: int, account: Account) -> TokenBalance | None:
        data = bytes(account.data)
        if not is_token_data(data):
            return None
        mint = Pubkey.from_bytes(data[:32])
        mint_account = self._account(mint)
        if mint_account is None:
            return None
        mint_data = bytes(mint_account.data)
        if len(mint_data) < _MINT_BYTES:
            return None
        return TokenBalance(
            account_index=index,
            mint=mint,
            owner=Pubkey.from_bytes(data[32:64]),
            token_program=account.owner,
            amount=int.from_bytes(data[64:72], "little"),
            decimals=mint_data[44],
        )
