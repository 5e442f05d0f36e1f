"""Logs: one line an event, as JSON for machines or coloured for people; the standard library's logging goes the same way."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO, TypeAlias

import structlog
from structlog.typing import Processor

from keeper.telemetry.secrecy import Redactor
from keeper.units import Slot
from keeper.units.canonical import plain

LogStyle: TypeAlias = Literal["json", "console"]
# These log every request or frame at INFO or DEBUG, URLs included.
_TALKATIVE = ("httpx", "httpx2", "httpcore", "httpcore2", "websockets", "aiosqlite", "aiohttp.access", "asyncio")


class LogSettingsError(ValueError):
    """A log setting is wrong; the message says which and what would do."""


def configure_logs(
    style: LogStyle, level: str = "info", *, stream: TextIO | None = None, secrets: Iterable[str] = ()
) -> None:
    """Set up logging for the process. Calling it again replaces the earlier setting, so no line is ever written twice.

    ``secrets`` are exact values that never appear in a log, whatever event, traceback or library they come from.
    Raises ``LogSettingsError`` for an unknown style or level.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise LogSettingsError(f"log level {level!r} is unknown; use debug, info, warning, error or critical")
    target = stream if stream is not None else sys.stderr
    redactor = Redactor(secrets)

    def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        kept = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
        return {**redactor.event(dict(event)), **kept}

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # as text without local variables, so that redact sees all there is
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(style, target)],
        )
    )
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(threshold)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))
    logging.captureWarnings(capture=True)


def bind(*, strategy: str | None = None, slot: Slot | None = None, **more: Any) -> AbstractContextManager[None]:
    """Within this context every line carries ``strategy``, ``slot`` and ``more``, across awaits and new tasks."""
    fields = {"strategy": strategy, "slot": slot, **more}
    return structlog.contextvars.bound_contextvars(**{key: item for key, item in fields.items() if item is not None})


def _renderer(style: LogStyle, target: TextIO) -> Processor:
    if style == "json":
        return structlog.processors.JSONRenderer(default=_jsonable)
    if style == "console":
        return structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback, timestamp_key="time"
        )
    raise LogSettingsError(f"log style {style!r} is unknown; use json or console")


def _jsonable(value: Any) -> Any:
    """Units become their integers; what has no canonical form becomes its text."""
    try:
        return plain(value)
    except TypeError:
        return str(value)
