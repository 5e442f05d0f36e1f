"""The token side of a market's genesis: who holds what, written as mints and token accounts that add up."""

from __future__ import annotations

from dataclasses import dataclass

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    CLOCK_SYSVAR,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    JUPITER_V6,
    RENT_SYSVAR,
    SOLAYER_RESTAKING,
    SPL_TOKEN,
    STAKE,
    STAKE_HISTORY_SYSVAR,
    STAKE_POOL_PROGRAM,
    SYSTEM,
    TOKEN_2022,
    WSOL_MINT,
)
from keeper.sim.localnet.interface import BankFace
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.programs.borsh import u16
from keeper.sim.localnet.programs.dex_state import AMM_DEX_PROGRAM, STABLE_DEX_PROGRAM
from keeper.sim.localnet.programs.glow_margin_tokens import associated_address
from keeper.sim.localnet.programs.jupiter_router import EVENT_AUTHORITY
from keeper.sim.localnet.programs.native_state import (
    MINT_SIZE,
    TOKEN_ACCOUNT_SIZE,
    encode_mint,
    encode_token_account,
)

DECIMALS = 9
IMMUTABLE_OWNER = b"\x02" + u16(7) + u16(0)
"""What the ATA program leaves behind every Token-2022 account: the type byte and one extension without data."""


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
        self._programs: dict[Pubkey, Pubkey] = {}

    def _program(self, mint: Pubkey) -> Pubkey:
        return self._programs.get(mint, SPL_TOKEN)

    def mint(
        self,
        mint: Pubkey,
        authority: Pubkey,
        *,
        freeze_authority: Pubkey | None = None,
        program: Pubkey = SPL_TOKEN,
    ) -> None:
        """Declare a mint of ``program``. The native mint exists in every bank and is not declared."""
        self._authorities[mint] = (authority, freeze_authority)
        self._programs[mint] = program

    def give(self, owner: Pubkey, mint: Pubkey, amount: int) -> Pubkey:
        """Add ``amount`` to the owner's associated account and return its address. A Token-2022 mint is declared before."""
        address = associated_address(owner, mint, self._program(mint))
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
        mint_rent = self._bank.rent_exempt(MINT_SIZE)
        for mint, (authority, freeze) in self._authorities.items():
            data = encode_mint(self.supply(mint), DECIMALS, authority, freeze)
            self._bank.set_account(mint, Account(mint_rent, data, self._program(mint)))
        for address, holding in self._holdings.items():
            self._bank.set_account(address, self._token_account(address, holding))

    def _token_account(self, address: Pubkey, holding: Holding) -> Account:
        program, native = self._program(holding.mint), holding.mint == WSOL_MINT
        rent = self._bank.rent_exempt(TOKEN_ACCOUNT_SIZE)
        data = encode_token_account(holding.mint, holding.owner, holding.amount, native_rent=rent if native else None)
        if program == TOKEN_2022 and address == associated_address(holding.owner, holding.mint, program):
            data += IMMUTABLE_OWNER
            rent = self._bank.rent_exempt(len(data))
        return Account(rent + (holding.amount if native else 0), data, program)


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
                *_lending_addresses(market),
            ]
        )
    )


def _lending_addresses(market: Market) -> list[Pubkey]:
    """What lending instructions name, of a market that lends."""
    if not market.lending_pools:
        return []
    listed = [GLOW_MARGIN, GLOW_MARGIN_POOL, TOKEN_2022, RENT_SYSVAR, market.airspace, *market.adapter_configs.values()]
    listed += market.feeds.values()
    listed += [token.config for token in market.raw_tokens.values()]
    for pool in market.lending_pools.values():
        listed += [pool.pool, pool.vault, pool.deposit_note_mint, pool.loan_note_mint, pool.fee_destination]
        listed += [pool.deposit_metadata, pool.deposit_config, pool.loan_config]
    return listed
