"""Model of Glow's margin-pool program (CWPeEX...): lending pools whose notes margin accounts hold.

Accounts, arguments, rounding, limits and errors: shared facts, protocol.md 4. Governance (create, configure, fee withdrawal)
is genesis here. Compute units of its own work are inferred.

One thing the facts' table of changes (4.4) does not say: in the public source ``repay`` (not ``margin_repay``) measures the debt
by the *deposit* note's rate, so that its "bring the loan down to 0" leaves a rest as large as the two rates' difference.
Whether the deployed program does so is not known; ``published_repay`` turns it on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from solders.pubkey import Pubkey

from keeper.protocols.addresses import GLOW_MARGIN_POOL
from keeper.sim.localnet.interface import InvokeContext
from keeper.sim.localnet.programs import glow_margin_pool_lending as lending
from keeper.sim.localnet.programs import glow_margin_pool_loans as loans
from keeper.sim.localnet.programs.anchor import AnchorError, instruction_discriminator
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.glow_margin_pool_exchange import Action

Handler = Callable[[InvokeContext, Reader], None]

_HANDLERS: dict[str, Handler] = {
    "deposit": lending.deposit,
    "withdraw": lending.withdraw,
    "collect": lending.collect,
    "margin_borrow": loans.margin_borrow,
    "margin_borrow_v2": loans.margin_borrow_v2,
    "margin_repay": loans.margin_repay,
    "repay": loans.repay,
    "register_loan": loans.register_loan,
    "close_loan": loans.close_loan,
    "margin_refresh_position": loans.margin_refresh_position,
}
INSTRUCTIONS = {name: instruction_discriminator(name) for name in _HANDLERS}
"""Discriminator by name."""
_BY_DISCRIMINATOR = {discriminator: name for name, discriminator in INSTRUCTIONS.items()}


class GlowMarginPoolProgram:
    """The model at ``CWPeEX...``. ``published_repay``: repay as the public source has it (see the module)."""

    program_id: Pubkey = GLOW_MARGIN_POOL
    name = "glow_margin_pool"

    def __init__(self, *, published_repay: bool = False) -> None:
        owed_by = Action.DEPOSIT if published_repay else Action.REPAY
        self._handlers: dict[str, Handler] = {**_HANDLERS, "repay": partial(loans.repay, owed_by=owed_by)}

    def process(self, ctx: InvokeContext) -> None:
        name = _BY_DISCRIMINATOR.get(ctx.data[:8])
        if name is None:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        ctx.log(f"Instruction: {''.join(word.capitalize() for word in name.split('_'))}")
        reader = Reader(ctx.data, 8, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error())
        self._handlers[name](ctx, reader)
