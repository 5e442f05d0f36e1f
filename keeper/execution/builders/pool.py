"""The stake pool as one read of the chain showed it."""

from __future__ import annotations

from keeper.execution.builders.site import Site
from keeper.execution.outcome import Refusal, Stage
from keeper.protocols.layout import LayoutError
from keeper.protocols.stake_pool import StakePool, decode_stake_pool


def stake_pool(site: Site) -> StakePool:
    """Raises ``Refusal`` where the account is missing or does not decode."""
    address = site.market.solayer.stake_pool
    account = site.account(address, "stake pool")
    try:
        return decode_stake_pool(account.data, owner=account.owner)
    except LayoutError as error:
        raise Refusal(Stage.COMPILE, "account_malformed", str(error), account=str(address)) from error
