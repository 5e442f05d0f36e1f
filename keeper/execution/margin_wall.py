"""The second wall around the margin account: what a simulation says would happen to it, held against what the step says.

Collateral may fall only by what the step takes out, loans rise only by what it borrows and fall by what it repays, nobody else
may get a hand on either, and health ends where the plan wants it at least: by the program's own arithmetic on the simulated
account, with the worse of each position's and its configuration's weight.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.lending_sight import LendingSight, held_accounts, loan_account
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Atomic, Borrow, Deposit, Repay, Withdraw
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as margin_pool
from keeper.protocols.glow_margin_pool import MarginPoolState, PoolAction, PoolError
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses, LendingPool
from keeper.protocols.token import TokenAccount, decode_token_account
from keeper.units import BPS, Bps, UnixTime

ROUNDING = 2
"""Notes by which our reckoning may differ: the program mints its fees in between, which moves the last digit of a rate."""
REST = 10_000
"""After a whole repayment at most this part of the loan may be left (see ``builders.lending.repay``)."""

Accounts = Mapping[Pubkey, Account | None]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a token account of the margin account may change by: at least ``least``, at most ``most`` (None without bound)."""

    least: int | None = None
    most: int | None = None


@dataclass(slots=True)
class _Moves:
    """What a step moves, in tokens, by place."""

    put: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    borrowed: Counter[str] = field(default_factory=Counter)
    repaid: Counter[str] = field(default_factory=Counter)
    whole: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, step: Atomic) -> _Moves:
        moves = cls()
        for intent in step.intents:
            match intent:
                case Deposit(market, amount):
                    moves.put[market] += amount.units
                case Withdraw(market, amount):
                    moves.taken[market] += amount.units
                case Borrow(market, amount):
                    moves.borrowed[market] += amount.units
                case Repay(market, amount, whole):
                    moves.repaid[market] += amount.units
                    if whole:
                        moves.whole.add(market)
        return moves


def check_margin(
    before: Accounts, after: Accounts, addresses: LendingAddresses, step: Atomic, sight: LendingSight | None
) -> None:
    """Raises ``Refusal`` of stage FIREWALL. ``sight`` is None for a step that has nothing to do with lending: then nothing of the
    margin account may change at all."""
    was, now = _accounts(before, after, addresses)
    bounds = _bounds(before, after, addresses, _Moves.of(step)) if sight is not None else {}
    loans = {loan_account(addresses, pool) for pool in addresses.pools}
    for key in held_accounts(addresses):
        if key in after:
            still = Bounds(most=0) if key in loans else Bounds(least=0)
            _check_tokens(key, _tokens(before.get(key)), _tokens(after[key]), bounds.get(key, still))
    if step.min_health is not None:
        if now is None or sight is None:
            _refuse(
                "health_unknown", "the step would not touch the margin account, so its health after it is not known"
            )
        _check_health(now, sight, step.min_health)
    if was is not None and now is not None and sight is None and was != now:
        _refuse("margin_account_changed", "a step without lending would change the margin account")


def rent_of_margin(before: Accounts, after: Accounts, addresses: LendingAddresses) -> int:
    """Lamports of rent in token accounts of the margin account that the step opens: the wallet's money, in its own books. What a
    stranger left there before is not the wallet's."""
    total = 0
    for key in held_accounts(addresses):
        was, made = before.get(key), after.get(key)
        tokens = _tokens(made)
        if made is not None and tokens is not None and (was is None or was.bare):
            there = 0 if was is None else was.lamports.value
            total += made.lamports.value - there - (tokens.amount if tokens.is_native is not None else 0)
    return total


def _accounts(
    before: Accounts, after: Accounts, addresses: LendingAddresses
) -> tuple[margin.MarginAccountState | None, margin.MarginAccountState | None]:
    """The margin account before and after, where the message writes it. It may change its positions and nothing else."""
    if addresses.account not in after:
        return None, None
    was, now = before.get(addresses.account), after[addresses.account]
    if was is None and now is None:
        return None, None
    if was is None or now is None:
        _refuse("margin_account_taken", "the margin account would be opened or closed by a plan's step")
    try:
        first = margin.decode_margin_account(was.data, owner=was.owner)
        last = margin.decode_margin_account(now.data, owner=now.owner)
    except LayoutError as error:
        raise Refusal(Stage.FIREWALL, "margin_account_taken", str(error)) from error
    for name in ("owner", "airspace", "liquidator", "constraints", "features", "seed", "invocation"):
        if getattr(first, name) != getattr(last, name):
            _refuse(
                "margin_account_changed",
                f"the margin account's {name} would change",
                field=name,
                before=str(getattr(first, name)),
                after=str(getattr(last, name)),
            )
    known = set(held_accounts(addresses))
    kept = {position.token: position for position in last.positions}
    for position in first.positions:
        later = kept.pop(position.token, None)
        if later is None or _identity(later) != _identity(position):
            _refuse("position_changed", "a position would be closed or made another", token=str(position.token))
    for position in kept.values():
        if position.address not in known:
            _refuse(
                "position_changed",
                "a position would be opened that the market does not know",
                token=str(position.token),
            )
    return first, last


def _identity(position: margin.AccountPosition) -> tuple[object, ...]:
    """What of a position no step may change: all but its price, its balance and what follows from them."""
    return (
        position.token,
        position.address,
        position.adapter,
        position.kind,
        position.exponent,
        position.value_modifier,
        position.max_staleness,
        position.token_features,
    )


