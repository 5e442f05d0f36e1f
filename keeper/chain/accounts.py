"""Accounts as the chain holds them, and sets of them read together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.units import Lamports, Slot

SYSTEM = Pubkey.default()
"""The system program: all zeros."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account. ``data`` is raw; ``keeper.protocols`` knows the layouts."""

    lamports: Lamports
    owner: Pubkey
    data: bytes
    executable: bool = False

    @property
    def bare(self) -> bool:
        """Lamports and nothing else: what anybody can leave at any address, also at one whose account is not open yet."""
        return self.owner == SYSTEM and not self.data


@dataclass(frozen=True, slots=True)
class AccountSnapshot:
    """Accounts and the slots they were read at; an account that does not exist is None.

    ``slot`` is the lowest context slot of the requests behind the snapshot: everything in it is at least that new.
    ``highest`` is the greatest one. Where they differ the snapshot is ``torn``: its parts may not belong together
    (and even one getMultipleAccounts is not atomic on every node: agave issue 4807).
    """

    slot: Slot
    accounts: Mapping[Pubkey, Account | None]
    highest: Slot

    @property
    def torn(self) -> bool:
        return self.slot != self.highest

    def __getitem__(self, key: Pubkey) -> Account | None:
        return self.accounts[key]

    def __iter__(self) -> Iterator[Pubkey]:
        return iter(self.accounts)

    def __len__(self) -> int:
        return len(self.accounts)

    def in_use(self, *but: Pubkey) -> AccountSnapshot:
        """Without accounts that hold lamports and nothing else, as if they did not exist, except for ``but`` (wallets).

        A program's account that is not open yet is at an address which everybody can derive: who sends a few lamports there must
        not make anybody read them as that account.
        """
        found = {
            key: None if account is not None and account.bare and key not in but else account
            for key, account in self.accounts.items()
        }
        return AccountSnapshot(self.slot, found, self.highest)

    def existing(self) -> dict[Pubkey, Account]:
        """Only the accounts that exist."""
        return {key: account for key, account in self.accounts.items() if account is not None}
