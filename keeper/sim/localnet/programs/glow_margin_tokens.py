"""Mints, accounts and instructions of both token programs, as the margin program uses them through one interface.

Layouts: spl-token ``state.rs``; Token-2022 shares the first 165 and 82 bytes, and puts the account's type behind the 165th.
"""

from __future__ import annotations

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from keeper.protocols.addresses import ASSOCIATED_TOKEN, SPL_TOKEN, TOKEN_2022
from keeper.sim.localnet.interface import AccountView, InvokeContext
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import AnchorError, require_program
from keeper.sim.localnet.programs.borsh import u64
from keeper.sim.localnet.programs.glow_margin_errors import MarginError
from keeper.sim.localnet.programs.native_state import MINT_SIZE, TOKEN_ACCOUNT_SIZE, TokenBalanceState

TOKEN_PROGRAMS = frozenset({SPL_TOKEN, TOKEN_2022})
_TYPE = 165
_MINT_TYPE, _ACCOUNT_TYPE = 1, 2


def require_token_interface(account: AccountView) -> None:
    """Either token program. Raises 3008 InvalidProgramId."""
    if account.key not in TOKEN_PROGRAMS:
        raise AnchorError.INVALID_PROGRAM_ID.error("token_program")


def held_tokens(account: AccountView) -> TokenBalanceState | None:
    """State of a live token account of either program; None for anything else."""
    if account.owner not in TOKEN_PROGRAMS:
        return None
    data = account.data
    plain = len(data) == TOKEN_ACCOUNT_SIZE
    extended = account.owner == TOKEN_2022 and len(data) > _TYPE and data[_TYPE] == _ACCOUNT_TYPE
    if not (plain or extended) or data[108] == 0:
        return None
    return TokenBalanceState(Pubkey(data[:32]), Pubkey(data[32:64]), int.from_bytes(data[64:72], "little"))


def read_token_account(account: AccountView, name: str, program: Pubkey | None = None) -> TokenBalanceState:
    """A live token account of either program, or of ``program``. Raises 3012, 3007 or 3003."""
    if not account.exists():
        raise AnchorError.ACCOUNT_NOT_INITIALIZED.error(name)
    if account.owner not in TOKEN_PROGRAMS or (program is not None and account.owner != program):
        raise AnchorError.ACCOUNT_OWNED_BY_WRONG_PROGRAM.error(name)
    state = held_tokens(account)
    if state is None:
        raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error(name)
    return state


def token_account(
    account: AccountView, mint: Pubkey, name: str, *, program: Pubkey | None = None, owner: Pubkey | None = None
) -> TokenBalanceState:
    """A token account of ``mint`` (under ``program``, of ``owner``). Raises 3012, 3007, 3003, 2014 or 2015."""
    state = read_token_account(account, name, program)
    if state.mint != mint:
        raise AnchorError.CONSTRAINT_TOKEN_MINT.error(name)
    if owner is not None and state.owner != owner:
        raise AnchorError.CONSTRAINT_TOKEN_OWNER.error(name)
    return state


def mint_decimals(account: AccountView, name: str) -> int:
    """Decimals of a live mint of either program. Raises 3012, 3007 or 3003."""
    if not account.exists():
        raise AnchorError.ACCOUNT_NOT_INITIALIZED.error(name)
    if account.owner not in TOKEN_PROGRAMS:
        raise AnchorError.ACCOUNT_OWNED_BY_WRONG_PROGRAM.error(name)
    data = account.data
    plain = len(data) == MINT_SIZE
    extended = account.owner == TOKEN_2022 and len(data) > _TYPE and data[_TYPE] == _MINT_TYPE
    if not (plain or extended) or data[45] != 1:
        raise AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error(name)
    return data[44]


def associated_address(owner: Pubkey, mint: Pubkey, program: Pubkey) -> Pubkey:
    seeds = [bytes(owner), bytes(program), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN)[0]


def create_token_account(
    ctx: InvokeContext,
    payer: AccountView,
    account: AccountView,
    mint: AccountView,
    program: AccountView,
    *,
    owner: Pubkey,
    seeds: cpi.Seeds,
) -> None:
    """As Anchor's ``init`` of a token account at the caller's PDA ``account``: sized for the mint's extensions, rent-exempt."""
    require_program(program, mint.owner, "token_program")
    size = TOKEN_ACCOUNT_SIZE
    if len(mint.data) > MINT_SIZE:
        answer = ctx.invoke(Instruction(program.key, b"\x15", [cpi.readonly(mint.key)]))
        size = int.from_bytes(answer or b"", "little")
    cpi.create_program_account(ctx, payer, account, size, seeds, owner=program.key)
    metas = [cpi.writable(account.key), cpi.readonly(mint.key)]
    ctx.invoke(Instruction(program.key, b"\x12" + bytes(owner), metas))


def transfer_checked(
    program: Pubkey, source: Pubkey, mint: Pubkey, destination: Pubkey, authority: Pubkey, *, amount: int, decimals: int
) -> Instruction:
    metas = [cpi.writable(source), cpi.readonly(mint), cpi.writable(destination), cpi.readonly(authority, True)]
    return Instruction(program, b"\x0c" + u64(amount) + bytes([decimals]), metas)


def close_account(program: Pubkey, account: Pubkey, destination: Pubkey, authority: Pubkey) -> Instruction:
    metas = [cpi.writable(account), cpi.writable(destination), cpi.readonly(authority, True)]
    return Instruction(program, b"\x09", metas)


def require_known(program: Pubkey) -> None:
    """A token program as a configuration names it. Raises UnknownTokenProgram."""
    if program not in TOKEN_PROGRAMS:
        raise MarginError.UNKNOWN_TOKEN_PROGRAM.error(str(program))
