"""Where builders build: the step, the wallet, the market, and the accounts as one read of the chain showed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.execution.lending_sight import LendingSight
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Atomic, Intent
from keeper.protocols.addresses import CLOCK_SYSVAR, RENT_SYSVAR
from keeper.protocols.layout import LayoutError
from keeper.protocols.market import LrtAddresses, Market
from keeper.protocols.sysvars import Clock, Rent, decode_clock, decode_rent
from keeper.protocols.token import associated_token_address, create_ata_idempotent
from keeper.units import Mint
from keeper.venues.door import SwapInstructions


@dataclass(frozen=True, slots=True)
class Fragment:
    """The instructions of one intent, in order. ``own`` are those that our builders made, the rest a venue's."""

    instructions: tuple[Instruction, ...]
    own: tuple[Instruction, ...]
    tables: tuple[Pubkey, ...] = ()


def ours(*instructions: Instruction) -> Fragment:
    """A fragment that is all ours."""
    return Fragment(instructions, instructions)


@dataclass(frozen=True, slots=True)
class Site:
    """What builders may look at. ``position`` is that of the intent being built in ``step``; ``swaps`` are the venues'
    instructions, by the position of their intent; ``sight`` is the lending market, where the step needs it."""

    owner: Pubkey
    market: Market
    step: Atomic
    position: int
    accounts: AccountSnapshot
    swaps: Mapping[int, SwapInstructions]
    sight: LendingSight | None = None

    @property
    def earlier(self) -> tuple[Intent, ...]:
        """The intents of the step that run before the one being built."""
        return self.step.intents[: self.position]

    def token_account(self, mint: Mint) -> Pubkey:
        """The wallet's associated account for ``mint``."""
        return associated_token_address(self.owner, Pubkey.from_string(mint.address))

    def exists(self, key: Pubkey) -> bool:
        return self.accounts.accounts.get(key) is not None

    def ensure(self, mint: Mint) -> tuple[Instruction, ...]:
        """Creates the wallet's account for ``mint`` where it is missing."""
        if self.exists(self.token_account(mint)):
            return ()
        return (create_ata_idempotent(self.owner, self.owner, Pubkey.from_string(mint.address)),)

    def account(self, key: Pubkey, what: str) -> Account:
        """An account that must exist. Raises ``Refusal("account_missing")``."""
        found = self.accounts.accounts.get(key)
        if found is None:
            raise Refusal(Stage.COMPILE, "account_missing", f"{what} {key} does not exist", account=str(key), what=what)
        return found

    @property
    def clock(self) -> Clock:
        """The chain's clock, as of the same read."""
        account = self.account(CLOCK_SYSVAR, "Clock sysvar")
        try:
            return decode_clock(account.data, owner=account.owner)
        except LayoutError as error:
            raise Refusal(Stage.COMPILE, "account_malformed", str(error), account=str(CLOCK_SYSVAR)) from error

    @property
    def rent(self) -> Rent:
        """What accounts must hold now."""
        account = self.account(RENT_SYSVAR, "Rent sysvar")
        try:
            return decode_rent(account.data, owner=account.owner)
        except LayoutError as error:
            raise Refusal(Stage.COMPILE, "account_malformed", str(error), account=str(RENT_SYSVAR)) from error

    def lending(self) -> LendingSight:
        """The lending market. Raises ``Refusal("no_lending_market")`` where none is configured."""
        if self.sight is None:
            raise Refusal(Stage.COMPILE, "no_lending_market", "the plan needs a lending market, and none is configured")
        return self.sight

    def lrt(self) -> LrtAddresses:
        """The restaking program. Raises ``Refusal("no_lrt_access")`` in the mode without it."""
        if self.market.lrt is None:
            raise Refusal(
                Stage.COMPILE,
                "no_lrt_access",
                "the plan needs the restaking program, and the keeper runs without its IDL",
            )
        return self.market.lrt
