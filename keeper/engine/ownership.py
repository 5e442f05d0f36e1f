"""Whose is what, at one view: the journal's shares read against the wallet, the loans and the requests on their way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from solders.pubkey import Pubkey

from keeper.engine.valuation import debt_value
from keeper.execution.bounds import LAMPORTS
from keeper.journal.records import ExitRequest, Standing
from keeper.past import EpochRates
from keeper.plan import TicketId
from keeper.protocols.token import associated_token_addresses
from keeper.units import TokenAmount
from keeper.view import Ticket, View


@dataclass(frozen=True, slots=True)
class Ownership:
    """What each strategy owns of what they share. Amounts are lamports and token base units.

    ``net``: what its transactions changed the wallet's native SOL by, fees included: negative while it has more out than it
    returned. ``debts``: what it owes to lending pools. ``tokens``: (strategy, mint address) to what it acquired and has in the
    wallet. ``tickets``: who asked for a request; those that nobody is known to have asked for are left out. ``unwound``: the
    strategies that the operator has stopped and that have nothing left.
    """

    net: Mapping[str, int] = field(default_factory=dict)
    debts: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[tuple[str, str], int] = field(default_factory=dict)
    tickets: Mapping[TicketId, str] = field(default_factory=dict)
    unwound: frozenset[str] = frozenset()

    def deployed(self, strategy: str) -> int:
        """Lamports that it has taken out of the wallet and not returned."""
        return max(-self.net.get(strategy, 0), 0)

    def borrowed(self, strategy: str) -> int:
        """Lamports in the wallet that it borrowed and has not spent yet: what it returned beyond all it took, up to its debt."""
        return min(max(self.net.get(strategy, 0), 0), self.debts.get(strategy, 0))


def ownership(view: View, standing: Standing, rates: Sequence[EpochRates] = ()) -> Ownership:
    """Read ``standing`` against ``view``; ``rates`` say when epochs began.

    Raises ``ValueError`` for a view whose owner is no address."""
    wallet = Pubkey.from_string(view.wallet.owner)
    places = {
        str(address): amount.mint.address
        for amount in view.wallet.tokens
        for address in associated_token_addresses(wallet, Pubkey.from_string(amount.mint.address))
    }
    loans = {note.mint: (market, note) for market in view.lending for note in market.notes if note.owed}
    net: dict[str, int] = {}
    debts: dict[str, int] = {}
    tokens: dict[tuple[str, str], int] = {}
    for (strategy, account, asset), units in standing.shares.items():
        if asset == LAMPORTS and account == view.wallet.owner:
            net[strategy] = units
        elif asset in loans:
            market, note = loans[asset]
            owed = debt_value(view, TokenAmount(market.mint, note.worth(units)))
            debts[strategy] = debts.get(strategy, 0) + owed.value
        elif places.get(account) == asset:
            tokens[strategy, asset] = tokens.get((strategy, asset), 0) + units
    tickets = {ticket.id: owner for ticket in view.queue if (owner := _asked(ticket, standing, rates))}
    unwound = frozenset(name for name, order in standing.orders.items() if order.done_at is not None)
    return Ownership(net, debts, tokens, tickets, unwound)


def _asked(ticket: Ticket, standing: Standing, rates: Sequence[EpochRates]) -> str:
    """Who asked for ``ticket``; empty where that is not known, as for a request from before the ledger."""
    mint = ticket.shares.mint.address
    requests = [one for one in standing.requests if one.mint == mint]
    return _staker(ticket, requests, rates) if ticket.id.way == "stake" else _requester(ticket, requests)


def _requester(ticket: Ticket, requests: Sequence[ExitRequest]) -> str:
    """The queue stamps a request with the time of its block, which is that of the transaction in the ledger. One transaction
    is in flight at a time, but two may land within a second: then the amounts tell them apart, or nobody is named."""
    then = [one for one in requests if one.block_time == ticket.id.requested_at]
    exact = {one.strategy for one in then if one.units == ticket.shares.units}
    found = exact or {one.strategy for one in then}
    return found.pop() if len(found) == 1 else ""


def _staker(ticket: Ticket, requests: Sequence[ExitRequest], rates: Sequence[EpochRates]) -> str:
    """A stake account remembers only the epoch it was deactivated in. Where several strategies asked in that epoch, the amount
    names one: the ticket's is by today's rate and after the pool's fee, so the nearest is taken."""
    then = [one for one in requests if _epoch_of(one, rates) == ticket.id.requested_at.value]
    nearest = min(then, key=lambda one: (abs(one.units - ticket.shares.units), one.strategy), default=None)
    return nearest.strategy if nearest is not None else ""


def _epoch_of(request: ExitRequest, rates: Sequence[EpochRates]) -> int | None:
    """The stake pool pays out only after its update of the epoch, and no request is made before a view has shown that, which is
    when the epoch's rates are noted."""
    return next((one.epoch.value for one in reversed(rates) if one.at <= request.block_time), None)
