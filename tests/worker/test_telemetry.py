"""Spans and metrics, read with the in-memory readers of the OpenTelemetry SDK."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from chaojiyuyan_worker._observe.telemetry import OpenTelemetry, Telemetry, WithOpenTelemetry
from chaojiyuyan_worker._run.job import Outcome, Verdict
from chaojiyuyan_worker.task import TaskContext

TASK = TaskContext({"job_id": "job-1", "capability_key": "a"}, task_run_id="run-1")
LEASE = None  # no tracer uses the lease


@pytest.fixture
def told(monkeypatch):
    """The telemetry, its spans, and the points of each metric."""
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    reader, exporter = InMemoryMetricReader(), InMemorySpanExporter()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", tracers.get_tracer)
    monkeypatch.setattr(metrics, "get_meter", meters.get_meter)

    def points() -> dict[str, list]:
        found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        return {metric.name: list(metric.data.data_points) for metric in found}

    yield OpenTelemetry(), exporter, points
    meters.shutdown()
    tracers.shutdown()


def test_a_job_is_a_span_and_counts(told) -> None:
    telemetry, exporter, points = told
    with telemetry.job(TASK, LEASE):
        assert points()["chaojiyuyan.worker.slots"][0].value == 1
        telemetry.handled(TASK, 0.25)
        telemetry.heartbeat(0.125)
        telemetry.ended(TASK, Verdict(Outcome.SETTLED), 27.5)
    (span,) = exporter.get_finished_spans()
    assert span.name == "process a"
    assert span.attributes["chaojiyuyan.job_id"] == "job-1"
    assert span.attributes["chaojiyuyan.outcome"] == "settled"
    assert span.status.is_ok
    seen = points()
    assert seen["chaojiyuyan.worker.slots"][0].value == 0
    assert seen["chaojiyuyan.worker.jobs"][0].attributes == {
        "capability_key": "a",
        "outcome": "settled",
    }
    assert seen["chaojiyuyan.worker.handler.duration"][0].sum == 0.25
    assert seen["chaojiyuyan.worker.lease.margin"][0].sum == 27.5
    assert seen["chaojiyuyan.worker.heartbeat.duration"][0].sum == 0.125


def test_a_failed_job_is_a_span_with_an_error(told) -> None:
    telemetry, exporter, _ = told
    with telemetry.job(TASK, LEASE):
        telemetry.ended(TASK, Verdict(Outcome.LOST, "re-routed"), -2.0)
    (span,) = exporter.get_finished_spans()
    assert not span.status.is_ok
    assert span.attributes["chaojiyuyan.reason"] == "re-routed"


def work_a_job(*lines: str) -> str:
    """Run code in a separate process in which ``job()`` runs a job, and return its output."""
    code = (
        "import sys, threading",
        "from chaojiyuyan_worker._observe.telemetry import Telemetry, WithOpenTelemetry",
        "from chaojiyuyan_worker._run.job import Outcome, Verdict",
        "from chaojiyuyan_worker.task import TaskContext",
        "def job():",
        "    task = TaskContext({'job_id': 'job-1', 'capability_key': 'a'})",
        "    with told.job(task, None):",
        "        told.handled(task, 0.25)",
        "        told.heartbeat(0.125)",
        "        told.ended(task, Verdict(Outcome.SETTLED), 1.0)",
        *(line for line in lines[:1] if line),
        "told = WithOpenTelemetry(Telemetry(), threading.Lock())",
        "job()",
        *lines[1:],
    )
    argv = [sys.executable, "-c", "\n".join(code)]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def test_nothing_is_recorded_without_opentelemetry() -> None:
    assert work_a_job("sys.modules['opentelemetry'] = None", "print('done')") == "done\n"


def test_opentelemetry_is_not_imported_by_the_worker() -> None:
    assert work_a_job("", "print('opentelemetry' in sys.modules)") == "False\n"


def test_a_configuration_variable_imports_opentelemetry(monkeypatch) -> None:
    pytest.importorskip("opentelemetry.trace")
    monkeypatch.setenv("OTEL_PYTHON_METER_PROVIDER", "default_meter_provider")
    assert work_a_job("", "print('opentelemetry' in sys.modules)") == "True\n"


def test_a_broken_opentelemetry_loses_no_job(monkeypatch, caplog) -> None:
    metrics = pytest.importorskip("opentelemetry.metrics")
    monkeypatch.setattr(metrics, "get_meter", lambda *_: 1 / 0)
    telemetry = WithOpenTelemetry(Telemetry(), threading.Lock())
    for _ in range(2):
        with telemetry.job(TASK, LEASE):
            telemetry.ended(TASK, Verdict(Outcome.SETTLED), 1.0)
    assert caplog.messages == ["OpenTelemetry failed to start; it records no spans or metrics"]


def test_a_provider_set_after_the_start_gets_the_next_span() -> None:
    pytest.importorskip("opentelemetry.sdk")
    spans = work_a_job(
        "",
        "from opentelemetry import trace",
        "from opentelemetry.sdk.trace import TracerProvider",
        "from opentelemetry.sdk.trace.export import SimpleSpanProcessor",
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter",
        "job()",
        "exporter, provider = InMemorySpanExporter(), TracerProvider()",
        "provider.add_span_processor(SimpleSpanProcessor(exporter))",
        "trace.set_tracer_provider(provider)",
        "job()",
        "print([span.name for span in exporter.get_finished_spans()])",
    )
    assert spans == "['process a']\n"


def test_the_base_telemetry_accepts_everything() -> None:
    with Telemetry().job(TASK, LEASE):
        Telemetry().ended(TASK, Verdict(Outcome.SETTLED), 1.0)


def test_a_job_is_a_consumer_span_linked_to_the_caller(told) -> None:
    telemetry, exporter, _ = told
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    offer = {"job_id": "j", "capability_key": "a", "channel_context": {"traceparent": traceparent}}
    with telemetry.job(TaskContext(offer), LEASE):
        pass
    (span,) = exporter.get_finished_spans()
    assert span.kind.name == "CONSUMER"
    assert span.parent is None
    (link,) = span.links
    assert f"{link.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{link.context.span_id:016x}" == "b7ad6b7169203331"


@pytest.mark.parametrize(
    "context", [None, [], {}, {"traceparent": 5}, {"traceparent": "x"}, {"traceparent": "00-0-0-0"}]
)
def test_a_job_without_a_trace_has_no_link(told, context) -> None:
    telemetry, exporter, _ = told
    with telemetry.job(TaskContext({"job_id": "j", "channel_context": context}), LEASE):
        pass
    (span,) = exporter.get_finished_spans()
    assert not span.links
