"""What can go wrong between a keeper and its node, on purpose and reproducibly."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from typing import Any

from keeper.sim.localnet.rpc.errors import invalid_params

WHOLE_BPS = 10_000


@dataclass(frozen=True, slots=True)
class FaultRates:
    """``drop_rate_bps``: share of sendTransaction calls that answer with the signature and do nothing (each resend draws anew).
    ``land_delay_slots``: slots between sending and execution. ``rpc_latency_ms``: added before every HTTP answer.
    ``error_rate_bps``: share of HTTP requests answered 503 without being read (so their outcome is known to be nothing).
    ``lost_answer_bps``: share of HTTP requests that are carried out and then answered 503 (their outcome is unknown).
    ``slots_behind``: what getHealth says the node lags by (-32005 where it is not 0); everything else goes on answering."""

    drop_rate_bps: int = 0
    land_delay_slots: int = 0
    rpc_latency_ms: int = 0
    error_rate_bps: int = 0
    lost_answer_bps: int = 0
    slots_behind: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"fault {name} is {value!r}; need a whole number, zero or more")
            if name.endswith("_bps") and value > WHOLE_BPS:
                raise ValueError(f"fault {name} is {value} bps; the most is {WHOLE_BPS}")


class Faults:
    """Draws faults from one seeded generator. The rates can be changed while the localnet runs."""

    def __init__(self, rates: FaultRates | None = None, *, seed: int = 0) -> None:
        self.rates = rates or FaultRates()
        self.seed = seed
        self._random = random.Random(seed)

    def _draw(self, rate_bps: int) -> bool:
        return rate_bps > 0 and self._random.randrange(WHOLE_BPS) < rate_bps

    def drops_transaction(self) -> bool:
        """Whether this sendTransaction is swallowed."""
        return self._draw(self.rates.drop_rate_bps)

    def refuses_request(self) -> bool:
        """Whether this HTTP request is answered 503 before it is read."""
        return self._draw(self.rates.error_rate_bps)

    def loses_answer(self) -> bool:
        """Whether this HTTP request is carried out and its answer lost (503)."""
        return self._draw(self.rates.lost_answer_bps)

    def change(self, values: dict[str, Any]) -> FaultRates:
        """Set some of the rates; raises -32602 for an unknown name or a value out of range."""
        known = set(asdict(self.rates))
        for name in values:
            if name not in known:
                raise invalid_params(f"unknown fault {name!r}; known are {', '.join(sorted(known))}")
        try:
            self.rates = replace(self.rates, **values)
        except ValueError as error:
            raise invalid_params(str(error)) from error
        return self.rates
