"""Which token may be glowSOL: what the chain itself says, for an operator who has to name the mint (facts, protocol.md 9.1).

Evidence, not proof: an airspace can list any number of restaked tokens. Nothing is traded on a candidate until a person has put
its addresses into the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass

from solders.pubkey import Pubkey

from keeper.chain.accounts import Account, AccountSnapshot
from keeper.chain.answers import MemCompare
from keeper.chain.rpc import RpcClient
from keeper.protocols import addresses
from keeper.protocols import glow_margin as margin
from keeper.protocols.glow_margin.configs import TOKEN_CONFIG_AIRSPACE_OFFSET, TOKEN_CONFIG_DISCRIMINATOR
from keeper.protocols.layout import LayoutError
from keeper.protocols.token import decode_mint

GLOWSOL_DECIMALS = 9


@dataclass(frozen=True, slots=True)
class LrtCandidate:
    """A token that an airspace prices as a restaked one. ``evidence``: how. ``authority_of_lrt``: its mint authority is an
    account of the restaking program, as glowSOL's must be. ``pools``: accounts of that program that name the mint beside
    Solayer's sSOL, its LST or its stake pool."""

    mint: Pubkey
    config: Pubkey
    evidence: str
    decimals: int
    mint_authority: Pubkey | None
    authority_of_lrt: bool
    pools: tuple[Pubkey, ...]

    @property
    def likely(self) -> bool:
        """Everything that can be checked fits."""
        return self.authority_of_lrt and self.decimals == GLOWSOL_DECIMALS

    def __str__(self) -> str:
        authority = "is" if self.authority_of_lrt else "is not"
        pools = f"; pool {', '.join(str(pool) for pool in self.pools)}" if self.pools else ""
        return f"{self.mint} ({self.evidence}, its mint authority {authority} of the restaking program{pools})"


async def find_lrt_candidates(
    rpc: RpcClient,
    airspace: Pubkey,
    *,
    margin_program: Pubkey = addresses.GLOW_MARGIN,
    lrt_program: Pubkey = addresses.GLOW_LRT,
) -> tuple[LrtCandidate, ...]:
    """Candidates for glowSOL's mint in ``airspace``, the likely ones first. Two scans of programs: not for every tick.

    What cannot be decoded is no candidate. Raises ``RpcError``: many public nodes refuse getProgramAccounts.
    """
    filters = (MemCompare(0, TOKEN_CONFIG_DISCRIMINATOR), MemCompare(TOKEN_CONFIG_AIRSPACE_OFFSET, bytes(airspace)))
    configs = await rpc.program_accounts(margin_program, filters)
    wanted = {
        mint: found for mint, found in _restaked(configs, margin_program, lrt_program).items() if mint not in _KNOWN
    }
    if not wanted:
        return ()
    mints = await rpc.accounts(list(wanted))
    of_lrt = await rpc.program_accounts(lrt_program)
    found = [
        candidate
        for mint, (config, evidence) in wanted.items()
        if (candidate := _candidate(mint, config, evidence, mints[mint], of_lrt)) is not None
    ]
    return tuple(sorted(found, key=lambda one: (not one.likely, str(one.mint))))


_KNOWN = frozenset({addresses.SSOL_MINT, addresses.LST_MINT, addresses.WSOL_MINT})
_SOLAYER = (bytes(addresses.SSOL_MINT), bytes(addresses.LST_MINT), bytes(addresses.SOLAYER_STAKE_POOL))


def _restaked(
    configs: AccountSnapshot, margin_program: Pubkey, lrt_program: Pubkey
) -> dict[Pubkey, tuple[Pubkey, str]]:
    """The mints that are administered by the restaking program or priced by a redemption rate: (config, evidence) of each."""
    found: dict[Pubkey, tuple[Pubkey, str]] = {}
    for address, account in configs.existing().items():
        try:
            config = margin.decode_token_config(account.data, owner=account.owner, program=margin_program)
        except LayoutError:
            continue
        match config.admin:
            case margin.AdapterAdmin(program) if program == lrt_program:
                found[config.underlying_mint] = address, "administered by the restaking program"
                found[config.mint] = address, "administered by the restaking program"
            case margin.OracleAdmin(feed_id, quote) if quote:
                found.setdefault(config.mint, (address, f"priced by the redemption rate {feed_id.hex()}"))
            case _:
                continue
    return found


def _candidate(
    mint: Pubkey, config: Pubkey, evidence: str, account: Account | None, of_lrt: AccountSnapshot
) -> LrtCandidate | None:
    if account is None:
        return None
    try:
        state = decode_mint(account.data, owner_program=account.owner)
    except LayoutError:
        return None
    accounts = of_lrt.existing()
    pools = tuple(
        sorted(
            (
                key
                for key, one in accounts.items()
                if bytes(mint) in one.data and any(known in one.data for known in _SOLAYER)
            ),
            key=str,
        )
    )
    return LrtCandidate(
        mint=mint,
        config=config,
        evidence=evidence,
        decimals=state.decimals,
        mint_authority=state.mint_authority,
        authority_of_lrt=state.mint_authority in accounts,
        pools=pools,
    )


__all__ = ["LrtCandidate", "find_lrt_candidates"]
