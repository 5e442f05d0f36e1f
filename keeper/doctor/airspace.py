"""The airspace: whether this wallet may have a margin account in it, and which programs that account may call."""

from __future__ import annotations

from collections.abc import Iterator

from solders.pubkey import Pubkey

from keeper.doctor.chart import OTHER_ADAPTERS, Chart
from keeper.doctor.check import Check, Verdict, failed, passed, unknown
from keeper.doctor.finding import Scope
from keeper.doctor.wallet import NO_WALLET
from keeper.protocols import glow_margin as margin

WHERE = "check cluster.rpc and market.lending.airspace, or remove [market.lending] to do without lending"


def _state(chart: Chart) -> margin.Airspace:
    """Raises ``LayoutError``."""
    account = chart.need(chart.lending.airspace_address, "the airspace (market.lending.airspace)")
    return margin.decode_airspace(account.data, owner=account.owner, program=chart.lending.airspace_program)


def _airspace(chart: Chart) -> Iterator[Verdict]:
    address = chart.lending.airspace_address
    if chart.at(address) is None:
        yield failed(f"the airspace {address} does not exist on this cluster", WHERE)
        return
    state = _state(chart)
    kind = "restricted: permits are given by its authority" if state.is_restricted else "open"
    yield passed(f"{address}, {kind}; authority {state.authority}")


def _permit(chart: Chart) -> Iterator[Verdict]:
    """Opening a margin account takes a permit; in an open airspace anybody may make one."""
    owner, source = chart.case.owner, chart.lending
    if owner is None:
        yield unknown(*NO_WALLET)
        return
    address = margin.airspace_permit_address(source.airspace_address, owner, program=source.airspace_program)
    account = chart.at(address)
    if account is not None:
        permit = margin.decode_airspace_permit(account.data, owner=account.owner, program=source.airspace_program)
        yield passed(f"{address}, issued by {permit.issuer}")
    elif _state(chart).is_restricted:
        remedy = f"ask the airspace's authority {_state(chart).authority} for a permit for {owner}"
        yield failed(f"the airspace is restricted and {owner} has no permit in it", remedy)
    else:
        yield unknown(f"{owner} has no permit yet; the airspace is open", "run keeper setup, which makes one")


def _adapters(chart: Chart) -> Iterator[Verdict]:
    if not _configured(chart, chart.lending.pool_program):
        remedy = "without it no loan can be taken through a margin account: check market.lending.pool_program and the airspace"
        yield failed(f"{chart.lending.pool_program} (lending pools) has no adapter config in this airspace", remedy)
        return
    others = [name for name, program in OTHER_ADAPTERS.items() if _configured(chart, program)]
    also = f"; also {', '.join(others)}, which the keeper does not call through it" if others else ""
    yield passed(f"margin accounts may call the lending pools{also}")


def _configured(chart: Chart, program: Pubkey) -> bool:
    source = chart.lending
    address = margin.adapter_config_address(source.airspace_address, program, program=source.margin_program)
    account = chart.at(address)
    if account is None:
        return False
    config = margin.decode_adapter_config(account.data, owner=account.owner, program=source.margin_program)
    return config.adapter_program == program


CHECKS = (
    Check("airspace", _airspace, Scope.LENDING),
    Check("airspace_permit", _permit, Scope.LENDING),
    Check("adapter_configs", _adapters, Scope.LENDING),
)
