"""Tasks that must not die quietly. An eternal task that ends is a fault and takes the daemon down; Kubernetes restarts it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable


class TaskFault(Exception):
    """A supervised task ended or raised. ``name`` is the task's; the cause is chained."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"task {name!r} died: {reason}")
        self.name = name


async def guard(name: str, work: Awaitable[object], *, on_fault: Callable[[str], None]) -> None:
    """Await an eternal task. Raises ``TaskFault`` when it returns or raises; cancellation passes through."""
    try:
        await work
    except Exception as error:
        on_fault(name)
        raise TaskFault(name, f"{type(error).__name__}: {error}") from error
    on_fault(name)
    raise TaskFault(name, "it returned, and it should run for as long as the daemon does")
