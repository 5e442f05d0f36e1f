"""From the intents of one step to ordered instructions and lookup tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from solders.address_lookup_table_account import AddressLookupTableAccount
from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.chain.errors import RpcError
from keeper.execution.builders import lending, queue, stake_exit, staking, swap, wrapping
from keeper.execution.builders.lending_refresh import LENDING, needs_lending, preamble
from keeper.execution.builders.site import Fragment, Site
from keeper.execution.lending_sight import LendingSight, look
from keeper.execution.message import Compiled
from keeper.execution.outcome import Refusal, Stage, UnsupportedIntent
from keeper.execution.policy import ExecutionPolicy
from keeper.execution.ports import Node
from keeper.execution.reading import first_look
from keeper.plan import (
    Atomic,
    Borrow,
    CancelUnstake,
    ClaimUnstake,
    Deposit,
    Intent,
    Repay,
    RequestUnstake,
    Stake,
    Swap,
    Unstake,
    Unwrap,
    Withdraw,
    Wrap,
)
from keeper.protocols.addresses import ASSOCIATED_TOKEN, SPL_TOKEN, TOKEN_2022
from keeper.protocols.layout import LayoutError
from keeper.protocols.lookup_table import decode_lookup_table
from keeper.protocols.market import Market
from keeper.protocols.stake import place_addresses
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, Slot, UnitError
from keeper.venues.door import DexVenue
from keeper.view import View

Builder = Callable[[Site, Any], Fragment]

BUILDERS: Mapping[type[Intent], Builder] = {
    Swap: swap.swap,
    Stake: staking.stake,
    Unstake: staking.unstake,
    RequestUnstake: queue.request,
    ClaimUnstake: queue.claim,
    CancelUnstake: queue.cancel,
    Wrap: wrapping.wrap,
    Unwrap: wrapping.unwrap,
    Deposit: lending.deposit,
    Withdraw: lending.withdraw,
    Borrow: lending.borrow,
    Repay: lending.repay,
}
"""The builder of each intent."""

_CLOSE_ACCOUNT = 9


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles steps for one wallet in one market. Reads the chain once for a step, beside the venues' quotes."""

    node: Node
    owner: Pubkey
    market: Market
    venues: Mapping[str, DexVenue]
    policy: ExecutionPolicy

    async def compile(self, step: Atomic, view: View) -> Compiled:
        """Instructions for ``step``. Raises ``Refusal`` (``UnsupportedIntent`` among them)."""
        require_supported(step, self.market)
        wanted = {position: intent for position, intent in enumerate(step.intents) if isinstance(intent, Swap)}
        reading = asyncio.gather(
            *(swap.fetch(intent, self.venues, self.owner, view, self.policy.max_slippage) for intent in wanted.values())
        )
        keys = first_look(self.owner, self.market, step)
        snapshot, fetched = await asyncio.gather(self._read(keys, view.slot), reading)
        snapshot = await self._second_look(step, snapshot, view.slot)
        swaps = dict(zip(wanted, fetched, strict=True))
        site = Site(self.owner, self.market, step, 0, snapshot, swaps)
        if needs_lending(step):
            site = replace(site, sight=self._look(site))
        fragments = self._fragments(site)
        tables = await self._tables(fragments, snapshot, view.slot)
        instructions = [item for part in fragments for item in part.instructions]
        own = tuple(item for part in fragments for item in part.own)
        return Compiled(tuple(_without_repeats(instructions, snapshot, self.owner)), own, tables, site.sight)

    def _look(self, site: Site) -> LendingSight:
        if self.market.lending is None:
            raise Refusal(
                Stage.COMPILE, "no_lending_market", "the step bounds health, and no lending market is configured"
            )
        return look(self.market.lending, site.accounts, self.owner, site.clock.unix_timestamp)

    def _fragments(self, site: Site) -> list[Fragment]:
        """One fragment for each intent in order, and before the first lending one what all of those need."""
        fragments: list[Fragment] = []
        prepared = site.sight is None
        for position, intent in enumerate(site.step.intents):
            if not prepared and isinstance(intent, LENDING):
                fragments.append(_built(site, "the lending preamble", preamble))
                prepared = True
            build = partial(_with, BUILDERS[type(intent)], intent)
            fragments.append(_built(replace(site, position=position), type(intent).__name__, build))
        if not prepared:
            fragments.append(_built(site, "the lending preamble", preamble))
        return fragments

    async def _second_look(self, step: Atomic, snapshot: AccountSnapshot, slot: Slot) -> AccountSnapshot:
        """``snapshot`` with the accounts that it names itself: the pool's stake that a request is paid from."""
        if not any(stake_exit.leaves_by_stake(intent) for intent in step.intents):
            return snapshot
        named = stake_exit.sources(Site(self.owner, self.market, step, 0, snapshot, {}))
        unseen = [key for key in named if key not in snapshot.accounts]
        if not unseen:
            return snapshot
        more = await self._read(unseen, slot)
        return AccountSnapshot(
            min(snapshot.slot, more.slot),
            {**snapshot.accounts, **more.accounts},
            max(snapshot.highest, more.highest),
        )

    async def _read(self, keys: Sequence[Pubkey], slot: Slot) -> AccountSnapshot:
        """Without lamports that somebody left at the address of an account to come; a place for stake is opened around them."""
        try:
            found = await self.node.accounts(keys, min_context_slot=slot)
        except RpcError as error:
            raise Refusal(Stage.COMPILE, "node_unavailable", str(error)) from error
        return found.in_use(self.owner, *place_addresses(self.owner))

    async def _tables(
        self, fragments: Sequence[Fragment], snapshot: AccountSnapshot, slot: Slot
    ) -> tuple[AddressLookupTableAccount, ...]:
        """Lookup tables with the contents that the *chain* shows: an API's word on them is not taken."""
        named = dict.fromkeys([*(key for part in fragments for key in part.tables), *self.market.lookup_tables])
        unseen = [key for key in named if key not in snapshot.accounts]
        more = (await self._read(unseen, slot)).accounts if unseen else {}
        found = []
        for key in named:
            table = _table(key, snapshot.accounts.get(key) or more.get(key), snapshot.slot)
            if table is not None:
                found.append(table)
        return tuple(found)


