"""What the outside sees of the keeper: metrics, logs, probes and the status page."""

from keeper.telemetry.capital import Capital
from keeper.telemetry.health import Health, Role, Verdict
from keeper.telemetry.logs import LogStyle, bind, configure_logs
from keeper.telemetry.loop_lag import LoopLag
from keeper.telemetry.metrics import Metrics, TickResult, TradingState, TxResult
from keeper.telemetry.server import TelemetryServer
from keeper.telemetry.status import decision_summary, view_summary

__all__ = [
    "Capital",
    "Health",
    "LogStyle",
    "LoopLag",
    "Metrics",
    "Role",
    "TelemetryServer",
    "TickResult",
    "TradingState",
    "TxResult",
    "Verdict",
    "bind",
    "configure_logs",
    "decision_summary",
    "view_summary",
]
