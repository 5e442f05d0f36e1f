"""The Glow liquid restaking program, spoken by its IDL and a mapping of roles.

The program is closed source (shared facts, protocol.md 1): nothing about it is assumed here that the IDL does not say or
the mapping does not state, and what does not fit is found when the ``LrtProgram`` is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from keeper.protocols.errors import ProgramErrors
from keeper.protocols.glow_lrt.accounts import LrtPool, QueueSlot
from keeper.protocols.glow_lrt.codec import decode_account, encode_fields
from keeper.protocols.glow_lrt.fitting import check_fit
from keeper.protocols.glow_lrt.idl import Idl
from keeper.protocols.glow_lrt.mapping import ROLES, Constant, FieldSource, InstructionRole, LrtMapping, nearest
from keeper.protocols.glow_lrt.resolution import Call, IdlMismatch, Resolver
from keeper.protocols.layout import LayoutError, require_owner
from keeper.units import Bps, Duration, Lamports, TokenAmount, UnitError, UnixTime

MAX_CANCEL_FEE_BPS = 10_000


class LrtProgram:
    """Instructions and accounts of one pool. Raises ``IdlMismatch`` when the mapping does not fit the IDL.

    Addresses that stand in the pool account (mints, vault) are known after ``with_pool_state``.
    """

    def __init__(
        self, idl: Idl, mapping: LrtMapping, program_id: Pubkey, pool: Pubkey, pool_state: LrtPool | None = None
    ) -> None:
        check_fit(idl, mapping)
        self.idl = idl
        self.mapping = mapping
        self.program_id = program_id
        self.pool = pool
        self.pool_state = pool_state
        self._resolver = Resolver(
            idl, mapping, program_id=program_id, pool=pool, pool_fields=pool_state.fields if pool_state else None
        )

    def with_pool_state(self, state: LrtPool) -> LrtProgram:
        """The same program, knowing the addresses in its pool account."""
        return LrtProgram(self.idl, self.mapping, self.program_id, self.pool, state)

    def missing(self) -> tuple[str, ...]:
        """Roles that the mapping leaves out; calling one raises ``IdlMismatch``."""
        return tuple(role for role in ROLES if role not in self.mapping.instructions)

    def enforces_minimum(self, role: str) -> bool:
        """Whether the instruction of ``role`` takes a minimum that holds on chain."""
        return self._role(role).min_out is not None

    def register_errors(self, registry: ProgramErrors) -> None:
        """Add the error names of the IDL to ``registry``."""
        registry.register(self.program_id, self.idl.name or "glow-lrt", self.idl.errors, anchor=True)

    # -- instructions

    def deposit_sol(self, owner: Pubkey, amount: Lamports, min_out: TokenAmount | None = None) -> Instruction:
        """Stake lamports of ``owner`` for at least ``min_out`` glowSOL. None asks for no minimum."""
        return self._build("deposit_sol", owner, amount=amount.as_u64(), min_out=self._glowsol(min_out))

    def deposit_ssol(self, owner: Pubkey, amount: TokenAmount, min_out: TokenAmount | None = None) -> Instruction:
        """Deposit sSOL of ``owner``'s associated account for at least ``min_out`` glowSOL."""
        self._check_mint(amount, None if self.pool_state is None else self.pool_state.ssol_mint)
        return self._build("deposit_ssol", owner, amount=amount.as_u64(), min_out=self._glowsol(min_out))

    def create_queue(self, owner: Pubkey) -> Instruction:
        """Create the owner's withdrawal queue account."""
        return self._build("create_queue", owner)

    def close_queue(self, owner: Pubkey) -> Instruction:
        """Close the owner's empty withdrawal queue account and take its rent back."""
        return self._build("close_queue", owner)

    def request_unstake(self, owner: Pubkey, shares: TokenAmount, ticket: int | None = None) -> Instruction:
        """Put ``shares`` glowSOL into the queue. ``ticket`` is the slot to use, for programs that ask for one."""
        return self._build("request_unstake", owner, amount=self._glowsol(shares), index=ticket)

    def claim_unstake(self, owner: Pubkey, index: int) -> Instruction:
        """Pay out the slot ``index`` of the queue, whose waiting period has passed."""
        return self._build("claim_unstake", owner, index=index)

    def cancel_unstake(self, owner: Pubkey, index: int) -> Instruction:
        """Take the slot ``index`` out of the queue again, for the cancellation fee."""
        return self._build("cancel_unstake", owner, index=index)

    def queue_address(self, owner: Pubkey) -> Pubkey:
        """Address of the owner's withdrawal queue account. Raises ``IdlMismatch`` without a queue in the mapping."""
        return self._resolver.queue(owner)

    # -- accounts

    def decode_pool(self, data: bytes, *, owner: Pubkey | None = None) -> LrtPool:
        """Decode the pool account; its owner is checked when given. Raises ``LayoutError``."""
        role = self.mapping.pool
        require_owner(role.account, owner, (self.program_id,))
        fields = decode_account(self.idl, role.account, data)
        values = {name: _take(fields, source, role.account) for name, source in role.fields.items()}
        fee = int(values["cancel_fee_bps"])
        if not 0 <= fee <= MAX_CANCEL_FEE_BPS:
            raise LayoutError(role.account, "cancel_fee_bps", f"0 to {MAX_CANCEL_FEE_BPS} basis points", str(fee))
        return LrtPool(
            paused=bool(values["paused"]),
            cap=Lamports(int(values["cap"])),
            waiting_period=Duration(int(values["waiting_period"])),
            cancel_fee=Bps(fee),
            pending_assets=Lamports(int(values["pending_assets"])),
            pending_shares=int(values["pending_shares"]),
            minimum_reserve=Lamports(int(values["minimum_reserve"])),
            glowsol_mint=values["glowsol_mint"],
            ssol_mint=values["ssol_mint"],
            stake_pool=values["stake_pool"],
            ssol_vault=values["ssol_vault"],
            fields=fields,
        )

    def decode_queue(
        self, data: bytes, *, owner: Pubkey | None = None, wallet: Pubkey | None = None
    ) -> tuple[QueueSlot, ...]:
        """Slots of a queue account that are in use. The account's ``owner`` and the ``wallet`` that it belongs to are
        checked when given. Raises ``LayoutError``."""
        role = self.mapping.queue
        if role is None:
            raise IdlMismatch("queue", "queue", "the mapping has no queue, so unstaking is not available")
        require_owner(role.account, owner, (self.program_id,))
        fields = decode_account(self.idl, role.account, data)
        holder = _take(fields, role.fields["owner"], role.account)
        if wallet is not None and holder != wallet:
            raise LayoutError(role.account, "owner", str(wallet), str(holder))
        found = []
        for index, slot in enumerate(_take(fields, role.fields["slots"], role.account)):
            values = {name: _take(slot, source, role.account) for name, source in role.slot_fields.items()}
            assets, shares = int(values["assets"]), int(values["shares"])
            if assets or shares:
                requested, waiting = UnixTime(int(values["requested_at"])), Duration(int(values["waiting_period"]))
                found.append(QueueSlot(index, Lamports(assets), shares, requested, waiting))
        return tuple(found)

    # -- the way from role to bytes

    def _role(self, role: str) -> InstructionRole:
        found = self.mapping.instructions.get(role)
        if found is None:
            known = tuple(self.mapping.instructions)
            raise IdlMismatch(role, role, f"the mapping has no instruction for this role; {nearest(role, known)}")
        return found

    def _check_mint(self, amount: TokenAmount, mint: Pubkey | None) -> None:
        if mint is not None and amount.mint.address != str(mint):
            raise UnitError(f"{amount} is an amount of {amount.mint.address}, the pool's mint is {mint}")

    def _glowsol(self, amount: TokenAmount | None) -> int | None:
        if amount is None:
            return None
        self._check_mint(amount, None if self.pool_state is None else self.pool_state.glowsol_mint)
        return amount.as_u64()

    def _build(
        self,
        role: str,
        owner: Pubkey,
        *,
        amount: int | None = None,
        min_out: int | None = None,
        index: int | None = None,
    ) -> Instruction:
        found = self._role(role)
        spec = self.idl.instructions[found.name]
        values: dict[str, Any] = {}
        for path, value in found.constants.items():
            _put(values, path, value)
        if found.amount is not None:
            _put(values, found.amount, amount)
        if found.min_out is not None:
            _put(values, found.min_out, min_out or 0)
        elif min_out is not None:
            raise IdlMismatch(role, "min_out", f"{spec.name} takes no minimum, so {min_out} cannot hold on chain")
        if found.index is not None:
            if index is None:
                raise IdlMismatch(role, found.index, f"{spec.name} needs {found.index!r}; give the slot to use")
            _put(values, found.index, index)
        accounts: Sequence[AccountMeta] = Call(self._resolver, spec, owner, values, role).metas()
        data = spec.discriminator + encode_fields(self.idl, spec.args, values, spec.name)
        return Instruction(self.program_id, data, list(accounts))


def _put(values: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path in nested objects."""
    head, _, rest = path.partition(".")
    if rest:
        _put(values.setdefault(head, {}), rest, value)
    else:
        values[head] = value


def _take(fields: Mapping[str, Any], source: FieldSource, account: str) -> Any:
    """A mapped field's value; dotted names reach into structs."""
    if isinstance(source, Constant):
        return source.value
    value: Any = fields
    for part in source.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise LayoutError(account, source, "a field of the struct", "absent")
        value = value[part]
    return value
