"""What every room's tests share: hypothesis profiles. A failing example and its seed are printed."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", max_examples=60, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("campaign", max_examples=5_000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("GLOW_KEEPER_HYPOTHESIS", "suite"))
