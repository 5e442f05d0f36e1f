"""Adapters invoked for a margin account: the list of inner calls, and what each leaves behind in its positions.

Encoding, refresh of balances, return data: shared facts, protocol.md 3.8. Return data is read from the margin pool alone.
The interface shows a callee's return data without its program, so data that a callee of the pool left behind would be taken for
the pool's; none of the pool's callees leaves any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN, GLOW_MARGIN_POOL, JUPITER_V6
from keeper.sim.localnet.interface import AccountView, InvokeContext, ProgramError
from keeper.sim.localnet.programs.anchor import take_accounts
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_config import TOKEN_CONFIG_DISCRIMINATOR, TokenConfig
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_health import PriceChange
from keeper.sim.localnet.programs.glow_margin_positions import check_features, register, unregister
from keeper.sim.localnet.programs.glow_margin_result import (
    Cause,
    Change,
    Close,
    FlagsChange,
    Register,
    TokenChange,
    decode_result,
)
from keeper.sim.localnet.programs.glow_margin_session import MarginSession
from keeper.sim.localnet.programs.glow_margin_state import ZERO_KEY, AccountPosition, invocation_mark
from keeper.sim.localnet.programs.glow_margin_tokens import held_tokens, mint_decimals

RETURN_DATA_PROGRAMS = frozenset({GLOW_MARGIN_POOL})
EXTERNAL_PROGRAMS = frozenset({JUPITER_V6})
"""Programs whose effect on the account's tokens is measured, for the liquidation fee."""


@dataclass(frozen=True, slots=True)
class Inner:
    """One inner instruction as the caller listed it."""

    num_accounts: int
    data: bytes


def read_inners(args: Reader) -> list[Inner]:
    inners = []
    for _ in range(args.u32()):
        num_accounts, length = args.u8(), args.u32()
        inners.append(Inner(num_accounts, args.take(length)))
    return inners


def adapter_invoke(ctx: InvokeContext, args: Reader) -> None:
    """The owner acts: adapters get the margin account's signature, and the account must be healthy afterwards."""
    ctx.consume(12_000)
    inners = read_inners(args)
    owner, margin = take_accounts(ctx, 2)
    session = MarginSession.open(ctx, margin)
    session.require_owner(owner)
    session.require_not_liquidating()
    session.emit("AdapterInvokeBegin")
    invoke_many(session, ctx.accounts[2:], inners, signed=True)
    session.emit_end("AdapterInvokeEnd")
    session.valuation().verify_healthy()
    check_features(session.state)
    session.store()


def accounting_invoke(ctx: InvokeContext, args: Reader) -> None:
    """Anybody acts: no signature of the margin account, and no health check."""
    ctx.consume(10_000)
    inners = read_inners(args)
    (margin,) = take_accounts(ctx, 1)
    session = MarginSession.open(ctx, margin)
    session.emit("AccountingInvokeBegin")
    invoke_many(session, ctx.accounts[1:], inners, signed=False)
    session.emit_end("AccountingInvokeEnd")
    session.store()


def invoke_many(
    session: MarginSession, accounts: Sequence[AccountView], inners: Sequence[Inner], *, signed: bool
) -> list[TokenChange]:
    """Run ``inners`` in order over ``accounts``; the token changes that they report. Raises InvalidInvokeAccounts."""
    if len(accounts) != sum(inner.num_accounts + 2 for inner in inners):
        raise MarginError.INVALID_INVOKE_ACCOUNTS.error(f"{len(accounts)} accounts for {len(inners)} instructions")
    changes: list[TokenChange] = []
    start = 0
    for inner in inners:
        program, config = accounts[start : start + 2]
        start += 2
        session.adapter_config(config, program.key)
        call = AdapterCall(session, program.key, accounts[start : start + inner.num_accounts], signed)
        start += inner.num_accounts
        changes += call.run(inner.data)
        if program.key == JUPITER_V6:
            session.emit("JupiterSwap", bytes(program.key))
    return changes


