"""A small chain with the margin program, one raw collateral token, the notes of one pool, price feeds and a scripted adapter."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from solders.account import Account
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from keeper.protocols.addresses import (
    GLOW_AIRSPACE,
    GLOW_MARGIN,
    GLOW_MARGIN_POOL,
    PYTH_RECEIVER,
    SOL_USD_FEED,
    SPL_TOKEN,
    SYSTEM,
    TOKEN_2022,
)
from keeper.sim.localnet.bank import Bank
from keeper.sim.localnet.interface import BankConfig, InvokeContext, TransactionRecord
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.glow_margin import margin_programs
from keeper.sim.localnet.programs.glow_margin_liquidation_state import LiquidationState, liquidation_address
from keeper.sim.localnet.programs.glow_margin_state import (
    AccountPosition,
    AdapterConfig,
    Airspace,
    ConfigKind,
    MarginAccount,
    Permit,
    PositionKind,
    PriceInfo,
    PythPullRedemption,
    TokenConfig,
    adapter_config_address,
    permit_address,
    token_config_address,
)
from keeper.sim.localnet.programs.native_state import encode_mint, encode_token_account
from keeper.sim.localnet.programs.pyth_feed import PriceUpdate
from tests.localnet_programs.margin_calls import (
    AIRSPACE,
    GLOWSOL,
    LIQUIDATOR,
    LOAN,
    LOAN_NOTES,
    MARGIN,
    NOTE,
    OWNER,
    QUOTE_ACCOUNT,
    RATE_ACCOUNT,
    RATE_FEED,
    RAW,
    SOL,
    STRANGER,
    WALLET_RAW,
    create_account,
    create_deposit_position,
    create_permit,
    refresh,
    transfer_deposit,
)


def _idle(_: InvokeContext) -> None:
    """An adapter that does nothing."""


@dataclass
class ScriptedPool:
    """At the margin pool's address: does what the test says."""

    run: Callable[[InvokeContext], None] = _idle
    calls: list[InvokeContext] = field(default_factory=list)
    program_id: Pubkey = GLOW_MARGIN_POOL
    name: str = "scripted_pool"

    def process(self, ctx: InvokeContext) -> None:
        self.calls.append(ctx)
        self.run(ctx)


