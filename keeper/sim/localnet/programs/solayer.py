"""Model of Solayer's restaking program (sSo1iU...): wraps the stake pool's LST into sSOL one to one, and back.

Accounts, discriminators and the 1:1 rule: shared facts, protocol.md 2.3 (verified there on the mainnet binary). What
raises which of the four errors is inferred from their names. ``batch_thaw_lst_accounts`` is not modelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from solders.pubkey import Pubkey

from keeper.protocols.addresses import ASSOCIATED_TOKEN, SOLAYER_RESTAKING, SYSTEM
from keeper.sim.localnet.interface import InvokeContext, ProgramError
from keeper.sim.localnet.programs import cpi
from keeper.sim.localnet.programs.anchor import (
    AnchorError,
    account_discriminator,
    instruction_discriminator,
    require_key,
    require_program,
    require_signer,
    require_token_program,
    state_bytes,
    take_accounts,
    token_account,
)
from keeper.sim.localnet.programs.borsh import Reader
from keeper.sim.localnet.programs.native_state import mint_supply

RESTAKING_POOL_SIZE = 74
POOL_DISCRIMINATOR = account_discriminator("RestakingPool")
RESTAKE = instruction_discriminator("restake")
UNRESTAKE = instruction_discriminator("unrestake")
INITIALIZE = instruction_discriminator("initialize")


class SolayerError(IntEnum):
    """Custom codes of the program."""

    UNSUPPORTED_STAKING_ASSET = 6000
    NON_ZERO_RST_SUPPLY = 6001
    MINT_NOT_LIQUID = 6002
    MINT_MISMATCH = 6003

    def error(self) -> ProgramError:
        return ProgramError.custom(self.value, "".join(word.capitalize() for word in self.name.split("_")))


@dataclass(frozen=True, slots=True)
class RestakingPoolState:
    """The 74-byte pool account."""

    lst_mint: Pubkey
    rst_mint: Pubkey
    bump: int

    @classmethod
    def decode(cls, data: bytes) -> RestakingPoolState:
        reader = Reader(data, 8, error=AnchorError.ACCOUNT_DID_NOT_DESERIALIZE.error("pool"))
        return cls(reader.key(), reader.key(), reader.u8())

    def encode(self) -> bytes:
        body = POOL_DISCRIMINATOR + bytes(self.lst_mint) + bytes(self.rst_mint) + bytes([self.bump])
        return body.ljust(RESTAKING_POOL_SIZE, b"\0")

    @property
    def seeds(self) -> cpi.Seeds:
        return (b"pool", bytes(self.lst_mint), bytes([self.bump]))


def restaking_pool_address(lst_mint: Pubkey) -> tuple[Pubkey, int]:
    return Pubkey.find_program_address([b"pool", bytes(lst_mint)], SOLAYER_RESTAKING)


class SolayerRestakingProgram:
    """The model at ``sSo1iU...``."""

    program_id: Pubkey = SOLAYER_RESTAKING
    name = "solayer_restaking"

    def process(self, ctx: InvokeContext) -> None:
        reader = Reader(ctx.data, error=AnchorError.INSTRUCTION_DID_NOT_DESERIALIZE.error())
        if len(ctx.data) < 8:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()
        discriminator = reader.take(8)
        if discriminator == RESTAKE:
            ctx.log("Instruction: Restake")
            _convert(ctx, reader.u64(), restake=True)
        elif discriminator == UNRESTAKE:
            ctx.log("Instruction: Unrestake")
            _convert(ctx, reader.u64(), restake=False)
        elif discriminator == INITIALIZE:
            ctx.log("Instruction: Initialize")
            _initialize(ctx)
        else:
            raise AnchorError.INSTRUCTION_FALLBACK_NOT_FOUND.error()


def _convert(ctx: InvokeContext, amount: int, *, restake: bool) -> None:
    ctx.consume(31_600)
    signer, lst_mint, lst_ata, rst_ata, rst_mint, vault, pool, associated, token, system = take_accounts(ctx, 10)
    require_signer(signer, "signer")
    state = RestakingPoolState.decode(state_bytes(pool, SOLAYER_RESTAKING, POOL_DISCRIMINATOR, "pool"))
    if lst_mint.key != state.lst_mint:
        raise SolayerError.UNSUPPORTED_STAKING_ASSET.error()
    if rst_mint.key != state.rst_mint:
        raise SolayerError.MINT_MISMATCH.error()
    require_program(associated, ASSOCIATED_TOKEN, "associated_token_program")
    require_token_program(token)
    require_program(system, SYSTEM, "system_program")
    require_key(vault, cpi.associated_address(pool.key, state.lst_mint), "vault")
    require_key(lst_ata, cpi.associated_address(signer.key, state.lst_mint), "lst_ata")
    require_key(rst_ata, cpi.associated_address(signer.key, state.rst_mint), "rst_ata")
    if restake and not rst_ata.exists():
        ctx.invoke(cpi.create_associated(signer.key, signer.key, state.rst_mint))
    token_account(rst_ata, state.rst_mint, "rst_ata", signer.key)
    token_account(lst_ata, state.lst_mint, "lst_ata", signer.key)
    if restake:
        ctx.invoke(cpi.token_transfer(lst_ata.key, vault.key, signer.key, amount))
        ctx.invoke(cpi.mint_to(rst_mint.key, rst_ata.key, pool.key, amount), [state.seeds])
        return
    if token_account(vault, state.lst_mint, "vault", pool.key).amount < amount:
        raise SolayerError.MINT_NOT_LIQUID.error()
    ctx.invoke(cpi.burn(rst_ata.key, rst_mint.key, signer.key, amount))
    ctx.invoke(cpi.token_transfer(vault.key, lst_ata.key, pool.key, amount), [state.seeds])


def _initialize(ctx: InvokeContext) -> None:
    """Create the pool of an LST: signer[WS], lst_mint[], rst_mint[], pool[W], system program (order inferred)."""
    ctx.consume(15_000)
    signer, lst_mint, rst_mint, pool, system = take_accounts(ctx, 5)
    require_signer(signer, "signer")
    require_program(system, SYSTEM, "system_program")
    mint_supply(lst_mint)
    if mint_supply(rst_mint) != 0:
        raise SolayerError.NON_ZERO_RST_SUPPLY.error()
    address, bump = restaking_pool_address(lst_mint.key)
    if pool.key != address:
        raise AnchorError.CONSTRAINT_SEEDS.error("pool")
    state = RestakingPoolState(lst_mint.key, rst_mint.key, bump)
    cpi.create_program_account(ctx, signer, pool, RESTAKING_POOL_SIZE, state.seeds)
    pool.data = state.encode()
