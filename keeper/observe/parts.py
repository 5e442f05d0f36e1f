"""The parts of a View, decoded out of one account snapshot. Pure: the same bytes give the same part."""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.observe import lending
from keeper.plan import TicketId
from keeper.protocols import addresses
from keeper.protocols.glow_lrt import LrtBooks
from keeper.protocols.glow_lrt.sizing import queue_capacity
from keeper.protocols.layout import LayoutError
from keeper.protocols.market import LrtAddresses, Market
from keeper.protocols.quotes import QuoteError
from keeper.protocols.stake import place_addresses
from keeper.protocols.stake_pool import StakePool as StakePoolState
from keeper.protocols.stake_pool import (
    decode_stake_pool,
    quote_withdraw_sol,
    quote_withdraw_stake,
    withdrawable_reserve,
)
from keeper.protocols.sysvars import EPOCH_SCHEDULE_SYSVAR, Clock, decode_clock
from keeper.protocols.token import TokenAccount, associated_token_address, decode_mint, decode_token_account
from keeper.units import SOL, SSOL, STAKE_POOL_LST, Epoch, Lamports, Mint, Rate, TokenAmount
from keeper.view import GlowSol, StakePool, Ticket, Wallet

SYSVARS = (addresses.CLOCK_SYSVAR, EPOCH_SCHEDULE_SYSVAR)
_PROBE = TokenAmount(STAKE_POOL_LST, 10**15)  # large, so that a fee rounded up on it is the fee's own ratio


@dataclass(frozen=True, slots=True)
class Rents:
    """Minimum balances in lamports by account size; they are being cut in steps, so they are asked for, not known."""

    token_account: Lamports
    stake_account: Lamports
    lrt_pool: Lamports
    queue: Lamports


@dataclass(frozen=True, slots=True)
class Keys:
    """The accounts that a View is read from. ``more``: tokens that strategies sell beside those of the market (rewards)."""

    owner: Pubkey
    market: Market
    more: tuple[Mint, ...] = ()

    @property
    def tokens(self) -> tuple[Mint, ...]:
        """The tokens that the wallet may hold."""
        glow = (self.market.lrt.glowsol,) if self.market.lrt else ()
        return tuple(dict.fromkeys((SOL, SSOL, STAKE_POOL_LST, *glow, *self.more)))

    def token_account(self, mint: Mint) -> Pubkey:
        return associated_token_address(self.owner, Pubkey.from_string(mint.address))

    @property
    def stake_places(self) -> tuple[Pubkey, ...]:
        """Where the wallet's stake accounts cool down."""
        return place_addresses(self.owner)

    @property
    def queue(self) -> Pubkey | None:
        lrt = self.market.lrt
        return lrt.program.queue_address(self.owner) if lrt and lrt.program.mapping.queue else None

    @property
    def all(self) -> tuple[Pubkey, ...]:
        """Everything, in one request."""
        solayer = self.market.solayer
        keys = [*SYSVARS, self.owner, solayer.stake_pool, solayer.reserve_stake, *self.stake_places]
        keys += [self.token_account(mint) for mint in self.tokens]
        if self.market.lrt is not None:
            keys += [
                self.market.lrt.pool,
                self.market.lrt.ssol_vault,
                Pubkey.from_string(self.market.lrt.glowsol.address),
            ]
        lent = lending.keys(self.market.lending) if self.market.lending is not None else ()
        return tuple(dict.fromkeys((*keys, *([self.queue] if self.queue is not None else []), *lent)))


def clock(snapshot: AccountSnapshot) -> Clock:
    """The chain's own clock, read in the same request as everything else."""
    account = _present(snapshot, addresses.CLOCK_SYSVAR, "Clock sysvar")
    return decode_clock(account.data, owner=account.owner)


def stake_pool(
    snapshot: AccountSnapshot, market: Market, epoch: Epoch, rents: Rents
) -> tuple[StakePool, StakePoolState]:
    """Solayer's pool as strategies see it, and its full state."""
    account = _present(snapshot, market.solayer.stake_pool, "stake pool")
    reserve = _present(snapshot, market.solayer.reserve_stake, "stake pool reserve")
    state = decode_stake_pool(account.data, owner=account.owner)
    try:
        instant = Rate(quote_withdraw_sol(state, _PROBE, epoch=epoch).value, _PROBE.units)
    except QuoteError:
        instant = Rate(0, 1)  # the pool pays nothing, which a strategy sees as no way out
    try:
        cooled = Rate(quote_withdraw_stake(state, _PROBE, epoch=epoch).value, _PROBE.units)
    except QuoteError:
        cooled = None
    try:
        available = withdrawable_reserve(reserve.lamports, rents.stake_account)
    except QuoteError:
        available = Lamports(0)
    seen = StakePool(
        mint=market.solayer.ssol,
        rate=state.rate,
        instant_rate=instant,
        reserve=available,
        current=state.is_current(epoch),
        last_update_epoch=state.last_update_epoch,
        stake_rate=cooled,
        stake_rent=rents.stake_account,
        last_epoch_rate=state.last_epoch_rate,
    )
    return seen, state


