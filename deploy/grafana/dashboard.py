"""The keeper's Grafana dashboard.

``python -m deploy.grafana.dashboard > deploy/grafana/glow-keeper.json`` writes it; a test compares the two, and checks that
every expression parses and names a metric that the keeper exports.
"""

from __future__ import annotations

import json
import sys

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from deploy.grafana.capital import capital, lending
from deploy.grafana.operation import execution, infrastructure, queue
from deploy.grafana.panels import DATASOURCE
from deploy.grafana.trading import decisions, market, overview


def build() -> model.Dashboard:
    """The whole dashboard."""
    board = (
        dashboard.Dashboard("glow-keeper")
        .uid("glow-keeper")
        .description("A keeper for glowSOL: what it sees, decides, lands and earns.")
        .tags(["glow-keeper", "solana"])
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-6h", "now")
        .timezone("utc")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("job")
            .label("Keeper")
            .datasource(DATASOURCE)
            .query("label_values(keeper_build_info, job)")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(model.VariableSort.ALPHABETICAL_ASC)
        )
    )
    rows = (overview, market, decisions, lending, capital, execution, queue, infrastructure)
    for row in rows:
        board = board.with_row(dashboard.Row(row.__name__.capitalize()))
        for panel in row():
            board = board.with_panel(panel)
    return board.build()


def main() -> None:
    """Write the dashboard's JSON to standard output."""
    sys.stdout.write(json.dumps(build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
