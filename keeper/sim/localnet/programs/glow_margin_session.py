"""One instruction of the modelled margin program at work: its margin account in memory, who may act on it, events."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    event_discriminator,
    require_key,
    require_signer,
    state_bytes,
)
from keeper.sim.localnet.programs.glow_margin_config import (
    ADAPTER_CONFIG_DISCRIMINATOR,
    PERMIT_DISCRIMINATOR,
    TOKEN_CONFIG_DISCRIMINATOR,
    AdapterConfig,
    Permit,
    TokenConfig,
)
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.glow_margin_health import Valuation, valuation
from keeper.sim.localnet.programs.glow_margin_state import (
    MARGIN_ACCOUNT_DISCRIMINATOR,
    MarginAccount,
    margin_account_address,
)


@dataclass(slots=True)
class MarginSession:
    """``state`` is changed in place and written back by ``store``."""

    ctx: InvokeContext
    account: AccountView
    state: MarginAccount

    @classmethod
    def open(cls, ctx: InvokeContext, account: AccountView, *, writable: bool = True) -> MarginSession:
        """Decodes the account. Raises 3012, 3007, 3002, 3003 or 2000 (read-only)."""
        data = state_bytes(account, GLOW_MARGIN, MARGIN_ACCOUNT_DISCRIMINATOR, "margin_account")
        if writable and not account.is_writable:
            raise AnchorError.CONSTRAINT_MUT.error("margin_account")
        return cls(ctx, account, MarginAccount.decode(data))

    @property
    def key(self) -> Pubkey:
        return self.account.key

    @property
    def now(self) -> int:
        return self.ctx.clock.unix_timestamp

    def store(self) -> None:
        self.account.data = self.state.encode()

    def valuation(self) -> Valuation:
        self.ctx.consume(2_000 + 1_500 * len(self.state.slots))
        return valuation(self.state, self.now)

    def require_owner(self, owner: AccountView) -> None:
        """The account's owner must have signed. Raises 3010 or 2001."""
        require_signer(owner, "owner")
        require_key(owner, self.state.owner, "owner")

    def require_authority(self, authority: AccountView) -> None:
        """Who may change positions: the owner, or during a liquidation only its liquidator."""
        require_signer(authority, "authority")
        if self.state.is_liquidating:
            if authority.key == self.state.owner:
                raise MarginError.LIQUIDATING.error()
            if authority.key != self.state.liquidator:
                raise MarginError.UNAUTHORIZED_LIQUIDATOR.error()
        elif authority.key != self.state.owner:
            raise MarginError.UNAUTHORIZED_INVOCATION.error()

    def require_not_liquidating(self) -> None:
        if self.state.is_liquidating:
            raise MarginError.LIQUIDATING.error(f"by {self.state.liquidator}")

    def token_config(self, account: AccountView, mint: Pubkey | None = None) -> TokenConfig:
        """A TokenConfig of the account's airspace (for ``mint``). Raises 3007, 3002, 2001 or WrongAirspace."""
        config = read_token_config(account)
        if mint is not None and config.mint != mint:
            raise AnchorError.CONSTRAINT_HAS_ONE.error("config")
        if config.airspace != self.state.airspace:
            raise MarginError.WRONG_AIRSPACE.error("config")
        return config

    def permit(self, account: AccountView) -> Permit:
        permit = Permit.decode(state_bytes(account, GLOW_MARGIN, PERMIT_DISCRIMINATOR, "permit"))
        if permit.airspace != self.state.airspace:
            raise MarginError.WRONG_AIRSPACE.error("permit")
        return permit

    def adapter_config(self, account: AccountView, program: Pubkey) -> AdapterConfig:
        """That ``program`` is an adapter here. Raises 3012 (no such config), UnauthorizedInvocation or WrongAirspace."""
        config = AdapterConfig.decode(state_bytes(account, GLOW_MARGIN, ADAPTER_CONFIG_DISCRIMINATOR, "adapter_config"))
        if config.adapter_program != program:
            raise MarginError.UNAUTHORIZED_INVOCATION.error(f"adapter_config is of {config.adapter_program}")
        if config.airspace != self.state.airspace:
            raise MarginError.WRONG_AIRSPACE.error("adapter_config")
        return config

    def emit(self, event: str, payload: bytes = b"") -> None:
        """An event whose first field is the margin account."""
        self.ctx.emit(event_discriminator(event) + bytes(self.key) + payload)

    def emit_end(self, event: str, payload: bytes = b"") -> None:
        """An event without that field: the ``...InvokeEnd`` ones."""
        self.ctx.emit(event_discriminator(event) + payload)


def read_token_config(account: AccountView) -> TokenConfig:
    return TokenConfig.decode(state_bytes(account, GLOW_MARGIN, TOKEN_CONFIG_DISCRIMINATOR, "config"))


def require_margin_address(account: AccountView, owner: Pubkey, airspace: Pubkey, seed: int) -> int:
    """The bump of the margin account's address. Raises 2006 ConstraintSeeds."""
    address, bump = margin_account_address(owner, airspace, seed)
    if account.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("margin_account")
    return bump
