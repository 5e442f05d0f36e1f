"""``Wrap`` and ``Unwrap``: native SOL into its token account and back."""

from __future__ import annotations

from keeper.execution.builders.site import Fragment, Site, ours
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Unwrap, Wrap
from keeper.protocols import token
from keeper.units import SOL


def wrap(site: Site, intent: Wrap) -> Fragment:
    """Move lamports into the wallet's wrapped-SOL account."""
    return ours(*token.wrap(site.owner, intent.amount))


def unwrap(site: Site, _: Unwrap) -> Fragment:
    """Close the wallet's wrapped-SOL account. It must exist, or be made by an earlier ``Wrap`` of the step."""
    wrapped = any(isinstance(other, Wrap) for other in site.earlier)
    if not wrapped and not site.exists(site.token_account(SOL)):
        raise Refusal(Stage.COMPILE, "account_missing", "the wallet has no wrapped-SOL account to unwrap")
    return ours(token.unwrap(site.owner))