class MarginBox:
    """``glowSOL`` is worth 1.25 SOL at 200 USD: 250 USD. The owner holds 100 of it in the wallet."""

    def __init__(self) -> None:
        self.bank = Bank(BankConfig(seed=5, warp=5))
        self.pool = ScriptedPool()
        for model in (*margin_programs(), self.pool):
            self.bank.add_model(model)
        for wallet in (OWNER, LIQUIDATOR, STRANGER):
            self.put(wallet.pubkey(), b"", SYSTEM, 100 * SOL)
        self.put(AIRSPACE, Airspace(STRANGER.pubkey()).encode(), GLOW_AIRSPACE)
        config = AdapterConfig(AIRSPACE, GLOW_MARGIN_POOL)
        self.put(adapter_config_address(AIRSPACE, GLOW_MARGIN_POOL), config.encode(), GLOW_MARGIN)
        self.put(GLOWSOL, encode_mint(1_000 * SOL, 9, OWNER.pubkey()), SPL_TOKEN)
        for mint in (NOTE, LOAN):
            self.put(mint, encode_mint(0, 9, OWNER.pubkey()), TOKEN_2022)
        self.token(WALLET_RAW, GLOWSOL, OWNER.pubkey(), 100 * SOL)
        self.configure(self.raw_config())
        self.configure(TokenConfig(NOTE, AIRSPACE, ConfigKind.COLLATERAL, 90, 0, GLOW_MARGIN_POOL, TOKEN_2022))
        self.configure(TokenConfig(LOAN, AIRSPACE, ConfigKind.CLAIM, 400, 0, GLOW_MARGIN_POOL, TOKEN_2022))
        self.publish()

    @staticmethod
    def raw_config(modifier: int = 95, staleness: int = 30, features: int = 0) -> TokenConfig:
        oracle = PythPullRedemption(RATE_FEED, SOL_USD_FEED)
        config = TokenConfig(GLOWSOL, AIRSPACE, ConfigKind.COLLATERAL, modifier, staleness, oracle)
        config.token_features = features
        return config

    # accounts

    def put(self, account: Pubkey, data: bytes, owner: Pubkey, lamports: int | None = None) -> None:
        balance = self.bank.rent_exempt(len(data)) if lamports is None else lamports
        self.bank.set_account(account, Account(balance, data, owner))

    def token(self, account: Pubkey, mint: Pubkey, owner: Pubkey, amount: int, program: Pubkey = SPL_TOKEN) -> None:
        self.put(account, encode_token_account(mint, owner, amount), program)

    def configure(self, config: TokenConfig) -> None:
        self.put(token_config_address(config.airspace, config.mint), config.encode(), GLOW_MARGIN)

    def permit(self, owner: Pubkey, permissions: int, airspace: Pubkey = AIRSPACE) -> Pubkey:
        address = permit_address(airspace, owner)
        self.put(address, Permit(airspace, owner, permissions).encode(), GLOW_MARGIN)
        return address

    def data(self, account: Pubkey) -> bytes:
        found = self.bank.get_account(account)
        assert found is not None, f"{account} does not exist"
        return bytes(found.data)

    def amount(self, account: Pubkey) -> int:
        return int.from_bytes(self.data(account)[64:72], "little")

    @property
    def margin(self) -> MarginAccount:
        return MarginAccount.decode(self.data(MARGIN))

    @margin.setter
    def margin(self, state: MarginAccount) -> None:
        self.put(MARGIN, state.encode(), GLOW_MARGIN)

    @property
    def liquidation(self) -> LiquidationState:
        return LiquidationState.decode(self.data(liquidation_address(MARGIN, LIQUIDATOR.pubkey())[0]))

    # prices and time

    @property
    def now(self) -> int:
        return self.bank.clock.unix_timestamp

    def publish(
        self,
        rate: int = 125_000_000,
        quote: int = 20_000_000_000,
        *,
        conf: int = 10_000,
        ema: int | None = None,
        age: int = 0,
        signatures: int | None = None,
        feed: bytes = RATE_FEED,
        owner: Pubkey = PYTH_RECEIVER,
    ) -> None:
        """Both feeds, eight decimals: SOL per glowSOL and USD per SOL."""
        at = self.now - age
        ema_rate = rate if ema is None else ema
        update = PriceUpdate(feed, rate, conf, -8, at, at, ema_rate, 0, 1, signatures=signatures)
        self.put(RATE_ACCOUNT, update.encode(), owner)
        price = PriceUpdate(SOL_USD_FEED, quote, 10_000_000, -8, self.now, self.now, quote, 0, 1)
        self.put(QUOTE_ACCOUNT, price.encode(), PYTH_RECEIVER)

    def wait(self, seconds: int) -> None:
        target = self.now + seconds
        while self.now < target:
            self.bank.advance_slot()

    # transactions

    def send(self, *instructions: Instruction, signers: Sequence[Keypair] = (OWNER,)) -> TransactionRecord:
        """In a slot of its own blockhash; paid by the first signer."""
        self.bank.advance_slot()
        blockhash, _ = self.bank.latest_blockhash()
        message = MessageV0.try_compile(signers[0].pubkey(), list(instructions), [], blockhash)
        return self.bank.process(VersionedTransaction(message, list(signers)))

    def open(self, features: int = 0) -> None:
        """The owner's permit and account."""
        owner = OWNER.pubkey()
        record = self.send(create_permit(owner, owner), create_account(owner, features=features))
        assert record.err is None, (record.err, *record.logs)

    def open_raw(self, amount: int = 0) -> None:
        """With a glowSOL position that holds ``amount``, priced."""
        self.open()
        owner = OWNER.pubkey()
        create = cpi.create_associated(owner, MARGIN, GLOWSOL)
        deposit = transfer_deposit(WALLET_RAW, RAW, amount, source_owner=owner)
        record = self.send(create, create_deposit_position(owner, GLOWSOL, RAW), deposit, refresh())
        assert record.err is None, (record.err, *record.logs)

    def owe(self, usd: int, *, leverage: int = 400, flags: int = 0) -> None:
        """Write a debt of ``usd`` whole dollars into the account, as if borrowed and refreshed just now."""
        state = self.margin
        position = AccountPosition(
            LOAN, LOAN_NOTES, GLOW_MARGIN_POOL, kind=PositionKind.CLAIM, value_modifier=leverage, flags=flags
        )
        position.set_price(PriceInfo(10**8, self.now, -8, True))
        position.set_balance(usd * SOL, self.now)
        state.add(position)
        self.margin = state

    def freshen(self) -> None:
        """Stamp every position's price and balance with now."""
        state = self.margin
        for position in state.slots.values():
            position.set_price(PriceInfo(position.price.value, self.now, position.price.exponent, True))
            position.set_balance(position.balance, self.now)
        self.margin = state


def error(record: TransactionRecord) -> object:
    """The custom code of a failed transaction, or its InstructionError; None for success."""
    if not isinstance(record.err, dict):
        return record.err
    inner = record.err["InstructionError"][1]
    return inner["Custom"] if isinstance(inner, dict) else inner


def events(record: TransactionRecord) -> list[bytes]:
    """Payloads of the events in a transaction's logs."""
    mark = "Program data: "
    return [b64decode(line.removeprefix(mark)) for line in record.logs if line.startswith(mark)]
