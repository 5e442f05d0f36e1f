"""The second wall around stake accounts: those of the wallet stay the wallet's, and a new one pays what the plan wants."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.builders.stake_exit import leaves_by_stake
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Atomic, ClaimUnstake, RequestUnstake
from keeper.protocols.addresses import STAKE
from keeper.protocols.layout import LayoutError
from keeper.protocols.stake import StakeAccount, decode_stake_account, place_address, place_addresses
from keeper.units import Lamports

Accounts = Mapping[Pubkey, Account | None]


def check_stakes(before: Accounts, after: Accounts, wallet: Pubkey, step: Atomic) -> Lamports:
    """The rent that the wallet puts into new stake accounts of its own. Raises ``Refusal`` of stage FIREWALL.

    Stake that the step claims may leave its place (that it comes home is for the wallet's own balance to show); any other stays
    as it was. New stake stands at the wallet's places, is the wallet's alone, cools down, and is worth what the plan wants.
    """
    requests = [one for one in step.intents if isinstance(one, RequestUnstake) and leaves_by_stake(one)]
    claimed = {
        place_address(wallet, one.ticket.index)
        for one in step.intents
        if isinstance(one, ClaimUnstake) and one.ticket.way == "stake"
    }
    made: dict[Pubkey, StakeAccount] = {}
    for key in after:
        was, now = _held(before.get(key), wallet), _held(after[key], wallet)
        if was is not None:
            if key not in claimed and not _unharmed(before.get(key), after[key]):
                _refuse("stake_changed", "a stake account of the wallet would change", account=str(key))
            if after[key] is not None and now is None:
                _refuse("stake_given_away", "a stake account of the wallet would change hands", account=str(key))
        elif now is not None:
            made[key] = now
    _check_new(after, made, wallet)
    own = {key: max(held.rent_exempt_reserve.value, _lamports(before, key)) for key, held in made.items()}
    worth = sum(_lamports(after, key) - there for key, there in own.items())
    wanted = sum(one.min_assets.value for one in requests)
    if len(made) < len(requests) or worth < wanted:
        _refuse(
            "queued_below_bound",
            "the stake on its way out would be worth less than the plan wants",
            queued=worth,
            wanted=wanted,
            accounts=len(made),
        )
    return Lamports(sum(there - _lamports(before, key) for key, there in own.items()))


def _check_new(after: Accounts, made: Mapping[Pubkey, StakeAccount], wallet: Pubkey) -> None:
    places = place_addresses(wallet)
    for key in places:
        account = after.get(key)
        if account is not None and account.owner == STAKE and key not in made and _held(account, wallet) is None:
            _refuse("stake_given_away", "new stake would not be the wallet's alone", account=str(key))
    for key, held in made.items():
        if key not in places:
            _refuse("stake_out_of_place", "new stake would lie where the keeper never looks", account=str(key))
        if held.delegation is not None and held.delegation.deactivation_epoch is None:
            _refuse("stake_not_cooling", "new stake would stay delegated", account=str(key))


def _held(account: Account | None, wallet: Pubkey) -> StakeAccount | None:
    """The stake account, where the wallet alone decides over it."""
    if account is None or account.owner != STAKE:
        return None
    try:
        held = decode_stake_account(account.data)
    except LayoutError:
        return None  # not initialised
    return held if held.belongs_to(wallet) else None


def _unharmed(was: Account | None, now: Account | None) -> bool:
    return was is not None and now is not None and now.data == was.data and now.lamports >= was.lamports


def _lamports(accounts: Accounts, key: Pubkey) -> int:
    account = accounts.get(key)
    return 0 if account is None else account.lamports.value


def _refuse(rule: str, detail: str, **numbers: int | str) -> NoReturn:
    raise Refusal(Stage.FIREWALL, rule, detail, **numbers)
