"""The firewall's second wall: what a simulation says would happen to everything the wallet owns.

Only accounts that the message writes can change, and all of them are compared before and after. So nothing that a program
does inside (an authority handed over, a delegate, a token account emptied) stays unseen, whoever wrote the instruction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.bounds import LAMPORTS, flow, net, opens_wrapped
from keeper.execution.builders.stake_exit import leaves_by_stake
from keeper.execution.lending_sight import LendingSight
from keeper.execution.margin_wall import check_margin, rent_of_margin
from keeper.execution.outcome import Refusal, Stage
from keeper.execution.stakes import check_stakes
from keeper.plan import Atomic, Intent, RequestUnstake, Unwrap
from keeper.protocols.addresses import SPL_TOKEN, SYSTEM, TOKEN_2022
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses
from keeper.protocols.market import LrtAddresses
from keeper.protocols.token import TokenAccount, associated_token_addresses, decode_token_account
from keeper.units import WSOL_ADDRESS, Lamports

MAX_HOP_ACCOUNTS = 2  # a route of three pools passes through two tokens

Accounts = Mapping[Pubkey, Account | None]


@dataclass(frozen=True, slots=True)
class Effects:
    """Writable accounts of the message before and after the simulation.

    ``extra_fee`` is what the final transaction costs beyond what the simulated one was charged.
    """

    before: Accounts
    after: Accounts
    extra_fee: Lamports


@dataclass(frozen=True, slots=True)
class Limits:
    """What the effects are held against. ``sol_floor`` is the least change of native SOL that the plan leaves to this step
    (rent and fees included); ``fee`` what it may cost in all. ``lending`` is where the wallet's margin account is, ``sight``
    what the step was built on, where it needs lending."""

    wallet: Pubkey
    step: Atomic
    lrt: LrtAddresses | None
    fee: Lamports
    sol_floor: Lamports
    lending: LendingAddresses | None = None
    sight: LendingSight | None = None


def verify(effects: Effects, limits: Limits) -> Lamports:
    """The expected change of the wallet's native SOL, fee included. Raises ``Refusal`` of stage FIREWALL."""
    _check_wallet(effects, limits.wallet)
    held_before = _held(effects.before, limits.wallet)
    held_after = _held(effects.after, limits.wallet)
    _check_authorities(effects, held_before, held_after)
    change = (
        _lamports(effects.after, limits.wallet) - _lamports(effects.before, limits.wallet) - effects.extra_fee.value
    )
    tokens = _token_changes(held_before, held_after, limits.wallet)
    floors = Counter(net(limits.step))
    if any(opens_wrapped(intent) for intent in limits.step.intents):
        # Closing the wrapped-SOL account turns all of it into native SOL: what is missing there must have come back here.
        unwrapped = max(0, floors[WSOL_ADDRESS] - tokens[WSOL_ADDRESS])
        promised = sum(intent.min_receive.value for intent in limits.step.intents if isinstance(intent, Unwrap))
        floors[WSOL_ADDRESS] -= unwrapped
        floors[LAMPORTS] += max(0, unwrapped - promised)
    rent = sum(_rent_of_new(effects, key, limits) for key in effects.after)
    rent += check_stakes(effects.before, effects.after, limits.wallet, limits.step).value
    if limits.lending is not None:
        check_margin(effects.before, effects.after, limits.lending, limits.step, limits.sight)
        rent += rent_of_margin(effects.before, effects.after, limits.lending)
    _check_floor(LAMPORTS, change, floors[LAMPORTS] - rent - limits.fee.value)
    for asset in sorted({*tokens, *floors} - {LAMPORTS}):
        _check_floor(asset, tokens[asset], floors[asset])
    hops = _rent_of_hops(effects, limits)
    if change + hops < limits.sol_floor.value:
        _refuse(
            "below_plan",
            f"native SOL would change by {Lamports(change)}, the plan allows no less than {limits.sol_floor}",
            change=change,
            floor=limits.sol_floor.value,
        )
    _check_queue(effects, limits)
    return Lamports(change)


def _refuse(rule: str, detail: str, **numbers: int | str) -> NoReturn:
    raise Refusal(Stage.FIREWALL, rule, detail, **numbers)


def _check_floor(asset: str, change: int, floor: int) -> None:
    if change < floor:
        _refuse(
            "balance_below_bound",
            f"{asset} would change by {change}, the plan's bounds leave no less than {floor}",
            asset=asset,
            change=change,
            floor=floor,
        )


def _lamports(accounts: Accounts, key: Pubkey) -> int:
    account = accounts.get(key)
    return 0 if account is None else account.lamports.value


def _check_wallet(effects: Effects, wallet: Pubkey) -> None:
    after = effects.after.get(wallet)
    if after is None or after.owner != SYSTEM or after.data:
        _refuse("wallet_taken", "the wallet would no longer be a plain system account")


