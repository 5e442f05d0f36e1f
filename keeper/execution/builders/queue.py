"""``RequestUnstake``, ``ClaimUnstake`` and ``CancelUnstake``: the restaking program's redemption queue, and for sSOL the way
through a stake account (``stake_exit``)."""

from __future__ import annotations

from keeper.execution.builders import stake_exit
from keeper.execution.builders.site import Fragment, Site, ours
from keeper.execution.outcome import Refusal, Stage, UnsupportedIntent
from keeper.plan import CancelUnstake, ClaimUnstake, RequestUnstake, TicketId
from keeper.protocols.glow_lrt import QueueSlot
from keeper.protocols.layout import LayoutError


def request(site: Site, intent: RequestUnstake) -> Fragment:
    """Queue glowSOL, creating the queue account where it is missing.

    The program takes no minimum for a request: the firewall holds what the simulation queued against ``min_assets``.
    """
    if stake_exit.leaves_by_stake(intent):
        return stake_exit.request(site, intent)
    program = site.lrt().program
    address = program.queue_address(site.owner)
    create = () if site.exists(address) else (program.create_queue(site.owner),)
    taken = {slot.index for slot in slots(site)} if not create else set()
    queued_before = sum(
        isinstance(other, RequestUnstake) and not stake_exit.leaves_by_stake(other) for other in site.earlier
    )
    free = [index for index in range(len(taken) + queued_before + 1) if index not in taken]
    return ours(*create, program.request_unstake(site.owner, intent.spend, free[queued_before]))


def claim(site: Site, intent: ClaimUnstake) -> Fragment:
    """Collect a ripe request."""
    if intent.ticket.way == "stake":
        return stake_exit.claim(site, intent)
    slot = _ticket(site, intent.ticket)
    if slot.assets < intent.min_receive:
        raise Refusal(
            Stage.COMPILE,
            "min_out_unreachable",
            f"the request pays {slot.assets}, the plan wants {intent.min_receive}",
            reachable=slot.assets.value,
            wanted=intent.min_receive.value,
        )
    return ours(site.lrt().program.claim_unstake(site.owner, slot.index))


def cancel(site: Site, intent: CancelUnstake) -> Fragment:
    """Take a request back."""
    if intent.ticket.way == "stake":
        raise UnsupportedIntent(
            intent, "stake that cools down is not taken back; wait for the epoch's end and claim it"
        )
    lrt = site.lrt()
    slot = _ticket(site, intent.ticket)
    if slot.shares < intent.min_receive.units:
        raise Refusal(
            Stage.COMPILE,
            "min_out_unreachable",
            f"the request holds {slot.shares} base units, the plan wants {intent.min_receive} back",
            reachable=slot.shares,
            wanted=intent.min_receive.units,
        )
    return ours(*site.ensure(lrt.glowsol), lrt.program.cancel_unstake(site.owner, slot.index))


def slots(site: Site) -> tuple[QueueSlot, ...]:
    """The wallet's requests as the chain shows them now."""
    program = site.lrt().program
    address = program.queue_address(site.owner)
    account = site.account(address, "queue account")
    try:
        return program.decode_queue(account.data, owner=account.owner, wallet=site.owner)
    except LayoutError as error:
        raise Refusal(Stage.COMPILE, "account_malformed", str(error), account=str(address)) from error


def _ticket(site: Site, ticket: TicketId) -> QueueSlot:
    """The request behind ``ticket``. An index is used again, so the moment of the request must agree, too."""
    for slot in slots(site):
        if slot.index == ticket.index and slot.requested_at == ticket.requested_at:
            return slot
    raise Refusal(
        Stage.COMPILE,
        "ticket_gone",
        f"the queue holds no request {ticket.index} made at {ticket.requested_at}: claimed, cancelled or replaced since",
        index=ticket.index,
        requested_at=ticket.requested_at.value,
    )