@dataclass(frozen=True, slots=True)
class AdapterCall:
    """One adapter invoked with ``accounts``. ``signed``: with the margin account's signature."""

    session: MarginSession
    program: Pubkey
    accounts: Sequence[AccountView]
    signed: bool

    def run(self, data: bytes) -> list[TokenChange]:
        session = self.session
        session.ctx.consume(4_000)
        before = self._external_balances()
        mark = invocation_mark(session.ctx.stack_height)
        session.state.invocation |= mark
        session.store()
        instruction = Instruction(self.program, data, [self._meta(account) for account in self.accounts])
        returned = session.ctx.invoke(instruction, [session.state.seeds] if self.signed else ())
        session.state.invocation &= ~mark
        changes = self._external_changes(before)
        self._refresh_balances()
        if returned and self.program in RETURN_DATA_PROGRAMS:
            for mint, wanted in decode_result(returned):
                changes += self._apply(mint, wanted)
        session.ctx.set_return_data(b"")
        session.store()
        return changes

    def _meta(self, account: AccountView) -> AccountMeta:
        is_signer = self.signed if account.key == self.session.key else account.is_signer
        return AccountMeta(account.key, is_signer, account.is_writable)

    def _external_balances(self) -> dict[Pubkey, int]:
        """Balances of the margin account's own writable token accounts, where the adapter's effect is measured."""
        if self.program not in EXTERNAL_PROGRAMS:
            return {}
        found = {}
        for account in self.accounts:
            held = held_tokens(account) if account.is_writable else None
            if held is not None and held.owner == self.session.key:
                found[account.key] = held.amount
        return found

    def _external_changes(self, before: dict[Pubkey, int]) -> list[TokenChange]:
        changes = []
        left = dict(before)
        for account in self.accounts:
            opening = left.pop(account.key, None)
            if opening is None:
                continue
            held = held_tokens(account)
            if held is None:
                raise ProgramError("InvalidAccountData", f"{account.key} is no token account any more")
            moved = held.amount - opening
            if moved:
                cause = Cause.EXTERNAL_INCREASE if moved > 0 else Cause.EXTERNAL_DECREASE
                changes.append(TokenChange(held.mint, abs(moved), cause))
        return changes

    def _refresh_balances(self) -> None:
        positions = {position.address: position for position in self.session.state.slots.values()}
        for account in self.accounts:
            position = positions.get(account.key)
            held = held_tokens(account) if position is not None else None
            if position is not None and held is not None and held.mint == position.token:
                position.set_balance(held.amount, self.session.now)

    def _apply(self, mint: Pubkey, wanted: Sequence[Change]) -> list[TokenChange]:
        state = self.session.state
        position = state.position(mint)
        if position is not None and position.adapter not in (self.program, ZERO_KEY):
            raise MarginError.INVALID_POSITION_ADAPTER.error(f"{mint} is of {position.adapter}")
        changes = []
        for change in wanted:
            position = state.position(mint)
            match change:
                case PriceChange():
                    if position is not None:
                        position.set_price(change.to_price_info(self.session.now))
                case FlagsChange():
                    held = state.require_position(mint)
                    held.flags = held.flags | change.flags if change.on else held.flags & ~change.flags
                case Register():
                    self._register(mint, change.token_account, position)
                case Close():
                    if position is not None and position.address != change.token_account:
                        raise MarginError.POSITION_NOT_REGISTERABLE.error("another token account holds this position")
                    unregister(state, mint, change.token_account, owner=self.signed, adapter=self.program)
                case TokenChange():
                    changes.append(change)
        return changes

    def _register(self, mint: Pubkey, address: Pubkey, position: AccountPosition | None) -> None:
        """Open a position that the adapter asks for; its config, mint and token account must be among the accounts."""
        if position is not None:
            if position.address == address:
                raise MarginError.POSITION_ALREADY_REGISTERED.error(str(mint))
            raise MarginError.POSITION_NOT_REGISTERABLE.error("another token account holds this position")
        mint_view = next((account for account in self.accounts if account.key == mint), None)
        token_view = next((account for account in self.accounts if account.key == address), None)
        config = self._config_of(mint)
        if mint_view is None or token_view is None or config is None or mint_view.owner != token_view.owner:
            raise MarginError.POSITION_NOT_REGISTERABLE.error("needs TokenConfig, mint and token account")
        held = held_tokens(token_view)
        if held is None or held.mint != mint:
            raise MarginError.POSITION_NOT_REGISTERABLE.error("the token account is not of this mint")
        decimals = mint_decimals(mint_view, "mint")
        state = self.session.state
        register(state, config, decimals, address, owner=self.signed, adapter=self.program)
        state.require_position(mint, address).set_balance(held.amount, self.session.now)

    def _config_of(self, mint: Pubkey) -> TokenConfig | None:
        for account in self.accounts:
            if account.owner == GLOW_MARGIN and account.data[:8] == TOKEN_CONFIG_DISCRIMINATOR:
                config = TokenConfig.decode(account.data)
                if config.mint == mint:
                    return config
        return None
