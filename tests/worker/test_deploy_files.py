"""The files of docs/deploy have valid manifests and existing metrics."""

from __future__ import annotations

import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from chaojiyuyan_worker import Worker
from support.workers import ECHO

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy"
METRIC = re.compile(r"\bchaojiyuyan_worker_\w+")


@pytest.fixture(scope="module")
def metrics() -> set[str]:
    """Return the names of all series with their labels."""
    worker = Worker("nxt_ag_test_test")
    worker.handler(ECHO)(lambda task: {})
    families = text_string_to_metric_families(worker.metrics())
    return {sample.name for family in families for sample in family.samples}


def read(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["kubernetes.yaml", "hpa.yaml"])
def test_a_manifest_is_valid(name) -> None:
    for manifest in yaml.safe_load_all(read(name)):
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_manifest_with_a_wrong_field_is_found() -> None:
    manifest = yaml.safe_load(read("kubernetes.yaml"))
    manifest["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Never"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_a_locally_built_image_is_used() -> None:
    manifest = yaml.safe_load(read("kubernetes.yaml"))
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"


def test_every_metric_of_the_dashboard_exists(metrics) -> None:
    dashboard = json.loads(read("grafana.json"))
    expressions = [
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    ] + [variable["query"] for variable in dashboard["templating"]["list"]]
    named = {name for expression in expressions for name in METRIC.findall(expression)}
    assert len(named) >= 8
    assert named <= metrics


def test_the_autoscaler_scales_the_deployment_on_a_metric(metrics) -> None:
    scaler, deployment = yaml.safe_load(read("hpa.yaml")), yaml.safe_load(read("kubernetes.yaml"))
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (metric,) = scaler["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] in metrics
    slots = int(deployment["spec"]["template"]["spec"]["containers"][0]["args"][2])
    assert int(metric["pods"]["target"]["averageValue"]) < slots
    assert scaler["spec"]["minReplicas"] >= 1
