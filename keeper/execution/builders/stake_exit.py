"""The slow way out of sSOL: unwrapped, withdrawn from the stake pool as a stake account, deactivated, and collected when cold.

Each request takes one of the wallet's few places (``keeper.protocols.stake``); nothing but the wallet signs.
"""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.builders.pool import stake_pool
from keeper.execution.builders.site import Fragment, Site, ours
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import ClaimUnstake, Intent, RequestUnstake
from keeper.protocols import solayer, stake
from keeper.protocols.addresses import SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.quotes import QuoteError
from keeper.protocols.stake_pool import (
    StakePool,
    decode_validator_list,
    quote_withdraw_stake,
    stake_source,
    withdraw_stake_with_slippage,
)
from keeper.protocols.token import close_account
from keeper.units import SSOL, Lamports, UnixTime


def leaves_by_stake(intent: Intent) -> bool:
    """Whether ``intent`` asks for this way out."""
    return isinstance(intent, RequestUnstake) and intent.spend.mint == SSOL


def request(site: Site, intent: RequestUnstake) -> Fragment:
    """Turn sSOL into a stake account of the wallet's that cools down until the epoch's end.

    ``min_assets`` is the minimum of the withdrawal on chain: the stake alone, without the rent that the wallet puts in and gets
    back. The reserve, which pays only when no validator can, gives stake that was never delegated and has nothing to cool down.
    """
    lst = site.market.solayer.lst
    amount = solayer.quote_unrestake(intent.spend)
    pool = stake_pool(site)
    paid = _quote(site, pool, intent)
    source = source_of(site, pool, paid)
    number, create = _free_place(site)
    place = stake.place_address(site.owner, number)
    missing = site.ensure(lst)
    account = site.token_account(lst)
    withdraw = withdraw_stake_with_slippage(
        site.market.solayer.stake_pool,
        pool,
        owner=site.owner,
        source=account,
        stake_to_split=source,
        stake_to_receive=place,
        amount=amount,
        minimum_out=intent.min_assets,
    )
    tidy = (close_account(account, site.owner, site.owner),) if missing else ()
    cool = (stake.deactivate(place, site.owner),) if _is_active(site, source) else ()
    return ours(*missing, solayer.unrestake(site.owner, intent.spend), *create, withdraw, *cool, *tidy)


def claim(site: Site, intent: ClaimUnstake) -> Fragment:
    """Take everything out of a stake account that has cooled down, its rent too, which closes it."""
    ticket = intent.ticket
    address = stake.place_address(site.owner, ticket.index)
    account = site.accounts.accounts.get(address)
    held = None if account is None else _decoded(address, account.data, account.owner)
    if account is None or held is None or requested_at(held) != ticket.requested_at or not held.belongs_to(site.owner):
        raise Refusal(
            Stage.COMPILE,
            "ticket_gone",
            f"place {ticket.index} ({address}) holds no stake of ours deactivated in epoch {ticket.requested_at}: "
            "claimed or replaced since",
            index=ticket.index,
            requested_at=ticket.requested_at.value,
        )
    clock = site.clock
    if not held.payable(clock.unix_timestamp, clock.epoch):
        raise Refusal(
            Stage.COMPILE,
            "ticket_not_ripe",
            f"the stake of place {ticket.index} cools down until the end of epoch {ticket.requested_at}, "
            f"now is epoch {clock.epoch}",
            index=ticket.index,
            epoch=clock.epoch.value,
        )
    if account.lamports < intent.min_receive:
        raise Refusal(
            Stage.COMPILE,
            "min_out_unreachable",
            f"the stake account pays {account.lamports}, the plan wants {intent.min_receive}",
            reachable=account.lamports.value,
            wanted=intent.min_receive.value,
        )
    return ours(stake.withdraw(address, site.owner, site.owner, account.lamports))


def requested_at(held: stake.StakeAccount) -> UnixTime:
    """What ``TicketId.requested_at`` says of a stake account: the epoch it was deactivated in, 0 where it never had to be."""
    ends = held.delegation.deactivation_epoch if held.delegation is not None else None
    return UnixTime(0 if ends is None else ends.value)


