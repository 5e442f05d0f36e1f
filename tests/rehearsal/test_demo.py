"""``keeper demo``, the command itself: real processes, what it serves meanwhile, its summary and its exit code."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.test_expressions import dashboard_expressions, metric_names, rules

ROOT = Path(__file__).parents[2]
SECONDS = 6
PATIENCE = 60


def samples(text: str) -> dict[str, float]:
    """The sum over all labels of each exported sample; 0 of a gauge that has no label's value yet, as that of what fails."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        if family.type == "gauge":
            found[family.name] = 0.0
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


async def at_work(http: httpx2.AsyncClient, url: str) -> str:
    """/metrics of a keeper that has traded and seen what it got."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                text = (await http.get(f"{url}/metrics")).text
            except httpx2.TransportError:
                text = ""  # it is still starting
            exported = samples(text)
            if exported.get("keeper_tx_landing_seconds_count", 0) and exported.get("keeper_wallet_token_units"):
                return text
            await asyncio.sleep(0.1)


async def test_the_demo_serves_metrics_and_accounts_for_every_lamport(tmp_path: Path) -> None:
    further = tmp_path / "further.toml"
    further.write_text('[strategies.loop]\nequity = "20 SOL"\n')
    folder = tmp_path / "demo"
    options = ["--seconds", str(SECONDS), "--port", "0", "--folder", str(folder), "--with", str(further)]
    command = ["-m", "keeper", "demo", *options]
    demo = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert demo.stdout is not None
    try:
        first = (await demo.stdout.readline()).decode()
        where = re.search(r"http://\S+(?=/metrics)", first)
        assert where is not None, first + (await demo.stdout.read()).decode()
        async with httpx2.AsyncClient(timeout=5) as http:
            text = await at_work(http, where[0])
            probes = [(await http.get(f"{where[0]}{path}")).status_code for path in ("/livez", "/readyz")]
        summary = (await demo.stdout.read()).decode()
        code = await demo.wait()
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.wait()
    assert code == 0, summary
    assert "ledger      agrees with the chain to the lamport" in summary
    assert re.search(r"landed +[1-9]\d* transactions", summary)
    assert "keeper setup: done: " in summary
    assert "loop: ordered to unwind" in summary
    assert re.search(r"unwound     arbitrage, compound, loop; \S+ SOL outside of SOL, 0.000000000 SOL owed", summary)
    assert 'equity = "20 SOL"' in (folder / "keeper.toml").read_text()
    assert probes == [200, 200]
    exported = samples(text).keys()
    for expression in [*dashboard_expressions(ROOT), *(rule["expr"] for rule in rules(ROOT))]:
        assert metric_names(expression) <= exported, expression
    promtool = shutil.which("promtool", path=f"{ROOT / '.tools'}:/usr/bin:/usr/local/bin")
    if promtool is not None:
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
