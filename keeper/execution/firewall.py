"""The firewall's first wall: what a message may say. Every transaction passes it, ours or a venue's, just before signing.

It allows and does not forbid: a program, an instruction of the system or token program, an account that tokens may go to
is refused unless it is named here. What the programs then *do* is the second wall's business (``balances``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.execution.message import Budget, Call, Resolved
from keeper.execution.outcome import Refusal, Stage
from keeper.plan import Atomic, Deposit, Repay, Swap, Wrap
from keeper.protocols.addresses import (
    ASSOCIATED_TOKEN,
    COMPUTE_BUDGET,
    SPL_TOKEN,
    SYSTEM,
    TOKEN_2022,
    WSOL_MINT,
)
from keeper.protocols.compute_budget import ComputeUnitLimit, ComputeUnitPrice, decode
from keeper.protocols.jupiter import decode_swap
from keeper.protocols.layout import LayoutError
from keeper.protocols.token import associated_token_address
from keeper.units import SOL, MicroLamports

SYSTEM_TRANSFER = 2
TOKEN_CLOSE_ACCOUNT, TOKEN_SYNC_NATIVE = 9, 17
ATA_CREATE, ATA_CREATE_IDEMPOTENT = 0, 1

Shape: TypeAlias = tuple[Pubkey, tuple[Pubkey, ...], bytes]
"""Program, accounts in order, and data: all that makes an instruction what it does."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What this step's message may contain. ``own`` are the instructions that our builders made for it. ``apart``: accounts that
    no venue's instruction may name, because the wallet's signature decides over them."""

    wallet: Pubkey
    step: Atomic
    own: tuple[Instruction, ...]
    protocol_programs: frozenset[Pubkey]
    venue_programs: frozenset[Pubkey]
    budget: Budget
    max_unit_price: MicroLamports
    apart: frozenset[Pubkey] = frozenset()

    @property
    def swaps(self) -> tuple[Swap, ...]:
        return tuple(intent for intent in self.step.intents if isinstance(intent, Swap))

    @property
    def wrappable(self) -> int:
        """Lamports that may move into the wallet's wrapped-SOL account: what the step wraps, sells as SOL, or pays into the
        lending market."""
        sold = sum(swap.sell.units for swap in self.swaps if swap.sell.mint == SOL)
        paid = (intent.amount for intent in self.step.intents if isinstance(intent, Deposit | Repay))
        sold += sum(amount.units for amount in paid if amount.mint == SOL)
        return sold + sum(intent.amount.value for intent in self.step.intents if isinstance(intent, Wrap))


def inspect(message: Resolved, rules: Rules) -> None:
    """Hold ``message`` against ``rules``. Raises ``Refusal`` of stage FIREWALL that names the rule."""
    if message.signers != (rules.wallet,):
        _refuse("foreign_signer", "the wallet must be the only signer", signers=_names(message.signers))
    budget: list[Call] = []
    swaps: list[Call] = []
    wrapped = 0
    own = Counter(_shape(item.program_id, (meta.pubkey for meta in item.accounts), item.data) for item in rules.own)
    for call in message.calls:
        if not call.static:
            _refuse("program_from_lookup", "a program may not be loaded from a lookup table", program=str(call.program))
        if call.program == COMPUTE_BUDGET:
            budget.append(call)
        elif call.program == SYSTEM:
            wrapped += _transferred(call, rules, ours=_taken(own, call))
        elif call.program in (SPL_TOKEN, TOKEN_2022):
            _check_token(call, rules)
        elif call.program == ASSOCIATED_TOKEN:
            if not _taken(own, call):  # ours may also open an account of the margin account
                _check_associated(call, rules)
        elif call.program in rules.venue_programs:
            _check_apart(call, rules)
            swaps.append(call)
        elif call.program in rules.protocol_programs:
            _take(own, call)
        else:
            _refuse("unknown_program", "the program is not on the allow-list", program=str(call.program))
    if wrapped > rules.wrappable:
        _refuse(
            "transfer_beyond_plan", "more lamports are wrapped than the plan sells", moved=wrapped, plan=rules.wrappable
        )
    _check_budget(budget, rules)
    _check_swaps(swaps, rules.swaps)


def _refuse(rule: str, detail: str, **numbers: int | str) -> NoReturn:
    raise Refusal(Stage.FIREWALL, rule, detail, **numbers)


def _names(keys: Iterable[Pubkey]) -> str:
    return " ".join(str(key) for key in keys)


def _shape(program: Pubkey, accounts: Iterable[Pubkey], data: bytes) -> Shape:
    return program, tuple(accounts), bytes(data)


def _taken(own: Counter[Shape], call: Call) -> bool:
    """Whether our builders made this very instruction; each counts once."""
    shape = _shape(call.program, call.accounts, call.data)
    if own[shape] <= 0:
        return False
    own[shape] -= 1
    return True


def _take(own: Counter[Shape], call: Call) -> None:
    """A protocol's instruction must be one that our builders made; a venue has no business in there."""
    if not _taken(own, call):
        _refuse("foreign_protocol_call", "a venue may not call this program", program=str(call.program))


