"""The lending pools and the keeper's margin account as strategies see them, out of the same snapshot as the rest of the view.

Interest is accrued in memory to the block time, prices are those that a refresh would store now, and weights are the worse of
position and configuration. Every rounding is against us. What cannot be read is missing, with a source that says why:
lending that broke must not blind the strategies that do without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.accounts import AccountSnapshot
from keeper.lending import Collateral, LendingMarket, Loan, MarginAccount, Note
from keeper.observe.lending_prices import NOTE_SCALE, WORTHLESS, Prices
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as pools
from keeper.protocols.addresses import TOKEN_2022
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, LendingPool, RawCollateral
from keeper.protocols.token import associated_token_address, decode_token_account
from keeper.units import BPS, SOL, Bps, Mint, TokenAmount, UnixTime
from keeper.view import Source

MOST_COLLECTS = 4
"""Weeks of interest that one transaction catches up with."""
BEHIND = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Lending:
    """What was found. ``sources`` are the parts that could not be read."""

    markets: tuple[LendingMarket, ...] = ()
    margin: MarginAccount | None = None
    sources: tuple[Source, ...] = ()


def keys(lending: LendingAddresses) -> tuple[Pubkey, ...]:
    """Every account that ``look`` may want."""
    found = [lending.account]
    for pool in lending.pools:
        found += [
            pool.address,
            pool.deposit_config,
            pool.loan_config,
            *pool.feed.accounts,
            *_note_accounts(lending, pool),
        ]
        found += [_loan_account(lending, pool), _passage(lending, pool)]
    for raw in lending.raw:
        found += [raw.config, *raw.feed.accounts, _raw_account(lending, raw)]
    return tuple(dict.fromkeys(found))


def _key(mint: Mint) -> Pubkey:
    return Pubkey.from_string(mint.address)


def _note_accounts(lending: LendingAddresses, pool: LendingPool) -> tuple[Pubkey, ...]:
    """Where deposit notes may lie: a position's own account, or the margin account's associated one (protocol.md 4.1)."""
    note = pool.deposit_note_mint
    return (
        margin.position_token_address(lending.account, note, program=lending.margin_program),
        associated_token_address(lending.account, note, TOKEN_2022),
    )


def _loan_account(lending: LendingAddresses, pool: LendingPool) -> Pubkey:
    return pools.loan_account_address(lending.account, pool.loan_note_mint, lending.pool_program)


def _passage(lending: LendingAddresses, pool: LendingPool) -> Pubkey:
    """The margin account's associated account for what the pool lends: a withdrawal demands it, though nothing stays there."""
    return associated_token_address(lending.account, _key(pool.mint), pool.token_program)


def _raw_account(lending: LendingAddresses, raw: RawCollateral) -> Pubkey:
    return associated_token_address(lending.account, _key(raw.mint), raw.token_program)


def look(snapshot: AccountSnapshot, lending: LendingAddresses, now: UnixTime) -> Lending:
    """The lending side of a view. Never raises for what an account holds."""
    sol_feed = next((pool.feed for pool in lending.pools if pool.mint == SOL), None)
    if sol_feed is None:
        return Lending(sources=(Source("lending pool SOL", None, None, "not_configured"),))
    looker = _Looker(snapshot, lending, now, Prices.of(snapshot, lending, sol_feed, now))
    states: dict[str, pools.MarginPoolState] = {}
    markets: list[LendingMarket] = []
    sources: list[Source] = []
    for pool in lending.pools:
        try:
            states[str(pool.address)] = state = looker.pool(pool)
            markets.append(looker.market(pool, state))
        except (LayoutError, pools.PoolError) as error:
            states.pop(str(pool.address), None)
            sources.append(Source(f"lending pool {pool.mint}", None, None, type(error).__name__))
    try:
        account = looker.account(states)
    except (LayoutError, margin.NumberError, pools.PoolError) as error:
        account = None
        sources.append(Source("margin account", None, None, type(error).__name__))
    return Lending(tuple(markets), account, tuple(sources))


