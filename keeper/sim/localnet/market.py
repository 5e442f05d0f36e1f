"""Genesis of a whole glowSOL market on a bank: Solayer at its mainnet addresses, the LRT, DEX pools, traders.

Everything is written before the first transaction, as if it had grown: supplies equal the sum of their holders, every pool is
backed, every rate follows from balances.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from solders.account import Account
from solders.pubkey import Pubkey

from keeper.protocols.addresses import (
    ADDRESS_LOOKUP_TABLE,
    GLOW_LRT,
    LST_MINT,
    RESTAKING_POOL,
    SOLAYER_MANAGER_FEE,
    SOLAYER_RESTAKING,
    SOLAYER_STAKE_POOL,
    SOLAYER_VALIDATOR_LIST,
    SSOL_MINT,
    STAKE,
    STAKE_POOL_PROGRAM,
    SYSTEM,
    WSOL_MINT,
)
from keeper.sim.localnet.interface import BankFace, ModelProgram
from keeper.sim.localnet.lending_addresses import LendingPoolAddresses, RawToken
from keeper.sim.localnet.market_addresses import (
    GLOWSOL_MINT,
    LRT_POOL,
    Market,
    ValidatorAccounts,
    derived_keypair,
)
from keeper.sim.localnet.market_book import TokenBook, table_addresses
from keeper.sim.localnet.market_lending import LendingConfig, LendingGenesis, lending_models
from keeper.sim.localnet.market_rates import RATE_SCALE, relative_rate
from keeper.sim.localnet.oracles import Oracles
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.curves import UNSCALED, Rate
from keeper.sim.localnet.programs.dex_pool import dex_programs
from keeper.sim.localnet.programs.dex_state import (
    AMM_DEX_PROGRAM,
    STABLE_DEX_PROGRAM,
    Curve,
    DexPool,
    pool_address,
)
from keeper.sim.localnet.programs.glow_lrt import GlowLrtProgram
from keeper.sim.localnet.programs.glow_lrt_idl import idl_account_data, lrt_idl
from keeper.sim.localnet.programs.glow_lrt_state import POOL_SIZE, WAITING_PERIOD, LrtPool
from keeper.sim.localnet.programs.glow_lrt_state import pool_address as lrt_pool_address
from keeper.sim.localnet.programs.jupiter_router import JupiterProgram
from keeper.sim.localnet.programs.native_state import (
    STAKE_ACCOUNT_SIZE,
    U64_MAX,
    Delegation,
    StakeMeta,
    StakeState,
    encode_lookup_table,
)
from keeper.sim.localnet.programs.solayer import (
    RestakingPoolState,
    SolayerRestakingProgram,
    restaking_pool_address,
)
from keeper.sim.localnet.programs.stake_pool import StakePoolProgram
from keeper.sim.localnet.programs.stake_pool_state import (
    NO_FEE,
    Fee,
    StakePoolState,
    ValidatorList,
    ValidatorRecord,
    deposit_authority,
    withdraw_authority,
)

SOL = 10**9
MAX_VALIDATORS = 40
LST_RATE = Rate(116, 100)
LRT_RATE = Rate(105, 100)
EPOCH_FEE = Fee(100, 7)
WITHDRAWAL_FEE = Fee(10_000, 8)


@dataclass(frozen=True, slots=True)
class DexPoolConfig:
    """A DEX pool at genesis, balanced at the redemption rate. ``depth``: lamports of value on each side."""

    token_a: str
    token_b: str
    depth: int
    fee_bps: int
    curve: Curve = Curve.STABLE_SWAP
    amplification: int = 50

    @property
    def name(self) -> str:
        kind = "stable" if self.curve is Curve.STABLE_SWAP else "amm"
        return f"{self.token_a}/{self.token_b} {kind}"


DEX_POOLS = (
    DexPoolConfig("glowSOL", "SOL", 3_000 * SOL, 8),
    DexPoolConfig("glowSOL", "sSOL", 1_000 * SOL, 10),
    DexPoolConfig("sSOL", "SOL", 6_000 * SOL, 5),
    DexPoolConfig("glowSOL", "SOL", 400 * SOL, 20, Curve.CONSTANT_PRODUCT),
)


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """Sizes of the market. Amounts in lamports or base units; rates as ratios (SOL per token).

    Raises ``ValueError`` in ``create_market`` where the sizes contradict each other.
    """

    seed: int = 0
    stake_pool_lamports: int = 600_000 * SOL
    lst_rate: Rate = LST_RATE
    reserve_lamports: int = 4_000 * SOL
    validators: int = 4
    epoch_fee: Fee = EPOCH_FEE
    withdrawal_fee: Fee = WITHDRAWAL_FEE
    sol_deposit_fee: Fee = NO_FEE
    restaked_bps: int = 9_000
    lrt_assets: int = 40_000 * SOL
    lrt_rate: Rate = LRT_RATE
    lrt_liquid: int = 500 * SOL
    lrt_deposit_cap: int = 250_000 * SOL
    lrt_waiting_period: int = WAITING_PERIOD
    lrt_cancel_fee_bps: int = 10
    dex_pools: tuple[DexPoolConfig, ...] = DEX_POOLS
    traders: int = 2
    trader_lamports: int = 20_000 * SOL
    trader_tokens: int = 4_000 * SOL
    operator_lamports: int = 1_000 * SOL
    lending: LendingConfig | None = field(default_factory=LendingConfig)
    """Glow's lending market; None for a market without it."""