def _check_apart(call: Call, rules: Rules) -> None:
    """A route carries the wallet's signature into programs that nobody here knows. What such a program does not name it cannot
    touch, whatever it showed to the simulation."""
    for key in call.accounts:
        if key in rules.apart:
            _refuse("venue_names_ours", "a venue's instruction names an account that no swap needs", account=str(key))


def _transferred(call: Call, rules: Rules, *, ours: bool) -> int:
    """Lamports that a system instruction wraps: a transfer from the wallet to its own wrapped-SOL account. Nothing else is
    allowed, but for what our own builders made, and that wraps nothing."""
    kind = int.from_bytes(call.data[:4], "little")
    if kind == SYSTEM_TRANSFER and len(call.data) == 12 and len(call.accounts) >= 2:
        source, target = call.accounts[:2]
        if source == rules.wallet and target == associated_token_address(rules.wallet, WSOL_MINT):
            return int.from_bytes(call.data[4:], "little")
        if not ours:
            _refuse("transfer_to_stranger", "lamports may only go to the wallet's own wrapped SOL", target=str(target))
    if not ours:
        _refuse("system_instruction", "only wrapping transfers are allowed of the system program", instruction=kind)
    return 0


def _check_token(call: Call, rules: Rules) -> None:
    """Only closing an own account in the wallet's favour, and counting wrapped lamports: no transfer, approval, authority."""
    kind = call.data[0] if call.data else -1
    if kind == TOKEN_SYNC_NATIVE and len(call.accounts) >= 1:
        return
    if kind == TOKEN_CLOSE_ACCOUNT and len(call.accounts) >= 3:
        destination = call.accounts[1]
        if destination != rules.wallet:
            _refuse("close_to_stranger", "a closed account's lamports must come to the wallet", target=str(destination))
        return
    _refuse("token_instruction", "only CloseAccount and SyncNative are allowed of the token program", instruction=kind)


def _check_associated(call: Call, rules: Rules) -> None:
    """Only creation of the wallet's own associated accounts."""
    kind = call.data[0] if call.data else ATA_CREATE
    if kind not in (ATA_CREATE, ATA_CREATE_IDEMPOTENT) or len(call.accounts) < 6:
        _refuse("associated_instruction", "only creation is allowed of the associated-token program", instruction=kind)
    payer, account, holder, mint, _, program = call.accounts[:6]
    if payer != rules.wallet or holder != rules.wallet:
        _refuse("account_for_stranger", "the wallet pays only for accounts of its own", holder=str(holder))
    if account != associated_token_address(rules.wallet, mint, program):
        _refuse("account_for_stranger", "the account is not the wallet's associated one", account=str(account))


def _check_budget(calls: list[Call], rules: Rules) -> None:
    limits: list[int] = []
    prices: list[int] = []
    for call in calls:
        try:
            setting = decode(Instruction(call.program, call.data, []))
        except LayoutError as error:
            _refuse("budget_instruction", str(error))
        if isinstance(setting, ComputeUnitLimit):
            limits.append(setting.units.value)
        elif isinstance(setting, ComputeUnitPrice):
            prices.append(setting.price.value)
    price = sum(prices)
    if limits != [rules.budget.limit.value] or len(prices) > 1 or price != rules.budget.price.value:
        _refuse("budget_differs", "the compute budget is not the one that was decided", limits=str(limits), price=price)
    if price > rules.max_unit_price.value:
        _refuse(
            "price_above_cap", "the compute-unit price is above its cap", price=price, cap=rules.max_unit_price.value
        )


def _check_swaps(calls: list[Call], swaps: tuple[Swap, ...]) -> None:
    """Each swap instruction must sell exactly what its intent sells and promise on chain at least what it wants."""
    if len(calls) != len(swaps):
        _refuse("swap_count", "the message swaps more or less often than the plan", calls=len(calls), plan=len(swaps))
    for call, intent in zip(calls, swaps, strict=True):
        try:
            decoded = decode_swap(call.data)
        except LayoutError as error:
            _refuse("swap_not_understood", str(error), program=str(call.program))
        if decoded.in_amount != intent.sell.units:
            _refuse("swap_amount", "the swap sells another amount", sells=decoded.in_amount, plan=intent.sell.units)
        if decoded.minimum_out < intent.min_receive.units:
            _refuse(
                "swap_minimum",
                "the swap's on-chain minimum is below the plan's",
                minimum=decoded.minimum_out,
                plan=intent.min_receive.units,
            )
