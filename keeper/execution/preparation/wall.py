"""The firewall of setting up: a transaction may do what was shown, and nothing else to anybody's accounts.

First wall: the message holds our own instructions in their order and the decided compute budget, calls only the programs of
its steps, none of them out of a lookup table, and nobody but the wallet signs. Second wall: of all accounts that it writes, a
simulation changes only those that its steps name, each as the step says, and the wallet pays no more than was shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.execution.balances import Effects
from keeper.execution.message import Budget, Resolved
from keeper.execution.outcome import Refusal, Stage
from keeper.execution.preparation.bundles import Bundle
from keeper.execution.preparation.ground import permit_of
from keeper.protocols import compute_budget
from keeper.protocols import glow_margin as margin
from keeper.protocols.addresses import ADDRESS_LOOKUP_TABLE, ASSOCIATED_TOKEN, COMPUTE_BUDGET, SYSTEM
from keeper.protocols.layout import LayoutError
from keeper.protocols.lending import LendingAddresses
from keeper.protocols.lookup_table import LookupTable, decode_lookup_table
from keeper.protocols.token import decode_token_account

Accounts = Mapping[Pubkey, Account | None]


@dataclass(frozen=True, slots=True)
class Wall:
    """What one wallet's transactions are held against. ``lending`` is None where no lending market is configured."""

    wallet: Pubkey
    lending: LendingAddresses | None

    @property
    def programs(self) -> frozenset[Pubkey]:
        """The programs that setting up may call."""
        lending = () if self.lending is None else (self.lending.margin_program, self.lending.airspace_program)
        return frozenset({ADDRESS_LOOKUP_TABLE, ASSOCIATED_TOKEN, *lending})

    def inspect(self, message: Resolved, bundle: Bundle, budget: Budget) -> None:
        """The first wall. Raises ``Refusal`` of stage FIREWALL that names the rule."""
        if message.signers != (self.wallet,):
            _refuse("foreign_signer", f"the wallet must be the only signer, not {message.signers}")
        if any(not call.static for call in message.calls):
            _refuse("program_from_lookup", "a program may not be loaded from a lookup table")
        said = [(call.program, call.accounts, call.data) for call in message.calls]
        settings = [compute_budget.set_compute_unit_limit(budget.limit)]
        if budget.price:
            settings.append(compute_budget.set_compute_unit_price(budget.price))
        if said != [_shape(item) for item in (*settings, *bundle.instructions)]:
            _refuse("foreign_instruction", "the message does not hold exactly the instructions that were shown")
        for program, _, _ in said:
            if program not in self.programs | {COMPUTE_BUDGET}:
                _refuse("unknown_program", f"the program {program} is not on the allow-list", program=str(program))

    def verify(self, effects: Effects, bundle: Bundle) -> None:
        """The second wall; ``effects.extra_fee`` is what the transaction costs beyond the simulated one. Raises ``Refusal``."""
        self._check_wallet(effects, bundle)
        for key, after in effects.after.items():
            if key != self.wallet:
                self._check_account(key, effects.before.get(key), after, bundle)

    def _check_wallet(self, effects: Effects, bundle: Bundle) -> None:
        before, after = effects.before.get(self.wallet), effects.after.get(self.wallet)
        if before is None or after is None or after.owner != SYSTEM or after.data:
            _refuse("wallet_taken", "the wallet would no longer be a plain system account")
        change = after.lamports - before.lamports - effects.extra_fee
        if change < bundle.change:
            _refuse(
                "above_shown_cost",
                f"the wallet's SOL would change by {change}, shown was {bundle.change}",
                change=change.value,
                shown=bundle.change.value,
            )

    def _check_account(self, key: Pubkey, before: Account | None, after: Account | None, bundle: Bundle) -> None:
        lending = self.lending
        steps = bundle.steps
        if any(key in step.closed for step in steps):
            if after is not None and after.lamports.value:
                _refuse("not_closed", f"{key} would still hold {after.lamports}", account=str(key))
            return
        opening = next((one for one in bundle.opened if one.account == key), None)
        if lending is not None and key == lending.account:
            return _check_margin(before, after, bundle, self.wallet, lending)
        if any(step.table == key for step in steps):
            return _check_table(key, before, after, bundle, self.wallet)
        if opening is not None and opening.tokens is not None:
            return _check_tokens(key, before, after, opening.tokens)
        if opening is not None and lending is not None and key == permit_of(lending, self.wallet):
            return _check_permit(after, lending, self.wallet)
        if before != after:
            _refuse("unexpected_change", f"{key} would change, and no step names it", account=str(key))
        return None


