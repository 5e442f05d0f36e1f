"""The liquid restaking program behind glowSOL: closed source, so all that is known of it is held against the chain."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from solders.pubkey import Pubkey

from keeper.chain.errors import RpcError
from keeper.doctor.case import Case
from keeper.doctor.chart import Chart
from keeper.doctor.check import Check, Verdict, failed, passed, unknown
from keeper.doctor.finding import Finding, Scope, Status
from keeper.doctor.staking import DECIMALS, described
from keeper.observe.lrt_candidates import find_lrt_candidates
from keeper.protocols import addresses
from keeper.protocols import glow_margin as margin
from keeper.protocols.glow_lrt import IdlError, IdlMismatch, LrtBooks, idl_address, redemption_rate
from keeper.protocols.layout import LayoutError
from keeper.protocols.quotes import QuoteError
from keeper.protocols.token import decode_token_account
from keeper.units import GLOWSOL_SYMBOL, SSOL, Lamports, Mint, TokenAmount

SANE = Fraction(9, 10), Fraction(3)
"""SOL per glowSOL: it began at one in 2024 and earns a few percent a year."""
SEE_IDL = "see the check 'lrt_idl'"


def _idl(chart: Chart) -> Iterator[Verdict]:
    source = chart.lrt
    if not chart.need(source.program, "the restaking program (market.lrt.program)").executable:
        yield failed(f"{source.program} is no program", "correct market.lrt.program")
        return
    if source.idl is None and chart.at(idl_address(source.program)) is None:
        remedy = "name a file with the IDL in market.lrt.idl, or remove [market.lrt] to do without the program"
        yield failed(f"no IDL is published at {idl_address(source.program)}", remedy)
        return
    try:
        program = chart.lrt_program()
    except IdlMismatch as error:
        yield failed(f"the mapping does not fit the IDL: {error}", "correct the file that market.lrt.mapping names")
        return
    except IdlError as error:
        yield failed(f"the IDL cannot be used: {error}", "name a file with a correct IDL in market.lrt.idl")
        return
    missing = program.missing()
    without = f"; without {', '.join(missing)}, so nothing is done that needs them" if missing else ""
    yield passed(f"{program.idl.name or 'the IDL'} fits the mapping{without}")


def _pool(chart: Chart) -> Iterator[Verdict]:
    try:
        pool = chart.lrt_pool()
    except (IdlError, IdlMismatch):
        yield unknown("the pool cannot be read without its IDL", SEE_IDL)
        return
    wanted = {
        "mints": (pool.glowsol_mint, chart.lrt.glowsol),
        "restakes": (pool.ssol_mint, addresses.SSOL_MINT),
        "stakes in": (pool.stake_pool, addresses.SOLAYER_STAKE_POOL),
    }
    wrong = [f"{verb} {found}, expected {meant}" for verb, (found, meant) in wanted.items() if found != meant]
    if wrong:
        remedy = f"correct market.lrt.glowsol (this pool's token is {pool.glowsol_mint}) or market.lrt.pool"
        yield failed("; ".join(wrong), remedy)
    else:
        yield passed(f"{chart.lrt.pool}, waiting {pool.waiting_period}, cancelling costs {pool.cancel_fee}")


def _mint(chart: Chart) -> Iterator[Verdict]:
    glowsol = chart.lrt.glowsol
    if chart.at(glowsol) is None:
        remedy = "correct market.lrt.glowsol; without [market.lrt] the doctor lists candidates"
        yield failed(f"the mint {glowsol} does not exist", remedy)
        return
    try:
        state = chart.mint(glowsol, "market.lrt.glowsol")
    except LayoutError as error:
        yield failed(str(error), "correct market.lrt.glowsol: it is no mint")
        return
    authority = chart.snapshot.accounts.get(state.mint_authority) if state.mint_authority is not None else None
    if state.decimals != DECIMALS:
        remedy = "correct market.lrt.glowsol: glowSOL has 9"
        yield failed(f"{glowsol} has {state.decimals} decimals", remedy)
    elif authority is None or authority.owner != chart.lrt.program:
        remedy = "correct market.lrt.glowsol: glowSOL is minted by an account of the restaking program alone"
        found = f"{glowsol} is minted by {state.mint_authority}, no account of {chart.lrt.program}"
        yield failed(found, remedy)
    else:
        yield passed(described(glowsol, state))


def _paused(chart: Chart) -> Iterator[Verdict]:
    try:
        pool = chart.lrt_pool()
    except (IdlError, IdlMismatch):
        yield unknown("whether the program is paused stands in its pool", SEE_IDL)
        return
    if pool.paused:
        remedy = "wait until Glow resumes it (their announcements say why); what is queued keeps its amount"
        yield failed("the restaking program is paused", remedy)
    else:
        yield passed("not paused")


def _rate(chart: Chart) -> Iterator[Verdict]:
    """By the program's books, not by a market. Raises ``LayoutError``."""
    try:
        pool = chart.lrt_pool()
    except (IdlError, IdlMismatch):
        yield unknown("the redemption rate follows from the pool", SEE_IDL)
        return
    if pool.glowsol_mint != chart.lrt.glowsol:
        yield unknown(f"the pool mints {pool.glowsol_mint}, not what is configured", "see the check 'lrt_pool'")
        return
    account, vault = chart.need(chart.lrt.pool, "market.lrt.pool"), chart.need(pool.ssol_vault, "its sSOL vault")
    token = Mint(str(chart.lrt.glowsol), GLOWSOL_SYMBOL, DECIMALS)
    books = LrtBooks(
        pool=pool,
        liquid=Lamports(account.lamports.value),  # with the pool's rent, which is nothing beside its assets
        ssol=TokenAmount(SSOL, decode_token_account(vault.data, owner_program=vault.owner).amount),
        ssol_rate=chart.stake_pool().rate,
        supply=TokenAmount(token, chart.mint(chart.lrt.glowsol, "market.lrt.glowsol").supply),
    )
    remedy = "stop buying glowSOL and compare with an explorer: check market.lrt.pool, the mapping's fields, then Glow's news"
    try:
        rate = redemption_rate(books)
    except QuoteError as error:
        yield failed(f"the program's books do not add up: {error}", remedy)
        return
    least, most = SANE
    if not books.shares_outstanding:
        yield unknown("nobody holds glowSOL, so there is no rate", "nothing to do: the first deposit is one to one")
    elif least <= rate.fraction() <= most:
        yield passed(f"{rate} SOL a glowSOL")
    else:
        yield failed(f"{rate} SOL a glowSOL lies outside {float(least)} to {float(most)}", remedy)


