"""What execution tells whoever watches it (telemetry, benchmarks, tests)."""

from __future__ import annotations

from typing import Protocol

from keeper.execution.outcome import Outcome


class Observer(Protocol):
    """Called synchronously from the landing path: an implementation counts and returns, it never blocks or raises."""

    def attempt_signed(self, strategy: str, signature: str, seconds: float) -> None:
        """The bytes exist and are durable; ``seconds`` since ``Executor.execute`` took up the step (plan to signed)."""
        ...

    def sent(self, signature: str, answer: str) -> None:
        """The first send of an attempt in this process. ``answer`` is ``sent``, ``refused`` or ``unknown``."""
        ...

    def rebroadcast(self, signature: str, answer: str) -> None:
        """The same bytes went out again."""
        ...

    def trouble(self, where: str, error: str) -> None:
        """An endpoint did not answer a landing's question; the landing goes on."""
        ...

    def outcome(self, strategy: str, outcome: Outcome, seconds: float) -> None:
        """A step ended; ``seconds`` since it was taken up (since recovery began, for a recovered attempt)."""
        ...


class Unobserved:
    """An observer that looks away."""

    def attempt_signed(self, strategy: str, signature: str, seconds: float) -> None:
        pass

    def sent(self, signature: str, answer: str) -> None:
        pass

    def rebroadcast(self, signature: str, answer: str) -> None:
        pass

    def trouble(self, where: str, error: str) -> None:
        pass

    def outcome(self, strategy: str, outcome: Outcome, seconds: float) -> None:
        pass