def _shape(item: Instruction) -> tuple[Pubkey, tuple[Pubkey, ...], bytes]:
    return item.program_id, tuple(meta.pubkey for meta in item.accounts), bytes(item.data)


def _check_margin(
    before: Account | None, after: Account | None, bundle: Bundle, wallet: Pubkey, lending: LendingAddresses
) -> None:
    """Ours, with the positions that it had, and beside them only those that the steps open or close."""
    if after is None:
        _refuse("margin_account_taken", "the margin account would be gone")
    try:
        now = margin.decode_margin_account(after.data, owner=after.owner, program=lending.margin_program)
        was = None
        if before is not None and before.data:
            was = margin.decode_margin_account(before.data, owner=before.owner, program=lending.margin_program)
    except LayoutError as error:
        raise Refusal(Stage.FIREWALL, "margin_account_taken", str(error)) from error
    fresh = (wallet, lending.airspace, lending.seed, margin.Constraint(0), margin.AccountFeature(0), None)
    expected = fresh if was is None else _identity(was)
    if _identity(now) != expected:
        _refuse("margin_account_taken", f"the margin account would be {_identity(now)}, not {expected}")
    named = {token for step in bundle.steps for token in step.positions}
    held = {} if was is None else {one.token: one for one in was.positions if one.token not in named}
    kept = {one.token: one for one in now.positions if one.token not in named}
    if held != kept:
        _refuse("position_changed", "a position would change that no step names")
    if any(one.balance for one in now.positions if one.token in named):
        _refuse("position_changed", "a position would be opened with a balance")


def _identity(state: margin.MarginAccountState) -> tuple[object, ...]:
    return state.owner, state.airspace, state.seed, state.constraints, state.features, state.liquidator


def _check_tokens(key: Pubkey, before: Account | None, after: Account | None, tokens: tuple[Pubkey, Pubkey]) -> None:
    mint, owner = tokens
    if before is not None and before.data:
        _refuse("account_exists", f"{key} exists already; look again", account=str(key))
    if after is None:
        _refuse("not_opened", f"the token account {key} would not be opened", account=str(key))
    try:
        made = decode_token_account(after.data, owner_program=after.owner)
    except LayoutError as error:
        raise Refusal(Stage.FIREWALL, "not_opened", f"{key}: {error}") from error
    if (made.mint, made.owner, made.amount) != (mint, owner, 0) or made.delegate or made.close_authority:
        _refuse("account_given_away", f"{key} would not be an empty account of {owner} alone", account=str(key))


def _check_permit(after: Account | None, lending: LendingAddresses, wallet: Pubkey) -> None:
    if after is None:
        _refuse("not_opened", "the airspace permit would not be there")
    try:
        permit = margin.decode_airspace_permit(after.data, owner=after.owner, program=lending.airspace_program)
    except LayoutError as error:
        raise Refusal(Stage.FIREWALL, "not_opened", str(error)) from error
    if (permit.owner, permit.airspace) != (wallet, lending.airspace):
        _refuse("account_given_away", f"the permit would be for {permit.owner} in {permit.airspace}")


def _check_table(key: Pubkey, before: Account | None, after: Account | None, bundle: Bundle, wallet: Pubkey) -> None:
    was, now = _table(before), _table(after)
    if now is None:
        _refuse("not_opened", f"the lookup table {key} would not be there", account=str(key))
    mine = [step for step in bundle.steps if step.table == key]
    wanted = (*(() if was is None else was.addresses), *(one for step in mine for one in step.appended))
    retired = any(step.deactivates for step in mine)
    if now.authority != wallet or now.addresses != wanted or (now.deactivation_slot is not None) != retired:
        _refuse("table_differs", f"the lookup table {key} would not hold exactly what was shown", account=str(key))


def _table(account: Account | None) -> LookupTable | None:
    if account is None or not account.data:
        return None
    try:
        return decode_lookup_table(account.data, owner=account.owner)
    except LayoutError as error:
        raise Refusal(Stage.FIREWALL, "table_differs", str(error)) from error


def _refuse(rule: str, detail: str, **numbers: int | str) -> NoReturn:
    raise Refusal(Stage.FIREWALL, rule, detail, **numbers)