CHECKS = (
    Check("lrt_idl", _idl, Scope.RESTAKING),
    Check("lrt_pool", _pool, Scope.RESTAKING),
    Check("mint_glowsol", _mint, Scope.RESTAKING),
    Check("lrt_paused", _paused, Scope.RESTAKING),
    Check("lrt_rate", _rate, Scope.RESTAKING),
)


async def unconfigured(case: Case) -> Finding:
    """What to say where the restaking program is not configured: candidates for glowSOL, where the chain shows any."""
    if case.lrt_fault:
        remedy = "correct what market.lrt names"
        return Finding("lrt_idl", Status.FAIL, case.lrt_fault, remedy, Scope.RESTAKING, blocks=True)
    found, remedy = "[market.lrt] is not configured", "add [market.lrt] to trade against the redemption value"
    if case.scans:
        found, remedy = await _candidates(case)
    return Finding("lrt", Status.UNKNOWN, found, remedy, Scope.RESTAKING)


async def _candidates(case: Case) -> tuple[str, str]:
    airspace, program = _where(case)
    try:
        candidates = await find_lrt_candidates(case.rpc, airspace, margin_program=program)
    except RpcError as error:
        remedy = "ask an endpoint that serves getProgramAccounts, or take the mint from Glow's own pages"
        return f"[market.lrt] is not configured, and candidates could not be searched: {error}", remedy
    likely = [str(one) for one in candidates if one.likely]
    if not likely:
        others = f"; unlikely: {'; '.join(str(one) for one in candidates)}" if candidates else ""
        remedy = "take glowSOL's mint from Glow's own pages and write it into [market.lrt]"
        return f"[market.lrt] is not configured, and airspace {airspace} lists no candidate{others}", remedy
    remedy = "compare with Glow's own pages, then write mint and pool into market.lrt.glowsol and market.lrt.pool"
    return f"[market.lrt] is not configured; candidates for glowSOL: {'; '.join(likely)}", remedy


def _where(case: Case) -> tuple[Pubkey, Pubkey]:
    if case.lending is not None:
        return case.lending.airspace_address, case.lending.margin_program
    return margin.airspace_address("default"), addresses.GLOW_MARGIN
