"""Genesis of the lending market: airspace, pools with lenders and a resident borrower, configurations, price feeds.

Everything is written as if it had grown: a pool's notes are its holders' sums, its vault holds what it booked as idle, its loan
notes lie in the borrower's loan account, and the borrower's margin account carries both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    GLOW_METADATA,
    SYSTEM,
    TOKEN_2022,
)
from keeper.sim.localnet.interface import BankFace, ModelProgram
from keeper.sim.localnet.lending_addresses import ADAPTER_CONFIGS, AIRSPACE, LendingPoolAddresses, oracle_of
from keeper.sim.localnet.market_addresses import Market
from keeper.sim.localnet.market_book import TokenBook
from keeper.sim.localnet.programs import glow_margin_pool_accounts as pool_pda
from keeper.sim.localnet.programs.curves import Rate
from keeper.sim.localnet.programs.glow_margin import margin_programs
from keeper.sim.localnet.programs.glow_margin_config import (
    AdapterConfig,
    Airspace,
    AirspacePermit,
    ConfigKind,
    Permission,
    Permit,
    TokenConfig,
    airspace_permit_address,
    permit_address,
)
from keeper.sim.localnet.programs.glow_margin_pool import GlowMarginPoolProgram
from keeper.sim.localnet.programs.glow_margin_pool_number import of_integer
from keeper.sim.localnet.programs.glow_margin_pool_state import MarginPool, PoolConfig
from keeper.sim.localnet.programs.glow_margin_positions import register
from keeper.sim.localnet.programs.glow_margin_state import MarginAccount, margin_account_address

SOL = 10**9
DECIMALS = 9
BPS = 10_000
DEPOSIT_NOTE, LOAN_NOTE = Rate(102, 100), Rate(105, 100)


@dataclass(frozen=True, slots=True)
class LendingPoolConfig:
    """One pool at genesis. ``supplied``: base units that lenders own in it, of which ``utilisation_bps`` is borrowed.

    ``deposit_note`` and ``loan_note``: tokens a note is worth and owes, as a past of interest has left them.
    """

    symbol: str
    supplied: int
    utilisation_bps: int
    parameters: PoolConfig = field(default_factory=PoolConfig)
    deposit_note: Rate = DEPOSIT_NOTE
    loan_note: Rate = LOAN_NOTE


LENDING_POOLS = (
    LendingPoolConfig("SOL", 20_000 * SOL, 5_000),
    LendingPoolConfig("sSOL", 4_000 * SOL, 3_000, deposit_note=Rate(1_005, 1_000), loan_note=Rate(102, 100)),
)


@dataclass(frozen=True, slots=True)
class LendingConfig:
    """Sizes and parameters of the lending market; the airspace is Glow's public one, unrestricted.

    ``raw``: tokens that margin accounts take as they are. Weights and leverage in hundredths, staleness in seconds.
    ``borrower_collateral``: sSOL of the resident borrower, who owes what the pools have lent; ``borrower_idle``: base units of
    each pool's token in its wallet, to repay from. ``token_features``: bit 4 is "SOL based".
    """

    pools: tuple[LendingPoolConfig, ...] = LENDING_POOLS
    raw: tuple[str, ...] = ("SOL", "sSOL", "glowSOL")
    collateral_weight: int = 95
    loan_leverage: int = 400
    max_staleness: int = 30
    token_features: int = 4
    borrower_collateral: int = 60_000 * SOL
    borrower_idle: int = 12_000 * SOL
    wallet_lamports: int = 1_000 * SOL
    published_repay: bool = False
    """The pool program measures debts in ``repay`` as its public source does (``programs.glow_margin_pool``)."""


def lending_models(config: LendingConfig) -> list[ModelProgram]:
    """The programs of the lending market that are modelled."""
    return [GlowMarginPoolProgram(published_repay=config.published_repay), *margin_programs()]


@dataclass(frozen=True, slots=True)
class LendingGenesis:
    """Writes one market's lending side. ``book`` collects its tokens and is written by the caller."""

    bank: BankFace
    market: Market
    config: LendingConfig
    book: TokenBook

    def write(self) -> None:
        """Raises ``ValueError`` for a pool whose token has no price or whose utilisation lies outside 0..100 %."""
        self._put(GLOW_AIRSPACE, AIRSPACE, Airspace(self.market.admin.pubkey()).encode())
        for program, address in ADAPTER_CONFIGS.items():
            self._put(GLOW_MARGIN, address, AdapterConfig(AIRSPACE, program).encode())
        liquidator = self.market.liquidator.pubkey()
        permit = Permit(AIRSPACE, liquidator, Permission.LIQUIDATE)
        self._put(GLOW_MARGIN, permit_address(AIRSPACE, liquidator), permit.encode())
        for wallet in (self.market.liquidator, self.market.borrower, self.market.fee_owner, self.market.holders):
            self.bank.set_account(wallet.pubkey(), Account(self.config.wallet_lamports, b"", SYSTEM))
        raw = {symbol: self._raw_config(symbol) for symbol in self.config.raw}
        loans = {}
        for spec in self.config.pools:
            if not 0 <= spec.utilisation_bps < BPS or spec.supplied <= 0:
                raise ValueError(
                    f"lending pool {spec.symbol}: utilisation_bps must lie in 0..9999 and supplied be positive, "
                    f"got {spec.utilisation_bps} and {spec.supplied}"
                )
            loans[spec.symbol] = self._pool(spec)
        self._borrower(raw, loans)

    def _put(self, program: Pubkey, address: Pubkey, data: bytes) -> None:
        self.bank.set_account(address, Account(self.bank.rent_exempt(len(data)), data, program))

    # configurations

    def _raw_config(self, symbol: str) -> TokenConfig:
        token = self.market.raw_tokens[symbol]
        config = TokenConfig(
            mint=token.mint,
            airspace=AIRSPACE,
            token_kind=ConfigKind.COLLATERAL,
            value_modifier=self.config.collateral_weight,
            max_staleness=self.config.max_staleness,
            admin=oracle_of(symbol),
            underlying_mint=token.mint,
            token_features=self.config.token_features,
        )
        self._put(GLOW_MARGIN, token.config, config.encode())
        return config

    def _note_config(self, pool: LendingPoolAddresses, kind: ConfigKind) -> TokenConfig:
        deposit = kind is ConfigKind.COLLATERAL
        note = pool.deposit_note_mint if deposit else pool.loan_note_mint
        modifier = self.config.collateral_weight if deposit else self.config.loan_leverage
        config = TokenConfig(
            mint=note,
            airspace=AIRSPACE,
            token_kind=kind,
            value_modifier=modifier,
            max_staleness=self.config.max_staleness,
            admin=GLOW_MARGIN_POOL,
            mint_token_program=TOKEN_2022,
            underlying_mint=pool.mint,
            underlying_token_program=pool.token_program,
            token_features=self.config.token_features,
        )
        self._put(GLOW_MARGIN, pool.deposit_config if deposit else pool.loan_config, config.encode())
        metadata = pool_pda.PositionTokenMetadata(
            airspace=AIRSPACE,
            position_token_mint=note,
            underlying_token_mint=pool.mint,
            adapter_program=GLOW_MARGIN_POOL,
            token_program=TOKEN_2022,
            token_kind=1 if deposit else 2,
            value_modifier=modifier,
            max_staleness=self.config.max_staleness,
            token_features=self.config.token_features,
        )
        self._put(GLOW_METADATA, pool.deposit_metadata if deposit else pool.loan_metadata, metadata.encode())
        return config

    # pools

    def _pool(self, spec: LendingPoolConfig) -> TokenConfig:
        """Writes a pool and its lenders' notes; the configuration of its loan note."""
        where = self.market.lending_pools[spec.symbol]
        borrowed = spec.supplied * spec.utilisation_bps // BPS
        pool = MarginPool(
            bump=pool_pda.pool_address(AIRSPACE, where.mint)[1],
            airspace=AIRSPACE,
            vault=where.vault,
            fee_destination=where.fee_destination,
            deposit_note_mint=where.deposit_note_mint,
            loan_note_mint=where.loan_note_mint,
            token_mint=where.mint,
            address=where.pool,
            config=spec.parameters,
            borrowed=of_integer(borrowed),
            deposit_tokens=spec.supplied - borrowed,
            deposit_notes=spec.deposit_note.unscale(spec.supplied),
            loan_notes=spec.loan_note.unscale(borrowed),
            accrued_until=self.bank.clock.unix_timestamp,
            oracle=oracle_of(spec.symbol),
        )
        self._put(GLOW_MARGIN_POOL, where.pool, pool.encode())
        token_metadata = pool_pda.encode_token_metadata(AIRSPACE, where.mint, pool.oracle)
        self._put(GLOW_METADATA, where.token_metadata, token_metadata)
        for note in (where.deposit_note_mint, where.loan_note_mint):
            self.book.mint(note, where.pool, program=TOKEN_2022)
        self.book.give_at(where.vault, where.pool, where.mint, pool.deposit_tokens)
        self.book.give_at(where.fee_destination, self.market.fee_owner.pubkey(), where.deposit_note_mint, 0)
        self.book.give(self.market.holders.pubkey(), where.deposit_note_mint, pool.deposit_notes)
        loan_account = pool_pda.loan_account_address(self.market.borrower_account, where.loan_note_mint)[0]
        self.book.give_at(loan_account, where.pool, where.loan_note_mint, pool.loan_notes)
        self.book.give(self.market.borrower.pubkey(), where.mint, self.config.borrower_idle)
        self.book.give(self.market.holders.pubkey(), where.mint, 0)
        self._note_config(where, ConfigKind.COLLATERAL)
        return self._note_config(where, ConfigKind.CLAIM)

    # the resident borrower

    def _borrower(self, raw: Mapping[str, TokenConfig], loans: Mapping[str, TokenConfig]) -> None:
        owner, address = self.market.borrower.pubkey(), self.market.borrower_account
        permit, _ = airspace_permit_address(AIRSPACE, owner)
        self._put(GLOW_AIRSPACE, permit, AirspacePermit(AIRSPACE, owner, owner).encode())
        account = MarginAccount(owner, AIRSPACE, margin_account_address(owner, AIRSPACE, 0)[1])
        now = self.bank.clock.unix_timestamp
        if "sSOL" in raw:
            tokens = self.book.give(address, self.market.ssol_mint, self.config.borrower_collateral)
            register(account, raw["sSOL"], DECIMALS, tokens, owner=True, adapter=None)
            account.positions[-1].set_balance(self.config.borrower_collateral, now)
        for symbol, config in loans.items():
            pool = self.market.lending_pools[symbol]
            loan = pool_pda.loan_account_address(address, pool.loan_note_mint)[0]
            register(account, config, DECIMALS, loan, owner=True, adapter=GLOW_MARGIN_POOL)
            account.positions[-1].set_balance(self.book.accounts[loan].amount, now)
        self._put(GLOW_MARGIN, address, account.encode())