def _bounds(before: Accounts, after: Accounts, addresses: LendingAddresses, moves: _Moves) -> dict[Pubkey, Bounds]:
    """What each token account of the margin account may change by."""
    found: dict[Pubkey, Bounds] = {}
    for raw in addresses.raw:
        market, mint = str(raw.config), Pubkey.from_string(raw.mint.address)
        for key in _held_of(before, after, addresses, mint):
            found[key] = Bounds(least=moves.put[market] - moves.taken[market])
    for pool in addresses.pools:
        market = str(pool.address)
        if not (moves.put[market] or moves.taken[market] or moves.borrowed[market] or moves.repaid[market]):
            continue
        state = _accrued(before, after, pool, addresses)
        try:
            minted = _notes(state, PoolAction.DEPOSIT, moves.put[market])
            burnt = _notes(state, PoolAction.WITHDRAW, moves.taken[market])
            lent = _notes(state, PoolAction.BORROW, moves.borrowed[market])
            repaid = _notes(state, PoolAction.REPAY, moves.repaid[market])
        except PoolError as error:
            raise Refusal(Stage.FIREWALL, "notes_not_computable", str(error), pool=market) from error
        for key in _held_of(before, after, addresses, pool.deposit_note_mint):
            found[key] = Bounds(least=minted - burnt - ROUNDING)
        key = loan_account(addresses, pool)
        if market in moves.whole:
            there = _amount(before.get(key))
            found[key] = Bounds(most=-(-there // REST) - there + lent)
        elif lent or repaid:
            found[key] = Bounds(most=lent - repaid + ROUNDING)
    return found


def _held_of(before: Accounts, after: Accounts, addresses: LendingAddresses, mint: Pubkey) -> list[Pubkey]:
    """The margin account's token accounts of ``mint``: one where a position is, seldom two."""
    found = []
    for key in held_accounts(addresses):
        tokens = _tokens(after.get(key)) or _tokens(before.get(key))
        if tokens is not None and tokens.mint == mint:
            found.append(key)
    return found


def _notes(state: MarginPoolState, action: PoolAction, tokens: int) -> int:
    return margin_pool.from_tokens(state, action, tokens).notes if tokens else 0


def _accrued(before: Accounts, after: Accounts, pool: LendingPool, addresses: LendingAddresses) -> MarginPoolState:
    """The pool before the step with interest up to the moment of the simulation, which its own state tells."""
    first, last = before.get(pool.address), after.get(pool.address)
    if first is None or last is None:
        _refuse("pool_missing", "the step acts on a pool that its message does not write", pool=str(pool.address))
    try:
        state = margin_pool.decode_margin_pool(first.data, owner=first.owner, program=addresses.pool_program)
        later = margin_pool.decode_margin_pool(last.data, owner=last.owner, program=addresses.pool_program)
        return margin_pool.accrue_fully(state, later.accrued_until)
    except (LayoutError, PoolError) as error:
        raise Refusal(Stage.FIREWALL, "notes_not_computable", str(error), pool=str(pool.address)) from error


def _check_tokens(key: Pubkey, was: TokenAccount | None, now: TokenAccount | None, bounds: Bounds) -> None:
    change = (0 if now is None else now.amount) - (0 if was is None else was.amount)
    if bounds.least is not None and change < bounds.least:
        _refuse(
            "collateral_below_bound",
            f"collateral in {key} would change by {change}, the plan leaves no less than {bounds.least}",
            account=str(key),
            change=change,
            floor=bounds.least,
        )
    if bounds.most is not None and change > bounds.most:
        _refuse(
            "loan_above_bound",
            f"the loan in {key} would change by {change} notes, the plan allows at most {bounds.most}",
            account=str(key),
            change=change,
            ceiling=bounds.most,
        )
    if was is not None and now is None:
        _refuse("account_given_away", "a token account of the margin account would be gone", account=str(key))
    if was is not None and now is not None and _hands(was) != _hands(now):
        _refuse("authority_changed", "a token account of the margin account would change hands", account=str(key))
    if was is None and now is not None and (now.delegate is not None or now.close_authority is not None):
        _refuse("authority_changed", "a new token account of the margin account has a second master", account=str(key))


def _hands(tokens: TokenAccount) -> tuple[object, ...]:
    return tokens.mint, tokens.owner, tokens.delegate, tokens.close_authority, tokens.delegated_amount


def _tokens(account: Account | None) -> TokenAccount | None:
    if account is None:
        return None
    try:
        return decode_token_account(account.data, owner_program=account.owner)
    except LayoutError:
        return None


def _amount(account: Account | None) -> int:
    tokens = _tokens(account)
    return 0 if tokens is None else tokens.amount


def _check_health(state: margin.MarginAccountState, sight: LendingSight, least: Bps) -> None:
    worst = margin.worst_case(state, sight.configs)
    try:
        value = margin.valuation(worst, _moment(state, sight.now))
    except (margin.ClaimStale, margin.NumberError) as error:
        raise Refusal(Stage.FIREWALL, "health_unknown", str(error), wanted=least.value) from error
    if value.not_positive:
        _refuse("health_unknown", "a position's price is not positive", token=str(value.not_positive[0]))
    level = margin.health_level(value)
    if level < least or not value.healthy:
        _refuse(
            "health_below_bound",
            f"health would be {level} of {BPS}, the plan wants at least {least}",
            health=level.value,
            wanted=least.value,
            weighted=value.weighted,
            liabilities=value.liabilities,
        )


def _moment(state: margin.MarginAccountState, read_at: UnixTime) -> UnixTime:
    """When the simulation ran: the newest stamp that it left in a position, and not before the accounts were read."""
    stamps = [position.price.timestamp for position in state.positions]
    stamps += [position.balance_timestamp for position in state.positions]
    return max([read_at, *stamps])


def _refuse(rule: str, detail: str, **numbers: int | str) -> NoReturn:
    raise Refusal(Stage.FIREWALL, rule, detail, **numbers)