@dataclass(frozen=True, slots=True)
class _Looker:
    snapshot: AccountSnapshot
    lending: LendingAddresses
    now: UnixTime
    prices: Prices

    # pools

    def pool(self, pool: LendingPool) -> pools.MarginPoolState:
        """The pool with its interest up to now, as ``collect`` at the head of our transaction leaves it."""
        account = self.snapshot.accounts.get(pool.address)
        if account is None:
            raise LayoutError("lending pool", "account", f"an account at {pool.address}", "none")
        return pools.accrue_fully(
            pools.decode_margin_pool(account.data, owner=account.owner, program=self.lending.pool_program), self.now
        )

    def _behind(self, pool: LendingPool) -> int:
        account = self.snapshot.accounts[pool.address]
        if account is None:
            return 0
        state = pools.decode_margin_pool(account.data, program=self.lending.pool_program)
        return max(self.now.since(state.accrued_until), 0)

    def market(self, pool: LendingPool, state: pools.MarginPoolState) -> LendingMarket:
        _, _, price_problem = self.prices.notes(pool.feed, state, pool.mint)
        behind = self._behind(pool)
        paused = "pool_paused" if state.config.disabled else ""
        late = "interest_behind" if behind > BEHIND * MOST_COLLECTS else ""
        entry = paused or ("interest_behind" if behind > BEHIND else "")
        entry = entry or ("" if state.config.lends else "lending_closed") or price_problem
        return LendingMarket(
            address=str(pool.address),
            mint=pool.mint,
            borrowed=TokenAmount(pool.mint, -(-state.borrowed // NOTE_SCALE)),
            idle=TokenAmount(pool.mint, state.deposit_tokens),
            rate_line=pools.rate_line(state),
            lenders_share=Bps(BPS - min(state.config.management_fee_rate, BPS)),
            borrow_room=TokenAmount(pool.mint, pools.borrow_room(state)),
            deposit_room=TokenAmount(pool.mint, pools.deposit_room(state)),
            problem=entry,
            exit_problem=paused or late,
            notes=(
                Note(str(pool.deposit_note_mint), pools.deposit_note_rate(state), NOTE_SCALE, owed=False),
                Note(str(pool.loan_note_mint), pools.loan_note_rate(state), NOTE_SCALE, owed=True),
            ),
        )

    # the margin account

    def account(self, states: dict[str, pools.MarginPoolState]) -> MarginAccount | None:
        """None where the wallet has none yet. Raises ``LayoutError``."""
        found = self.snapshot.accounts.get(self.lending.account)
        if found is None:
            return None
        stored = margin.decode_margin_account(found.data, owner=found.owner, program=self.lending.margin_program)
        configs = self._configs()
        state = margin.worst_case(stored, configs)
        collateral = (*self._raw(state, configs), *self._lent(state, configs, states))
        loans = tuple(self._loans(state, configs, states))
        return MarginAccount(
            address=str(self.lending.account),
            collateral=collateral,
            loans=loans,
            problem=self._problem(state, loans),
        )

    def _configs(self) -> dict[Pubkey, margin.TokenConfig]:
        wanted = [pool.deposit_config for pool in self.lending.pools]
        wanted += [pool.loan_config for pool in self.lending.pools]
        wanted += [raw.config for raw in self.lending.raw]
        found = {}
        for key in wanted:
            account = self.snapshot.accounts.get(key)
            if account is None:
                continue
            config = margin.decode_token_config(account.data, owner=account.owner, program=self.lending.margin_program)
            found[config.mint] = config
        return found

    def _problem(self, state: margin.MarginAccountState, loans: tuple[Loan, ...]) -> str:
        known = {pool.deposit_note_mint for pool in self.lending.pools if pool.notes_count}
        known |= {pool.loan_note_mint for pool in self.lending.pools} | {_key(raw.mint) for raw in self.lending.raw}
        if state.is_being_liquidated:
            return "being_liquidated"
        if any(position.token not in known and position.balance for position in state.positions):
            return "unknown_position"
        if any(loan.past_due for loan in loans):
            return "past_due"
        if state.constraints:
            return "account_constrained"
        return "loan_not_priced" if any(loan.problem and loan.amount for loan in loans) else ""

    def _exists(self, key: Pubkey) -> bool:
        """Whether there is an account. Lamports that somebody sent to its address make none."""
        account = self.snapshot.accounts.get(key)
        return account is not None and bool(account.data)

    def _held(self, position: margin.AccountPosition | None) -> int:
        """What the position's token account holds; the program takes the same number at a refresh. Raises ``LayoutError``."""
        if position is None:
            return 0
        account = self.snapshot.accounts.get(position.address)
        if account is None:
            raise LayoutError(
                "margin account", "position", f"a token account at {position.address}", "none that was read"
            )
        return decode_token_account(account.data, owner_program=account.owner).amount

    def _raw(self, state: margin.MarginAccountState, configs: dict[Pubkey, margin.TokenConfig]) -> Iterator[Collateral]:
        for raw in self.lending.raw:
            position, config = state.position(_key(raw.mint)), configs.get(_key(raw.mint))
            price, problem = self.prices.raw(raw.feed, raw.mint)
            yield Collateral(
                market=str(raw.config),
                mint=raw.mint,
                amount=TokenAmount(raw.mint, self._held(position)),
                price=price,
                weight=_weight(position, config),
                open=position is not None,
                problem=problem,
            )

    def _lent(
        self,
        state: margin.MarginAccountState,
        configs: dict[Pubkey, margin.TokenConfig],
        states: dict[str, pools.MarginPoolState],
    ) -> Iterator[Collateral]:
        for pool in self.lending.pools:
            if not pool.notes_count:
                continue
            position, config = state.position(pool.deposit_note_mint), configs.get(pool.deposit_note_mint)
            seen = states.get(str(pool.address))
            price, problem, amount = WORTHLESS, "pool_unreadable", 0
            if seen is not None:
                price, _, problem = self.prices.notes(pool.feed, seen, pool.mint)
                amount = pools.redeemable(seen, self._held(position))
            yield Collateral(
                market=str(pool.address),
                mint=pool.mint,
                amount=TokenAmount(pool.mint, amount),
                price=price,
                weight=_weight(position, config),
                open=position is not None,
                lent=True,
                room=TokenAmount(pool.mint, pools.deposit_room(seen) if seen is not None else 0),
                exit_room=TokenAmount(pool.mint, pools.withdraw_room(seen) if seen is not None else 0),
                problem=problem,
                passage=self._exists(_passage(self.lending, pool)),
            )

    def _loans(
        self,
        state: margin.MarginAccountState,
        configs: dict[Pubkey, margin.TokenConfig],
        states: dict[str, pools.MarginPoolState],
    ) -> Iterator[Loan]:
        for pool in self.lending.pools:
            position, config = state.position(pool.loan_note_mint), configs.get(pool.loan_note_mint)
            seen = states.get(str(pool.address))
            price, problem, amount = WORTHLESS, "pool_unreadable", self._held(position)
            if seen is not None:
                _, price, problem = self.prices.notes(pool.feed, seen, pool.mint)
                amount = pools.owed(seen, amount)
            yield Loan(
                market=str(pool.address),
                mint=pool.mint,
                amount=TokenAmount(pool.mint, amount),
                price=price,
                leverage=_modifier(position, config, margin.PositionKind.CLAIM),
                open=position is not None,
                past_due=position is not None and position.past_due,
                problem=problem,
            )


def _weight(position: margin.AccountPosition | None, config: margin.TokenConfig | None) -> Bps:
    return Bps(_modifier(position, config, margin.PositionKind.COLLATERAL) * 100)


def _modifier(
    position: margin.AccountPosition | None, config: margin.TokenConfig | None, kind: margin.PositionKind
) -> int:
    """The position's own (it is the worse of both by now), or what a new position would get."""
    if position is not None:
        return position.value_modifier if position.kind is kind else 0
    return config.value_modifier if config is not None and config.token_kind is kind else 0