def source_of(site: Site, pool: StakePool, lamports: Lamports) -> Pubkey:
    """The stake account of the pool that pays ``lamports``. Raises ``Refusal``."""
    solayer_pool = site.market.solayer
    listed = site.account(solayer_pool.validator_list, "validator list")
    reserve = site.account(solayer_pool.reserve_stake, "stake pool reserve")
    try:
        return stake_source(
            solayer_pool.stake_pool,
            pool,
            decode_validator_list(listed.data, owner=listed.owner),
            lamports,
            reserve=reserve.lamports,
            rent=site.rent.exempt(stake.STAKE_ACCOUNT_LENGTH),
        ).account
    except LayoutError as error:
        raise Refusal(
            Stage.COMPILE, "account_malformed", str(error), account=str(solayer_pool.validator_list)
        ) from error
    except QuoteError as error:
        raise Refusal(Stage.COMPILE, error.reason, str(error), wanted=lamports.value) from error


def sources(site: Site) -> tuple[Pubkey, ...]:
    """The stake accounts that the step's requests would split, for a second look at them."""
    pool = stake_pool(site)
    wanted = (one for one in site.step.intents if isinstance(one, RequestUnstake) and leaves_by_stake(one))
    return tuple(source_of(site, pool, _quote(site, pool, intent)) for intent in wanted)


def _quote(site: Site, pool: StakePool, intent: RequestUnstake) -> Lamports:
    """The stake that the pool pays now. Raises ``Refusal`` below the intent's minimum."""
    clock = site.clock
    if pool.lockup.unix_timestamp > clock.unix_timestamp or pool.lockup.epoch > clock.epoch:
        raise Refusal(
            Stage.COMPILE,
            "stake_locked",
            f"the pool's stake is locked up until {pool.lockup.unix_timestamp} / epoch {pool.lockup.epoch}",
            until=pool.lockup.unix_timestamp.value,
            epoch=pool.lockup.epoch.value,
        )
    try:
        paid = quote_withdraw_stake(pool, solayer.quote_unrestake(intent.spend), epoch=clock.epoch)
    except QuoteError as error:
        raise Refusal(Stage.COMPILE, error.reason, str(error)) from error
    if paid < intent.min_assets:
        raise Refusal(
            Stage.COMPILE,
            "min_out_unreachable",
            f"the stake pool gives {paid} of stake for {intent.spend}, the plan wants {intent.min_assets}",
            reachable=paid.value,
            wanted=intent.min_assets.value,
        )
    return paid


def _free_place(site: Site) -> tuple[int, tuple[Instruction, ...]]:
    """(A place without a stake account, what creates one there). Raises ``Refusal("no_stake_place")``."""
    skip = sum(leaves_by_stake(other) for other in site.earlier)
    rent = site.rent.exempt(stake.STAKE_ACCOUNT_LENGTH)
    for number, address in enumerate(stake.place_addresses(site.owner)):
        account = site.accounts.accounts.get(address)
        if account is not None and (account.owner != SYSTEM or account.data):
            continue
        if skip:
            skip -= 1
            continue
        present = account.lamports if account is not None else Lamports(0)
        return number, stake.create_at_place(site.owner, number, rent, present)
    raise Refusal(
        Stage.COMPILE,
        "no_stake_place",
        f"all {stake.PLACES} places for stake accounts are taken: claim one first",
        places=stake.PLACES,
    )


def _is_active(site: Site, source: Pubkey) -> bool:
    """Whether stake split off ``source`` has to be deactivated: the program refuses it for stake that is not delegated, or on
    its way out already."""
    account = site.account(source, "stake to split")
    held = _decoded(source, account.data, account.owner)
    return held.delegation is not None and held.delegation.deactivation_epoch is None


def _decoded(address: Pubkey, data: bytes, owner: Pubkey) -> stake.StakeAccount:
    try:
        return stake.decode_stake_account(data, owner=owner)
    except LayoutError as error:
        raise Refusal(Stage.COMPILE, "account_malformed", str(error), account=str(address)) from error