def require_supported(step: Atomic, market: Market) -> None:
    """Raises ``UnsupportedIntent`` for an intent that cannot be built in ``market``, whatever the chain says."""
    for intent in step.intents:
        if type(intent) not in BUILDERS:
            raise UnsupportedIntent(intent, f"no builder for {type(intent).__name__}")
        if isinstance(intent, LENDING) and market.lending is None:
            raise UnsupportedIntent(intent, "no lending market is configured: leave lending intents out of the plan")


def _with(builder: Builder, intent: Intent, site: Site) -> Fragment:
    return builder(site, intent)


def _built(site: Site, what: str, build: Callable[[Site], Fragment]) -> Fragment:
    try:
        return build(site)
    except (UnitError, LookupError, ValueError) as error:
        detail = f"{what} at {site.position}: {error}"
        raise Refusal(Stage.COMPILE, "intent_does_not_fit", detail, intent=what) from error


def _table(key: Pubkey, account: Account | None, slot: Slot) -> AddressLookupTableAccount | None:
    """The table's usable addresses; None where there are none (the message is then longer, or refused for its size)."""
    if account is None:
        return None
    try:
        addresses = decode_lookup_table(account.data, owner=account.owner).usable(slot)
    except LayoutError as error:
        raise Refusal(Stage.COMPILE, "lookup_table_malformed", str(error), table=str(key)) from error
    return AddressLookupTableAccount(key, list(addresses)) if addresses else None


def _without_repeats(
    instructions: Iterable[Instruction], snapshot: AccountSnapshot, owner: Pubkey
) -> list[Instruction]:
    """Leaves out creations that change nothing: of accounts that exist, and of those that the step made before.

    A close in between makes a creation count again. The wrapped-SOL account is always created, because a swap closes it.
    """
    open_accounts = {key for key, account in snapshot.accounts.items() if account is not None}
    open_accounts.discard(associated_token_address(owner, Pubkey.from_string(SOL.address)))
    kept: list[Instruction] = []
    for item in instructions:
        created, closed = _created(item), _closed(item)
        if created in open_accounts:
            continue
        kept.append(item)
        if created is not None:
            open_accounts.add(created)
        if closed is not None:
            open_accounts.discard(closed)
    return kept


def _created(item: Instruction) -> Pubkey | None:
    """The account that an idempotent creation by the associated-token program makes."""
    idempotent = item.program_id == ASSOCIATED_TOKEN and bytes(item.data) == b"\x01"
    return item.accounts[1].pubkey if idempotent and len(item.accounts) > 1 else None


def _closed(item: Instruction) -> Pubkey | None:
    closes = item.program_id in (SPL_TOKEN, TOKEN_2022) and bytes(item.data)[:1] == bytes([_CLOSE_ACCOUNT])
    return item.accounts[0].pubkey if closes and item.accounts else None