def models(lending: LendingConfig | None = None) -> list[ModelProgram]:
    """Every program of the market that is modelled; without ``lending`` none of the lending market's."""
    staking: list[ModelProgram] = [StakePoolProgram(), SolayerRestakingProgram(), GlowLrtProgram()]
    return [*staking, JupiterProgram(), *dex_programs(), *(lending_models(lending) if lending is not None else [])]


def create_market(bank: BankFace, config: MarketConfig | None = None) -> Market:
    """Write the market's accounts and register its models on ``bank``.

    Raises ``ValueError`` when the configured sizes contradict each other (holders would own more than the supply).
    """
    config = config or MarketConfig()
    for program in models(config.lending):
        bank.add_model(program)
    market = _market(bank, config)
    book = TokenBook(bank)
    _fund_wallets(bank, market, config)
    pool = _stake_pool(bank, market, config, book)
    _lrt(bank, market, config, book, pool)
    values = {
        WSOL_MINT: UNSCALED,
        SSOL_MINT: Rate(pool.total_lamports, pool.pool_token_supply),
        LST_MINT: Rate(pool.total_lamports, pool.pool_token_supply),
        GLOWSOL_MINT: config.lrt_rate,
    }
    for spec in config.dex_pools:
        _dex_pool(bank, market, spec, book, values)
    for trader in market.traders:
        for mint in (SSOL_MINT, GLOWSOL_MINT):
            book.give(trader.pubkey(), mint, config.trader_tokens)
        book.give(trader.pubkey(), WSOL_MINT, config.trader_lamports // 2)
    if config.lending is not None:
        LendingGenesis(bank, market, config.lending, book).write()
    _supplies(market, config, book, pool)
    book.write()
    if config.lending is not None:
        Oracles(bank, market).publish(bank.clock)
    table = encode_lookup_table(table_addresses(market, book), market.operator.pubkey(), max(0, bank.clock.slot - 1))
    bank.set_account(market.lookup_table, Account(bank.rent_exempt(len(table)), table, ADDRESS_LOOKUP_TABLE))
    return market


def _market(bank: BankFace, config: MarketConfig) -> Market:
    operator = derived_keypair("operator", config.seed)
    slot = max(0, bank.clock.slot - 1)
    table = Pubkey.find_program_address([bytes(operator.pubkey()), slot.to_bytes(8, "little")], ADDRESS_LOOKUP_TABLE)[0]
    fee_owner = derived_keypair("fee owner", config.seed)
    lending = config.lending
    return Market(
        lookup_table=table,
        validators=tuple(ValidatorAccounts.of(index) for index in range(config.validators)),
        dex_pools={spec.name: _dex_address(spec) for spec in config.dex_pools},
        operator=operator,
        admin=derived_keypair("admin", config.seed),
        traders=tuple(derived_keypair(f"trader {index}", config.seed) for index in range(config.traders)),
        holders=derived_keypair("holders", config.seed),
        liquidator=derived_keypair("liquidator", config.seed),
        borrower=derived_keypair("borrower", config.seed),
        fee_owner=fee_owner,
        lending_pools={
            spec.symbol: LendingPoolAddresses.of(spec.symbol, _mint(spec.symbol), fee_owner.pubkey())
            for spec in (lending.pools if lending is not None else ())
        },
        raw_tokens={
            symbol: RawToken.of(symbol, _mint(symbol)) for symbol in (lending.raw if lending is not None else ())
        },
    )


def _fund_wallets(bank: BankFace, market: Market, config: MarketConfig) -> None:
    wallets = {market.operator: config.operator_lamports, market.admin: config.operator_lamports}
    wallets |= dict.fromkeys(market.traders, config.trader_lamports)
    for keypair, lamports in wallets.items():
        bank.set_account(keypair.pubkey(), Account(lamports, b"", SYSTEM))


def _stake_pool(bank: BankFace, market: Market, config: MarketConfig, book: TokenBook) -> StakePoolState:
    """The pool, its validators' stake and its reserve. Lamports beyond the reserve are spread over the validators."""
    authority, bump = withdraw_authority(SOLAYER_STAKE_POOL)
    rent = bank.rent_exempt(STAKE_ACCOUNT_SIZE)
    meta = StakeMeta(rent, authority, authority)
    staked = config.stake_pool_lamports - config.reserve_lamports
    if staked <= config.validators * (rent + SOL):
        raise ValueError("stake_pool_lamports must exceed reserve_lamports by more than a SOL for every validator")
    epoch = bank.clock.epoch
    records = []
    for index, validator in enumerate(market.validators):
        lamports = staked // config.validators + (staked % config.validators if index == 0 else 0)
        delegation = Delegation(validator.vote, lamports - rent, U64_MAX, U64_MAX, 0)
        bank.set_account(validator.stake, Account(lamports, StakeState(meta, delegation).encode(), STAKE))
        records.append(ValidatorRecord(validator.vote, active_lamports=lamports, last_update_epoch=epoch))
    listed = ValidatorList(MAX_VALIDATORS, records).encode()
    bank.set_account(SOLAYER_VALIDATOR_LIST, Account(bank.rent_exempt(len(listed)), listed, STAKE_POOL_PROGRAM))
    reserve = StakeState(meta, None).encode()
    bank.set_account(market.reserve_stake, Account(rent + config.reserve_lamports, reserve, STAKE))
    supply = config.stake_pool_lamports * config.lst_rate.denominator // config.lst_rate.numerator
    pool = StakePoolState(
        manager=market.operator.pubkey(),
        staker=market.operator.pubkey(),
        stake_deposit_authority=deposit_authority(SOLAYER_STAKE_POOL)[0],
        stake_withdraw_bump_seed=bump,
        validator_list=SOLAYER_VALIDATOR_LIST,
        reserve_stake=market.reserve_stake,
        pool_mint=LST_MINT,
        manager_fee_account=SOLAYER_MANAGER_FEE,
        total_lamports=config.stake_pool_lamports,
        pool_token_supply=supply,
        last_update_epoch=epoch,
        epoch_fee=config.epoch_fee,
        stake_withdrawal_fee=config.withdrawal_fee,
        sol_deposit_fee=config.sol_deposit_fee,
        sol_withdrawal_fee=config.withdrawal_fee,
        last_epoch_pool_token_supply=supply,
        last_epoch_total_lamports=config.stake_pool_lamports,
    )
    data = pool.encode()
    bank.set_account(SOLAYER_STAKE_POOL, Account(bank.rent_exempt(len(data)), data, STAKE_POOL_PROGRAM))
    book.mint(LST_MINT, authority)
    book.give_at(SOLAYER_MANAGER_FEE, market.operator.pubkey(), LST_MINT, 0)
    restaking = RestakingPoolState(LST_MINT, SSOL_MINT, restaking_pool_address(LST_MINT)[1]).encode()
    bank.set_account(RESTAKING_POOL, Account(bank.rent_exempt(len(restaking)), restaking, SOLAYER_RESTAKING))
    book.mint(SSOL_MINT, RESTAKING_POOL, freeze_authority=RESTAKING_POOL)
    return pool


def _lrt(bank: BankFace, market: Market, config: MarketConfig, book: TokenBook, pool: StakePoolState) -> None:
    if not 0 <= config.lrt_liquid <= config.lrt_assets:
        raise ValueError("lrt_liquid must lie within lrt_assets")
    state = LrtPool(
        bump=lrt_pool_address(GLOWSOL_MINT)[1],
        paused=False,
        admin=market.admin.pubkey(),
        glowsol_mint=GLOWSOL_MINT,
        ssol_mint=SSOL_MINT,
        lst_mint=LST_MINT,
        stake_pool=SOLAYER_STAKE_POOL,
        restaking_pool=RESTAKING_POOL,
        ssol_vault=market.ssol_vault,
        share_escrow=market.share_escrow,
        deposit_cap=config.lrt_deposit_cap,
        waiting_period=config.lrt_waiting_period,
        cancel_fee_bps=config.lrt_cancel_fee_bps,
    )
    lamports = bank.rent_exempt(POOL_SIZE) + config.lrt_liquid
    bank.set_account(LRT_POOL, Account(lamports, state.encode(), GLOW_LRT))
    ssol = pool.tokens_for_deposit(config.lrt_assets - config.lrt_liquid)
    book.mint(GLOWSOL_MINT, LRT_POOL)
    book.give(LRT_POOL, SSOL_MINT, ssol)
    book.give(LRT_POOL, LST_MINT, 0)
    book.give(LRT_POOL, GLOWSOL_MINT, 0)
    idl = idl_account_data(lrt_idl(), market.admin.pubkey())
    bank.set_account(market.lrt_idl, Account(bank.rent_exempt(len(idl)), idl, GLOW_LRT))


def _dex_address(spec: DexPoolConfig) -> Pubkey:
    return pool_address(_dex_program(spec), _mint(spec.token_a), _mint(spec.token_b))[0]


def _dex_program(spec: DexPoolConfig) -> Pubkey:
    return STABLE_DEX_PROGRAM if spec.curve is Curve.STABLE_SWAP else AMM_DEX_PROGRAM


def _mint(symbol: str) -> Pubkey:
    """Raises ``ValueError`` for a symbol that the market does not trade."""
    mints = {"SOL": WSOL_MINT, "LST": LST_MINT, "sSOL": SSOL_MINT, "glowSOL": GLOWSOL_MINT}
    if symbol not in mints:
        raise ValueError(f"unknown token {symbol!r} of a DEX pool; the market has {', '.join(mints)}")
    return mints[symbol]


def _dex_pool(bank: BankFace, market: Market, spec: DexPoolConfig, book: TokenBook, values: dict[Pubkey, Rate]) -> None:
    mint_a, mint_b = _mint(spec.token_a), _mint(spec.token_b)
    program = _dex_program(spec)
    address, bump = pool_address(program, mint_a, mint_b)
    stable = spec.curve is Curve.STABLE_SWAP
    pool = DexPool(
        program=program,
        address=address,
        bump=bump,
        curve=spec.curve,
        index=0,
        paused=False,
        fee_bps=spec.fee_bps,
        mint_a=mint_a,
        mint_b=mint_b,
        vault_a=cpi.associated_address(address, mint_a),
        vault_b=cpi.associated_address(address, mint_b),
        rate_authority=market.operator.pubkey(),
        amplification=spec.amplification,
        rate=relative_rate(values, mint_a, mint_b) if stable else Rate(RATE_SCALE, RATE_SCALE),
    )
    data = pool.encode()
    bank.set_account(address, Account(bank.rent_exempt(len(data)), data, program))
    book.give(address, mint_a, values[mint_a].unscale(spec.depth))
    book.give(address, mint_b, values[mint_b].unscale(spec.depth))


def _supplies(market: Market, config: MarketConfig, book: TokenBook, pool: StakePoolState) -> None:
    """Whoever else holds the tokens is one wallet, ``holders``, so that every supply has owners."""
    ssol_supply = pool.pool_token_supply * config.restaked_bps // 10_000
    book.give(RESTAKING_POOL, LST_MINT, ssol_supply)
    glowsol_supply = config.lrt_assets * config.lrt_rate.denominator // config.lrt_rate.numerator
    for symbol, supply in (("LST", pool.pool_token_supply), ("sSOL", ssol_supply), ("glowSOL", glowsol_supply)):
        mint = market.mints[symbol]
        others = supply - book.supply(mint)
        if others < 0:
            raise ValueError(
                f"the market's pools and traders hold {-others} base units of {symbol} more than its supply"
            )
        book.give(market.holders.pubkey(), mint, others)


__all__ = ["GLOWSOL_MINT", "DexPoolConfig", "LendingConfig", "Market", "MarketConfig", "create_market"]