def glowsol(
    snapshot: AccountSnapshot, lrt: LrtAddresses, pool: StakePoolState, tickets: int, *, queue_open: bool, rents: Rents
) -> GlowSol:
    """The restaking program's books. Raises ``LayoutError`` or ``QuoteError`` for books that do not add up."""
    account = _present(snapshot, lrt.pool, "restaking pool")
    vault = _present(snapshot, lrt.ssol_vault, "sSOL vault")
    mint = _present(snapshot, Pubkey.from_string(lrt.glowsol.address), "glowSOL mint")
    state = lrt.program.decode_pool(account.data, owner=account.owner)
    books = LrtBooks(
        pool=state,
        liquid=max(account.lamports - rents.lrt_pool, Lamports(0)),
        ssol=TokenAmount(SSOL, _token_account(vault, SSOL).amount),
        ssol_rate=pool.rate,
        supply=TokenAmount(lrt.glowsol, decode_mint(mint.data, owner_program=mint.owner).supply),
    )
    for name, value in (("waiting_period", state.waiting_period.value), ("pending_assets", state.pending_assets.value)):
        if value < 0:  # an IDL may map a signed field; a negative wait would be a bonus in every price
            raise LayoutError("restaking pool", name, "0 or more", str(value))
    gross = books.total_assets + state.pending_assets
    return GlowSol(
        mint=lrt.glowsol,
        total_assets=books.total_assets,
        outstanding=TokenAmount(lrt.glowsol, books.shares_outstanding),
        paused=state.paused,
        deposit_room=max(state.cap - gross, Lamports(0)),
        waiting_period=state.waiting_period,
        cancel_fee=state.cancel_fee,
        liquid=books.claimable,
        queue_open=queue_open,
        queue_slots_free=_places(lrt, tickets),
    )


def _places(lrt: LrtAddresses, taken: int) -> int:
    """Free places in the wallet's queue: none where the mapping has no queue, one more where the IDL does not bound it."""
    if lrt.program.mapping.queue is None or "request_unstake" in lrt.program.missing():
        return 0
    capacity = queue_capacity(lrt.program)
    return max(capacity - taken, 0) if capacity is not None else 1


def queue(snapshot: AccountSnapshot, keys: Keys) -> tuple[tuple[Ticket, ...], bool]:
    """(requests that wait, whether the queue account exists)."""
    lrt, address = keys.market.lrt, keys.queue
    account = snapshot[address] if address is not None else None
    if lrt is None or account is None:
        return (), False
    slots = lrt.program.decode_queue(account.data, owner=account.owner, wallet=keys.owner)
    tickets = (
        Ticket(
            TicketId(slot.index, slot.requested_at), TokenAmount(lrt.glowsol, slot.shares), slot.assets, slot.ready_at
        )
        for slot in slots
    )
    return tuple(tickets), True


def wallet(snapshot: AccountSnapshot, keys: Keys, gas_reserve: Lamports) -> Wallet:
    """Balances of the wallet's system account and its associated token accounts."""
    native = snapshot[keys.owner]
    amounts = []
    for mint in keys.tokens:
        account = snapshot[keys.token_account(mint)]
        if account is not None:
            held = _token_account(account, mint)
            if held.owner != keys.owner:
                raise LayoutError(f"the wallet's {mint} account", "owner", str(keys.owner), str(held.owner))
            amounts.append(TokenAmount(mint, held.amount))
    return Wallet(str(keys.owner), native.lamports if native else Lamports(0), gas_reserve, tuple(amounts))


def _token_account(account: Account, mint: Mint) -> TokenAccount:
    held = decode_token_account(account.data, owner_program=account.owner)
    if str(held.mint) != mint.address:
        raise LayoutError(f"token account of {mint}", "mint", mint.address, str(held.mint))
    return held


def _present(snapshot: AccountSnapshot, key: Pubkey, what: str) -> Account:
    account = snapshot[key]
    if account is None:
        raise LayoutError(what, "account", f"an account at {key}", "none")
    return account
