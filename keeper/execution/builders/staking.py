"""``Stake`` and ``Unstake``: SOL to glowSOL or sSOL, sSOL to glowSOL, and sSOL back to SOL out of the pool's reserve."""

from __future__ import annotations

from keeper.execution.builders.pool import stake_pool
from keeper.execution.builders.site import Fragment, Site, ours
from keeper.execution.outcome import Refusal, Stage, UnsupportedIntent
from keeper.plan import Stake, Unstake
from keeper.protocols import solayer
from keeper.protocols.quotes import QuoteError
from keeper.protocols.stake_pool import instructions as pool_instructions
from keeper.protocols.stake_pool.pricing import quote_deposit_sol
from keeper.protocols.token import close_account
from keeper.units import SSOL, Lamports, TokenAmount


def stake(site: Site, intent: Stake) -> Fragment:
    """Instructions that turn ``intent.spend`` into the token of ``intent.min_receive``."""
    spend, least = intent.spend, intent.min_receive
    if least.mint == SSOL and isinstance(spend, Lamports):
        return _restake(site, spend, least)
    lrt = site.lrt()
    if least.mint != lrt.glowsol:
        raise UnsupportedIntent(intent, f"staking gives {SSOL} or {lrt.glowsol}, not {least.mint}")
    role = "deposit_sol" if isinstance(spend, Lamports) else "deposit_ssol"
    if not lrt.program.enforces_minimum(role):
        raise Refusal(
            Stage.COMPILE, "minimum_not_on_chain", f"the restaking program's {role} takes no minimum; map its min_out"
        )
    if isinstance(spend, Lamports):
        return ours(*site.ensure(lrt.glowsol), lrt.program.deposit_sol(site.owner, spend, least))
    if spend.mint != SSOL:
        raise UnsupportedIntent(intent, f"the restaking program takes SOL or {SSOL}, not {spend.mint}")
    return ours(*site.ensure(lrt.glowsol), lrt.program.deposit_ssol(site.owner, spend, least))


def _restake(site: Site, spend: Lamports, least: TokenAmount) -> Fragment:
    """Deposit into the stake pool and wrap exactly what it mints.

    What a deposit mints is known to the base unit while the pool does not change, so the quote is both the minimum of the deposit
    and the amount that is wrapped: if the pool pays less by then the transaction fails, and nothing is left over as LST.
    """
    pool = stake_pool(site)
    lst = site.market.solayer.lst
    try:
        minted = quote_deposit_sol(pool, spend)
    except QuoteError as error:
        raise Refusal(Stage.COMPILE, error.reason, str(error)) from error
    if minted.units < least.units:
        raise Refusal(
            Stage.COMPILE,
            "min_out_unreachable",
            f"the stake pool now mints {minted} for {spend}, the plan wants {least}",
            reachable=minted.units,
            wanted=least.units,
        )
    missing = site.ensure(lst)
    account = site.token_account(lst)
    deposit = pool_instructions.deposit_sol_with_slippage(
        site.market.solayer.stake_pool,
        pool,
        funder=site.owner,
        destination=account,
        amount=spend,
        minimum_out=minted,
    )
    # The referrer's share of a deposit fee comes back to the same account, which then is not empty and stays open.
    spotless = pool.sol_deposit_fee.numerator == 0
    tidy = (close_account(account, site.owner, site.owner),) if missing and spotless else ()
    return ours(*missing, *site.ensure(SSOL), deposit, solayer.restake(site.owner, minted), *tidy)


def unstake(site: Site, intent: Unstake) -> Fragment:
    """Unwrap sSOL and withdraw it from the stake pool's reserve, for at least ``intent.min_receive`` lamports."""
    if intent.spend.mint != SSOL:
        raise UnsupportedIntent(intent, f"only {SSOL} can be unstaked at once, not {intent.spend.mint}")
    lst = site.market.solayer.lst
    amount = solayer.quote_unrestake(intent.spend)
    missing = site.ensure(lst)
    account = site.token_account(lst)
    withdraw = pool_instructions.withdraw_sol_with_slippage(
        site.market.solayer.stake_pool,
        stake_pool(site),
        owner=site.owner,
        source=account,
        destination=site.owner,
        amount=amount,
        minimum_out=intent.min_receive,
    )
    tidy = (close_account(account, site.owner, site.owner),) if missing else ()
    return ours(*missing, solayer.unrestake(site.owner, intent.spend), withdraw, *tidy)
