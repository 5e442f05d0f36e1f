"""The chart renders to valid Kubernetes resources that keep the promises of docs/operations.md."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]  # the package has annotations but no py.typed
import pytest
import yaml

from keeper.config import load_config

CHART = "deploy/helm/glow-keeper"
OPERATOR_KINDS = {"ServiceMonitor", "PrometheusRule"}  # of the Prometheus operator, not in Kubernetes' schemas
KUBERNETES = ("1.27", "1.33", "1.37")
EVERYTHING = {
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egressPorts": [443, 5432],
    },
    "secretFiles": [{"name": "jupiter-api-key", "existingSecret": "jupiter", "key": "api-key"}],
    "env": [{"name": "GLOW_KEEPER__ENGINE__MAX_INTERVAL", "value": "5"}],
    "imagePullSecrets": [{"name": "registry"}],
    "persistence": {"storageClass": "fast", "accessModes": ["ReadWriteOncePod"], "size": "5Gi"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "keepers"},
    "serviceAccount": {"annotations": {"c": "d"}},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "keeper", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
    "image": {"digest": "sha256:" + "0" * 64},
}

Render = Callable[[dict[str, Any]], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def template(root: Path, helm: str) -> Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]:
    def run(values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [helm, "template", "prod", CHART, "--namespace", "keepers", "--values", "-"],
            cwd=root,
            input=yaml.safe_dump(values),
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def render(template: Callable[[dict[str, Any]], subprocess.CompletedProcess[str]]) -> Render:
    def run(values: dict[str, Any]) -> list[dict[str, Any]]:
        done = template(values)
        assert done.returncode == 0, done.stderr
        return [document for document in yaml.safe_load_all(done.stdout) if document]

    return run


@pytest.fixture(scope="module")
def plain(render: Render) -> list[dict[str, Any]]:
    return render({})


@pytest.fixture(scope="module")
def full(render: Render) -> list[dict[str, Any]]:
    return render(EVERYTHING)


def only(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def container(documents: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = only(documents, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", ["plain", "full"])
def test_resources_are_valid_kubernetes(request: pytest.FixtureRequest, values: str, version: str) -> None:
    documents: list[dict[str, Any]] = request.getfixturevalue(values)
    checked = [document for document in documents if document["kind"] not in OPERATOR_KINDS]
    for document in checked:
        kubernetes_validate.validate(document, version, strict=True)
    assert len(checked) >= 4


def test_helm_lint_is_clean(root: Path, helm: str) -> None:
    done = subprocess.run([helm, "lint", "--strict", CHART], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_pod_at_a_time_with_a_volume_that_outlives_it(plain: list[dict[str, Any]]) -> None:
    spec = only(plain, "StatefulSet")["spec"]
    assert spec["replicas"] == 1
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(plain)["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/var/lib/glow-keeper"


def test_the_process_has_no_privilege_and_writes_only_where_it_must(plain: list[dict[str, Any]]) -> None:
    pod = only(plain, "StatefulSet")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    security = container(plain)["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    writable = {mount["mountPath"] for mount in container(plain)["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {"/var/lib/glow-keeper", "/tmp"}


def test_the_key_is_a_file_of_its_owner_and_group_and_never_an_environment_variable(
    full: list[dict[str, Any]],
) -> None:
    pod = only(full, "StatefulSet")["spec"]["template"]["spec"]
    secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert [secret["defaultMode"] for secret in secrets] == [0o400, 0o400]
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"] == 65532
    assert not any("secretKeyRef" in str(entry) for entry in container(full)["env"])
    assert all(document["kind"] != "Secret" for document in full)


def test_probes_ask_the_tick_and_shutdown_has_time_to_land(plain: list[dict[str, Any]]) -> None:
    keeper = container(plain)
    assert keeper["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert keeper["startupProbe"]["httpGet"]["path"] == "/livez"
    assert keeper["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert only(plain, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 120


def test_the_default_configuration_is_one_that_the_keeper_accepts(
    plain: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = only(plain, "ConfigMap")["data"]["keeper.toml"]
    assert tomllib.loads(text)
    file = tmp_path / "keeper.toml"
    file.write_text(text)
    for entry in container(plain)["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "prod-glow-keeper-0"))
    settings = load_config(file).settings
    assert (settings.telemetry.host, settings.telemetry.port) == ("0.0.0.0", 9464)  # noqa: S104 - inside the pod
    assert settings.wallet.keypair == Path("/run/secrets/glow-keeper/keypair/id.json")
    assert settings.journal.url == "sqlite:////var/lib/glow-keeper/journal.db"
    assert settings.journal.holder == "prod-glow-keeper-0"
    grace = only(plain, "StatefulSet")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert settings.engine.shutdown_timeout.value < grace


def test_the_example_of_three_strategies_is_one_that_the_keeper_accepts(
    render: Render, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = render(yaml.safe_load((root / "deploy/helm/three-strategies.yaml").read_text()))
    file = tmp_path / "keeper.toml"
    file.write_text(
        only([one for one in documents if "keeper.toml" in one.get("data", {})], "ConfigMap")["data"]["keeper.toml"]
    )
    for entry in container(documents)["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "prod-glow-keeper-0"))
    loaded = load_config(file)
    assert [configured.name for configured in loaded.strategies] == ["arbitrage", "loop", "compound"]
    assert loaded.settings.market.lending is not None
    assert set(loaded.settings.allocation.budgets) == {"arbitrage", "loop"}
    assert loaded.strategies[1].params.health_floor >= loaded.settings.engine.min_health


def test_the_alert_rules_of_the_chart_are_the_tested_ones(
    full: list[dict[str, Any]], root: Path, promtool: str, tmp_path: Path
) -> None:
    spec = only(full, "PrometheusRule")["spec"]
    assert spec == yaml.safe_load((root / "deploy/prometheus/alerts.yml").read_text())
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(spec))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dashboard_of_the_chart_is_the_generated_one(full: list[dict[str, Any]], root: Path) -> None:
    (board,) = [
        document["data"]["glow-keeper.json"]
        for document in full
        if document["kind"] == "ConfigMap" and document["metadata"]["name"].endswith("-dashboard")
    ]
    assert board.strip() == (root / "deploy/grafana/glow-keeper.json").read_text().strip()


def test_the_monitor_selects_the_service(full: list[dict[str, Any]]) -> None:
    service, monitor = only(full, "Service"), only(full, "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    pod_labels = only(full, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pod_labels.items()


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"persistance": {"enabled": False}}, "persistance"),
        ({"terminationGracePeriodSeconds": 30}, "minimum"),
        ({"keypair": {"existingSecret": ""}}, "existingSecret"),
        ({"image": {"digest": "latest"}}, "pattern"),
        ({"persistence": {"accessModes": ["ReadWriteMany"]}}, "accessModes"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(
    template: Callable[[dict[str, Any]], subprocess.CompletedProcess[str]], values: dict[str, Any], complaint: str
) -> None:
    done = template(values)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_a_journal_elsewhere_needs_no_volume_and_keeps_its_own_url(render: Render) -> None:
    documents = render({"persistence": {"enabled": False}, "config": {"existingConfigMap": "mine"}})
    assert "volumeClaimTemplates" not in only(documents, "StatefulSet")["spec"]
    assert "GLOW_KEEPER__JOURNAL__URL" not in {entry["name"] for entry in container(documents)["env"]}
    assert not [document for document in documents if document["kind"] == "ConfigMap"]
