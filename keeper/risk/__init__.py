"""Holding plans against limits. An exception in here halts; an exit that lowers exposure is never blocked."""

from keeper.risk.review import Approved, Denied, Limits, RiskState, TradingState, is_claim, review

__all__ = ["Approved", "Denied", "Limits", "RiskState", "TradingState", "is_claim", "review"]
