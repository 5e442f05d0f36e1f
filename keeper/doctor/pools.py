"""The lending pools and the token configs by which a margin account values what is in them."""

from __future__ import annotations

from collections.abc import Iterator

from solders.pubkey import Pubkey

from keeper.doctor.chart import Chart, label
from keeper.doctor.check import UNREADABLE, Check, Verdict, failed, passed, unknown
from keeper.doctor.finding import Scope
from keeper.protocols import glow_margin as margin
from keeper.protocols import glow_margin_pool as pools
from keeper.protocols.layout import LayoutError
from keeper.units import Duration

LONGEST = Duration(7 * 86_400)
"""Interest that one collect catches up with."""
RAW = 10**15
SEE_POOL = "see the check 'lending_pool'"


def _named(chart: Chart) -> Iterator[tuple[str, Pubkey]]:
    for mint in chart.lending.mints:
        yield label(mint, chart.case.lrt), mint


def _pools(chart: Chart) -> Iterator[Verdict]:
    """Whether each is what its address says (facts, protocol.md 4.2)."""
    program, airspace = chart.lending.pool_program, chart.lending.airspace_address
    for name, mint in _named(chart):
        address = chart.pool_key(mint)
        if chart.at(address) is None:
            remedy = f"take {mint} out of market.lending.pools, or check market.lending.airspace"
            yield failed(f"there is no lending pool of {name} at {address}", remedy, subject=name)
            continue
        try:
            state = chart.pool(mint)
        except LayoutError as error:
            yield failed(str(error), UNREADABLE, subject=name)
            continue
        wanted = {
            "airspace": (state.airspace, airspace),
            "token mint": (state.token_mint, mint),
            "address": (state.address, address),
            "vault": (state.vault, pools.vault_address(address, program)),
            "deposit notes": (state.deposit_note_mint, pools.deposit_note_mint_address(address, program)),
            "loan notes": (state.loan_note_mint, pools.loan_note_mint_address(address, program)),
        }
        wrong = [f"{part} {found}, expected {meant}" for part, (found, meant) in wanted.items() if found != meant]
        if wrong:
            yield failed(f"{address} names {'; '.join(wrong)}", UNREADABLE, subject=name)
        elif not isinstance(state.oracle, pools.PythPull | pools.PythPullRedemption):
            remedy = f"take {mint} out of market.lending.pools: this keeper cannot price it"
            yield failed(f"{address} is priced by {state.oracle}", remedy, subject=name)
        else:
            yield _rate(name, address, state)


def _rate(name: str, address: Pubkey, state: pools.MarginPoolState) -> Verdict:
    try:
        rate = pools.current_rate(state)
    except pools.PoolError as error:
        remedy = "wait until Glow corrects the pool's parameters: the program itself fails on them"
        return failed(f"{address} has no borrow rate: {error}", remedy, subject=name)
    hundredths = rate * 10_000 // RAW
    return passed(f"{address}, borrowing costs {hundredths // 100}.{hundredths % 100:02d} % a year", subject=name)


def _lending(chart: Chart) -> Iterator[Verdict]:
    for name, mint in _named(chart):
        try:
            config = chart.pool(mint).config
        except LayoutError:
            yield unknown("the pool cannot be read", SEE_POOL, subject=name)
            continue
        if config.disabled:
            remedy = "wait until Glow enables the pool again: until then nothing can be borrowed, and not even repaid"
            yield failed("the pool is disabled", remedy, subject=name)
        elif not config.lends:
            remedy = "wait until Glow allows lending again; what is owed can be repaid"
            yield failed("the pool gives no new loans", remedy, subject=name)
        else:
            yield passed("the pool lends", subject=name)


def _interest(chart: Chart) -> Iterator[Verdict]:
    now = chart.now.unix_timestamp
    for name, mint in _named(chart):
        try:
            behind = now.elapsed(chart.pool(mint).accrued_until)
        except LayoutError:
            yield unknown("the pool cannot be read", SEE_POOL, subject=name)
            continue
        if behind > LONGEST:
            remedy = (
                "let anybody collect on the pool, once for every 7 days (each action of a user does it once); "
                "nothing is borrowed until then"
            )
            yield failed(f"interest is {behind} behind, one action catches up with {LONGEST}", remedy, subject=name)
        else:
            yield passed(f"interest is accrued up to {behind} ago", subject=name)


def _notes(chart: Chart) -> Iterator[Verdict]:
    """A loan note must be a claim of the pool program; a deposit note may be collateral."""
    program = chart.lending.pool_program
    for name, mint in _named(chart):
        pool = chart.pool_key(mint)
        loan = pools.loan_note_mint_address(pool, program)
        remedy = f"take {mint} out of market.lending.pools: margin accounts cannot owe to this pool as they should"
        if chart.at(chart.config_key(loan)) is None:
            found = f"the loan notes {loan} have no token config in this airspace"
            yield failed(found, remedy, subject=f"{name} loan")
            continue
        config = chart.config(loan, f"the loan notes of {name}")
        if config.token_kind is not margin.PositionKind.CLAIM or config.admin != margin.AdapterAdmin(program):
            found = f"the loan notes are {config.token_kind.name} administered by {config.admin}"
            yield failed(found, remedy, subject=f"{name} loan")
        elif not config.value_modifier:
            yield failed("the loan notes allow no leverage", remedy, subject=f"{name} loan")
        else:
            yield passed(f"a claim, leverage {config.value_modifier / 100:.2f}", subject=f"{name} loan")


def _raw(chart: Chart) -> Iterator[Verdict]:
    """Tokens that a margin account may take as they are. One that it cannot take is only a failure where no other is left."""
    refused: list[tuple[str, str]] = []
    for token in chart.raw:
        mint = Pubkey.from_string(token.address)
        if chart.at(chart.config_key(mint)) is None:
            refused.append((str(token), "it has no token config in this airspace"))
            continue
        config = chart.config(mint, str(token))
        if config.mint != mint or config.token_kind is not margin.PositionKind.COLLATERAL:
            refused.append((str(token), f"its token config is {config.token_kind.name} of {config.mint}"))
        elif not isinstance(config.admin, margin.OracleAdmin) or not config.admin.feed_id:
            refused.append((str(token), f"it cannot be priced here ({config.admin})"))
        elif not config.value_modifier:
            refused.append((str(token), "its weight is zero"))
        else:
            yield passed(f"collateral, weight {config.value_modifier} %", subject=str(token))
    left = len(chart.raw) > len(refused)
    for name, why in refused:
        if left:
            yield unknown(why, f"use another token than {name} as collateral, or ask Glow's governance", subject=name)
        else:
            remedy = "no token is left that can be collateral: remove [market.lending], or ask Glow's governance"
            yield failed(why, remedy, subject=name)


CHECKS = (
    Check("lending_pool", _pools, Scope.LENDING),
    Check("lending_open", _lending, Scope.LENDING),
    Check("interest", _interest, Scope.LENDING, blocks=False),
    Check("token_config", _notes, Scope.LENDING),
    Check("collateral", _raw, Scope.LENDING),
)