def _held(accounts: Accounts, wallet: Pubkey) -> dict[Pubkey, TokenAccount]:
    """The wallet's token accounts among ``accounts``."""
    found = {}
    for key, account in accounts.items():
        if account is None or account.owner not in (SPL_TOKEN, TOKEN_2022):
            continue
        try:
            decoded = decode_token_account(account.data, owner_program=account.owner)
        except LayoutError:
            continue  # a mint or a multisig
        if decoded.owner == wallet:
            found[key] = decoded
    return found


def _token_changes(
    before: Mapping[Pubkey, TokenAccount], after: Mapping[Pubkey, TokenAccount], wallet: Pubkey
) -> Counter[str]:
    """Change by mint. What arrives counts in associated accounts alone: anywhere else it is out of the View's sight and out of
    the books, and the account may be a stranger's to close."""
    total: Counter[str] = Counter()
    for key in before.keys() | after.keys():
        mint = (after.get(key) or before[key]).mint
        change = (after[key].amount if key in after else 0) - (before[key].amount if key in before else 0)
        if change < 0 or key in associated_token_addresses(wallet, mint):
            total[str(mint)] += change
    return total


def _check_authorities(
    effects: Effects, before: Mapping[Pubkey, TokenAccount], after: Mapping[Pubkey, TokenAccount]
) -> None:
    """A token account of the wallet stays the wallet's alone, or is closed."""
    for key, account in after.items():
        was = before.get(key)
        delegate, closer = (was.delegate, was.close_authority) if was else (None, None)
        delegated = was.delegated_amount if was else 0
        if account.close_authority != closer:
            _refuse("authority_changed", "somebody else could close a token account of the wallet", account=str(key))
        if account.delegate != delegate or account.delegated_amount > delegated:
            _refuse(
                "delegate_changed", "somebody else could spend from a token account of the wallet", account=str(key)
            )
    for key in before.keys() - after.keys():
        if effects.after.get(key) is not None:
            _refuse("account_given_away", "a token account of the wallet would have another owner", account=str(key))


def _rent_of_new(effects: Effects, key: Pubkey, limits: Limits) -> int:
    """Rent that the wallet put into an account of its own that this transaction creates; what a stranger left there before is
    not the wallet's."""
    account = effects.after[key]
    if account is None or not _absent(effects.before.get(key)):
        return 0
    there = _lamports(effects.before, key)
    if limits.lrt is not None and account.owner == limits.lrt.program.program_id:
        queue = limits.lrt.program.queue_address(limits.wallet) if limits.lrt.program.mapping.queue else None
        return account.lamports.value - there if key == queue else 0
    if account.owner not in (SPL_TOKEN, TOKEN_2022):
        return 0
    token = _held({key: account}, limits.wallet).get(key)
    if token is None:
        return 0
    return account.lamports.value - there - (token.amount if token.is_native is not None else 0)


def _absent(account: Account | None) -> bool:
    return account is None or account.bare


def _rent_of_hops(effects: Effects, limits: Limits) -> int:
    """Rent in the wallet's own token accounts of mints that no intent names: those that a route passes through.

    A plan cannot know its venue's route, and that rent stays the wallet's own, so it does not count against the plan's floor.
    """
    planned = {asset for intent in limits.step.intents for side in _sides(intent) for asset in side} | {WSOL_ADDRESS}
    fresh = {key: account for key, account in effects.after.items() if _absent(effects.before.get(key))}
    hops = [key for key, held in _held(fresh, limits.wallet).items() if str(held.mint) not in planned]
    if len(hops) > MAX_HOP_ACCOUNTS:
        _refuse("accounts_beyond_plan", "the step would open more token accounts than a route needs", opened=len(hops))
    return sum(_rent_of_new(effects, key, limits) for key in hops)


def _sides(intent: Intent) -> tuple[Mapping[str, int], Mapping[str, int]]:
    moved = flow(intent)
    return moved.spends, moved.brings


def _check_queue(effects: Effects, limits: Limits) -> None:
    """What the step queues must be promised at least the plan's lamports: the program takes no minimum for it."""
    wanted = sum(
        intent.min_assets.value
        for intent in limits.step.intents
        if isinstance(intent, RequestUnstake) and not leaves_by_stake(intent)
    )
    if not wanted or limits.lrt is None:
        return
    program = limits.lrt.program
    key = program.queue_address(limits.wallet)

    def promised(accounts: Accounts) -> dict[tuple[int, int], int]:
        account = accounts.get(key)
        if account is None or account.bare:
            return {}
        slots = program.decode_queue(account.data, owner=account.owner, wallet=limits.wallet)
        return {(slot.index, slot.requested_at.value): slot.assets.value for slot in slots}

    try:
        before, after = promised(effects.before), promised(effects.after)
    except LayoutError as error:
        raise Refusal(Stage.FIREWALL, "queue_not_understood", str(error)) from error
    queued = sum(assets for ticket, assets in after.items() if ticket not in before)
    if queued < wanted:
        _refuse("queued_below_bound", "the queue would promise less than the plan wants", queued=queued, wanted=wanted)
