"""Finding the market on the configured cluster: what can be read is read, and what was configured is checked against it.

Nothing is invented: a missing or foreign account is a ``DiscoveryError`` that names it and the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account
from keeper.chain.rpc import RpcClient
from keeper.observe.lending_discovery import LendingSource, discover_lending
from keeper.observe.problems import DiscoveryError
from keeper.protocols import addresses
from keeper.protocols.glow_lrt import (
    Idl,
    IdlError,
    IdlMismatch,
    LrtMapping,
    LrtProgram,
    decode_idl_account,
    idl_address,
)
from keeper.protocols.layout import LayoutError
from keeper.protocols.market import LrtAddresses, Market, SolayerAddresses
from keeper.protocols.solayer import decode_restaking_pool
from keeper.protocols.stake_pool import decode_stake_pool, withdraw_authority
from keeper.protocols.token import decode_mint
from keeper.units import GLOWSOL_SYMBOL, SSOL, STAKE_POOL_LST, Mint


@dataclass(frozen=True, slots=True)
class LrtSource:
    """How to reach the closed-source restaking program. ``idl`` is its JSON text, or None to read it from the chain."""

    glowsol: Pubkey
    pool: Pubkey
    program: Pubkey
    idl: str | None
    mapping: LrtMapping


async def discover(
    rpc: RpcClient,
    genesis_hash: str,
    lrt: LrtSource | None,
    lookup_tables: tuple[Pubkey, ...],
    *,
    lending: LendingSource | None = None,
    owner: Pubkey | None = None,
) -> Market:
    """Read and check the market. A lending market is that of ``owner``'s margin account. Raises ``WrongCluster``,
    ``DiscoveryError``, ``RpcError``."""
    await rpc.require_cluster(genesis_hash)
    solayer = await _solayer(rpc)
    restaking = await _lrt(rpc, lrt) if lrt is not None else None
    found = None
    if lending is not None and owner is not None:
        raw = (SSOL,) if restaking is None else (restaking.glowsol, SSOL)
        found = await discover_lending(rpc, lending, owner, raw)
    return Market(genesis_hash, solayer, restaking, lookup_tables, found)


async def _solayer(rpc: RpcClient) -> SolayerAddresses:
    pool_account = await _required(rpc, addresses.SOLAYER_STAKE_POOL, "Solayer's stake pool")
    restaking = await _required(rpc, addresses.RESTAKING_POOL, "Solayer's restaking pool")
    try:
        pool = decode_stake_pool(pool_account.data, owner=pool_account.owner)
        wrapper = decode_restaking_pool(restaking.data, owner=restaking.owner)
    except LayoutError as error:
        raise DiscoveryError(f"{error}; this cluster does not have Solayer as the facts know it") from error
    expected = {
        pool.pool_mint: addresses.LST_MINT,
        wrapper.lst_mint: addresses.LST_MINT,
        wrapper.rst_mint: addresses.SSOL_MINT,
    }
    for found, wanted in expected.items():
        if found != wanted:
            raise DiscoveryError(
                f"Solayer's pools name the mint {found}, expected {wanted}; do not trade on this cluster"
            )
    return SolayerAddresses(
        stake_pool_program=addresses.STAKE_POOL_PROGRAM,
        stake_pool=addresses.SOLAYER_STAKE_POOL,
        withdraw_authority=withdraw_authority(addresses.SOLAYER_STAKE_POOL),
        validator_list=pool.validator_list,
        reserve_stake=pool.reserve_stake,
        manager_fee=pool.manager_fee_account,
        restaking_program=addresses.SOLAYER_RESTAKING,
        restaking_pool=addresses.RESTAKING_POOL,
        lst_vault=addresses.LST_VAULT,
        lst=STAKE_POOL_LST,
        ssol=SSOL,
    )


async def _lrt(rpc: RpcClient, source: LrtSource) -> LrtAddresses:
    pool_account = await _required(rpc, source.pool, "the restaking pool (market.lrt.pool)")
    mint_account = await _required(rpc, source.glowsol, "the glowSOL mint (market.lrt.glowsol)")
    try:
        program = LrtProgram(Idl.parse(await _idl(rpc, source)), source.mapping, source.program, source.pool)
        state = program.decode_pool(pool_account.data, owner=pool_account.owner)
        mint = decode_mint(mint_account.data, owner_program=mint_account.owner)
    except (IdlError, IdlMismatch) as error:
        raise DiscoveryError(f"the IDL does not fit the mapping: {error}; correct market.lrt.mapping") from error
    except LayoutError as error:
        raise DiscoveryError(f"{error}; check market.lrt.pool and market.lrt.glowsol") from error
    if state.glowsol_mint != source.glowsol:
        raise DiscoveryError(
            f"the pool {source.pool} mints {state.glowsol_mint}, but market.lrt.glowsol is {source.glowsol}"
        )
    if state.stake_pool != addresses.SOLAYER_STAKE_POOL or state.ssol_mint != addresses.SSOL_MINT:
        raise DiscoveryError(
            f"the pool {source.pool} restakes {state.ssol_mint} of {state.stake_pool}, which is not Solayer's sSOL"
        )
    glowsol = Mint(str(source.glowsol), GLOWSOL_SYMBOL, mint.decimals)
    return LrtAddresses(program.with_pool_state(state), source.pool, glowsol, state.ssol_vault)


async def _idl(rpc: RpcClient, source: LrtSource) -> str:
    if source.idl is not None:
        return source.idl
    address = idl_address(source.program)
    account = await rpc.account(address)
    if account is None or account.bare:
        raise DiscoveryError(
            f"no IDL is published at {address}; give one by market.lrt.idl, or remove [market.lrt] to do without"
        )
    try:
        return decode_idl_account(account.data, owner=account.owner, program_id=source.program)
    except LayoutError as error:
        raise DiscoveryError(
            f"what is published at {address} is no IDL: {error}; give one by market.lrt.idl"
        ) from error


async def _required(rpc: RpcClient, key: Pubkey, what: str) -> Account:
    account = await rpc.account(key)
    if account is None or account.bare:
        raise DiscoveryError(f"{what} {key} does not exist on this cluster; check cluster.rpc and the address")
    return account


__all__ = ["DiscoveryError", "LendingSource", "LrtSource", "discover"]
