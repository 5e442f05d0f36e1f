"""Panels in the dashboard's own words: a number, a line chart, stacked bars; each knows its queries, unit and width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
Panel: TypeAlias = stat.Panel | timeseries.Panel | bargauge.Panel
RANGE = "$__range"
GREEN, AMBER, RED, BLUE = "green", "orange", "red", "blue"
SOL_UNIT, RATIO_UNIT, SECONDS_UNIT, COUNT_UNIT, PLAIN_UNIT = "suffix: SOL", "percentunit", "s", "short", "none"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and how its series are called in the legend."""

    expr: str
    legend: str = ""


def metric(name: str, *matchers: str) -> str:
    """A selector of ``name`` for the chosen keeper, with further label matchers."""
    labels = ",".join(('job="$job"', *matchers))
    return f"{name}{{{labels}}}"


def rate(name: str, *matchers: str) -> str:
    """Per-second increase of a counter."""
    return f"rate({metric(name, *matchers)}[$__rate_interval])"


def increase(name: str, *matchers: str, over: str = "$__rate_interval") -> str:
    """Increase of a counter over a span: the chart's own step, or ``$__range``, the whole shown range."""
    return f"increase({metric(name, *matchers)}[{over}])"


def quantile(share: float, histogram: str) -> str:
    """A quantile of a histogram over the interval."""
    return f"histogram_quantile({share}, sum by (le) ({rate(histogram + '_bucket')}))"


def top(name: str, *matchers: str) -> str:
    """A gauge of the keeper. Replicas agree up to their age; the largest value stands for all."""
    return f"max({metric(name, *matchers)})"


def sol(name: str, *matchers: str) -> str:
    """A lamport gauge of the keeper in SOL."""
    return f"{top(name, *matchers)} / 1e9"


def steps(*levels: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from a value upwards; the first level is everything below."""
    thresholds = [model.Threshold(value=value, color=colour) for value, colour in levels]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(thresholds)


def words(**colours: tuple[str, str]) -> list[model.ValueMapping]:
    """Words and colours in place of values: ``words(v0=("no", "red"))`` shows 0 as a red "no"."""
    options = {
        name.removeprefix("v"): model.ValueMappingResult(text=text, color=colour)
        for name, (text, colour) in colours.items()
    }
    return [model.ValueMap(options=options)]


YES_NO = words(v0=("no", RED), v1=("yes", GREEN))


def number(
    title: str,
    query: Query,
    description: str,
    *,
    unit: str = PLAIN_UNIT,
    decimals: int | None = None,
    width: int = 3,
    thresholds: dashboard.ThresholdsConfig | None = None,
    mappings: list[model.ValueMapping] | None = None,
    sparkline: bool = False,
) -> stat.Panel:
    """One big number (or word) with its colour."""
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .height(4)
        .span(width)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(shapes.BigValueGraphMode.AREA if sparkline else shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .thresholds(thresholds or steps((None, BLUE)))
        .with_target(_target("A", query, instant=not sparkline))
    )
    if query.legend:
        panel = panel.text_mode(shapes.BigValueTextMode.VALUE_AND_NAME)
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.mappings(mappings) if mappings else panel


def lines(
    title: str,
    queries: Sequence[Query],
    description: str,
    *,
    unit: str = COUNT_UNIT,
    width: int = 8,
    stacked: bool = False,
    centred: bool = False,
) -> timeseries.Panel:
    """Lines over time; ``stacked`` draws bars on one another, ``centred`` puts zero in the middle of the axis."""
    legend = common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).show_legend(show_legend=True)
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING)
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .height(8)
        .span(width)
        .line_width(1)
        .fill_opacity(60 if stacked else 8)
        .show_points(shapes.VisibilityMode.NEVER)
        .legend(legend.placement(shapes.LegendPlacement.BOTTOM))
        .tooltip(tooltip)
    )
    if stacked:
        panel = panel.draw_style(shapes.GraphDrawStyle.BARS).stacking(
            common.StackingConfig().mode(shapes.StackingMode.NORMAL)
        )
    if centred:
        panel = panel.axis_centered_zero(axis_centered_zero=True)
    for place, query in enumerate(queries):
        panel = panel.with_target(_target(chr(ord("A") + place), query))
    return panel


def ranking(title: str, query: Query, description: str, *, unit: str = COUNT_UNIT, width: int = 8) -> bargauge.Panel:
    """Bars by size, one a series: what happened most in the shown range."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .height(8)
        .span(width)
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.GRADIENT)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(steps((None, BLUE)))
        .min(0)
        .with_target(_target("A", query, instant=True))
    )


def _target(ref_id: str, query: Query, *, instant: bool = False) -> prometheus.Dataquery:
    target = prometheus.Dataquery().ref_id(ref_id).expr(query.expr).legend_format(query.legend or "__auto")
    return target.instant() if instant else target.range()
