"""``python -m benchmarks`` (or ``make bench``): every figure of the README, one after another, each in its own process."""

from __future__ import annotations

import subprocess
import sys

MODULES = ("localnet_bank", "localnet_rpc", "journal", "tick_latency")


def main() -> int:
    """Run all, or those named on the command line; the exit code is the first that is not 0."""
    chosen = sys.argv[1:] or list(MODULES)
    worst = 0
    for name in chosen:
        if name not in MODULES:
            print(f"no benchmark {name!r}; known: {', '.join(MODULES)}", file=sys.stderr)
            return 2
        print(f"# {name}", flush=True)
        worst = worst or subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode
    return worst


if __name__ == "__main__":
    sys.exit(main())
