"""What execution tells telemetry: the observer that the executor calls."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from keeper.execution.outcome import Expired, Failed, Landed, Outcome, Refused
from keeper.telemetry.health import Health
from keeper.telemetry.metrics import Metrics
from keeper.units import Lamports

log = structlog.get_logger(__name__)


class ExecutionWatch:
    """Counts, logs, and gives the heartbeat while a transaction is being landed: that, too, is the tick progressing."""

    def __init__(self, metrics: Metrics, health: Health, now: Callable[[], float]) -> None:
        self._metrics = metrics
        self._health = health
        self._now = now

    def attempt_signed(self, strategy: str, signature: str, seconds: float) -> None:
        self._metrics.attempted(strategy, seconds)
        self._beat()
        log.info("signed", strategy=strategy, signature=signature)

    def sent(self, signature: str, answer: str) -> None:
        self._beat()
        log.debug("sent", signature=signature, answer=answer)

    def rebroadcast(self, signature: str, answer: str) -> None:
        self._metrics.rebroadcast()
        self._beat()
        log.debug("rebroadcast", signature=signature, answer=answer)

    def trouble(self, where: str, error: str) -> None:
        self._beat()
        log.warning("endpoint_trouble", where=where, error=error)

    def outcome(self, strategy: str, outcome: Outcome, seconds: float) -> None:
        self._beat()
        match outcome:
            case Landed(signature=signature, slot=slot, fee=fee):
                self._metrics.outcome(strategy, "landed", fee, seconds)
                log.info("landed", strategy=strategy, signature=signature, slot=slot.value, fee=fee.value)
            case Failed(error=error, signature=signature, fee=fee):
                self._metrics.outcome(strategy, "failed", fee, error=error)
                log.warning("failed_on_chain", strategy=strategy, signature=signature, error=error, fee=fee.value)
            case Expired(signature=signature):
                self._metrics.outcome(strategy, "expired", Lamports(0))
                log.warning("expired", strategy=strategy, signature=signature)
            case Refused(stage=stage, reason=reason, numbers=numbers, detail=detail):
                self._metrics.outcome(strategy, "refused", Lamports(0), error=reason)
                log.warning("refused", strategy=strategy, stage=stage, reason=reason, detail=detail, **dict(numbers))

    def _beat(self) -> None:
        self._health.beat(self._now())
