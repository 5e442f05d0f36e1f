"""The token side of a market's genesis: who holds what, written as mints and token accounts that add up."""

from __future__ import annotations

from dataclasses import dataclass

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    JUPITER_V6,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    STAKE_POOL_PROGRAM,
    SYSTEM,
    WSOL_MINT,
)
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.dex_state import AMM_DEX_PROGRAM, STABLE_DEX_PROGRAM
from keeper.sim.localnet.programs.jupiter_router import EVENT_AUTHORITY
from keeper.sim.localnet.programs.native_state import (
    MINT_SIZE,
    TOKEN_ACCOUNT_SIZE,
    encode_mint,
    encode_token_account,
)

DECIMALS = 9


@dataclass(slots=True)
class Holding:
    """One token account to be: base units of ``mint`` under ``owner``."""

    owner: Pubkey
    mint: Pubkey
    amount: int


class TokenBook:
    """Collects holdings, then writes them: supplies are sums of what was given."""

    def __init__(self, bank: BankFace) -> None:
        self._bank = bank
        self._authorities: dict[Pubkey, tuple[Pubkey, Pubkey | None]] = {}
        self._holdings: dict[Pubkey, Holding] = {}

    def mint(self, mint: Pubkey, authority: Pubkey, *, freeze_authority: Pubkey | None = None) -> None:
        """Declare a mint. The native mint exists in every bank and is not declared."""
        self._authorities[mint] = (authority, freeze_authority)

    def give(self, owner: Pubkey, mint: Pubkey, amount: int) -> Pubkey:
        """Add ``amount`` to the owner's associated account and return its address."""
        address = cpi.associated_address(owner, mint)
        self.give_at(address, owner, mint, amount)
        return address

    def give_at(self, address: Pubkey, owner: Pubkey, mint: Pubkey, amount: int) -> None:
        """Add ``amount`` to the token account at ``address``."""
        holding = self._holdings.setdefault(address, Holding(owner, mint, 0))
        holding.amount += amount

    def supply(self, mint: Pubkey) -> int:
        """Base units given so far."""
        return sum(holding.amount for holding in self._holdings.values() if holding.mint == mint)

    @property
    def accounts(self) -> dict[Pubkey, Holding]:
        return dict(self._holdings)

    def write(self) -> None:
        """Write all mints and token accounts to the bank."""
        mint_rent, account_rent = self._bank.rent_exempt(MINT_SIZE), self._bank.rent_exempt(TOKEN_ACCOUNT_SIZE)
        for mint, (authority, freeze) in self._authorities.items():
            data = encode_mint(self.supply(mint), DECIMALS, authority, freeze)
            self._bank.set_account(mint, Account(mint_rent, data, SPL_TOKEN))
        for address, holding in self._holdings.items():
            native = holding.mint == WSOL_MINT
            data = encode_token_account(
                holding.mint, holding.owner, holding.amount, native_rent=account_rent if native else None
            )
            lamports = account_rent + (holding.amount if native else 0)
            self._bank.set_account(address, Account(lamports, data, SPL_TOKEN))


def table_addresses(market: Market, book: TokenBook) -> list[Pubkey]:
    """What the market's lookup table holds: programs (for other instructions' accounts), pools, vaults, sysvars, mints."""
    pools = list(market.dex_pools.values())
    vaults = [address for address, holding in book.accounts.items() if holding.owner in pools]
    return list(
        dict.fromkeys(
            [
                SYSTEM,
                SPL_TOKEN,
                ASSOCIATED_TOKEN,
                STAKE,
                CLOCK_SYSVAR,
                STAKE_HISTORY_SYSVAR,
                STAKE_POOL_PROGRAM,
                SOLAYER_RESTAKING,
                JUPITER_V6,
                EVENT_AUTHORITY,
                STABLE_DEX_PROGRAM,
                AMM_DEX_PROGRAM,
                *market.mints.values(),
                market.stake_pool,
                market.validator_list,
                market.manager_fee,
                market.stake_pool_withdraw_authority,
                market.reserve_stake,
                market.restaking_pool,
                market.lst_vault,
                market.lrt_program,
                market.lrt_pool,
                market.ssol_vault,
                market.lrt_lst,
                market.share_escrow,
                market.sol_staging,
                *[key for validator in market.validators for key in (validator.stake, validator.transient)],
                *pools,
                *vaults,
            ]
        )
    )
