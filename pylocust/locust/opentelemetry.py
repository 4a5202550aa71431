"""Metrics, traces and logs for OpenTelemetry: what ``--otel`` turns on."""

from __future__ import annotations

import importlib
import logging
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import __version__, events
from .runners import MasterRunner, WorkerRunner

if TYPE_CHECKING:
    from .env import Environment

logger = logging.getLogger(__name__)

MAX_NAMES = 20
OTHER_NAME = "Too many unique request names"


def setup_opentelemetry(locustfile: str | None, profile: str | None) -> bool:
    """Turns on what the OTEL_* variables ask for and returns whether that is anything. Without the SDK it says so and
    returns False."""
    try:
        from opentelemetry.sdk.resources import Resource
    except ImportError:
        logger.error("--otel needs the packages of OpenTelemetry: pip install cload[otel]")
        return False
    wanted = {signal: _exporters(signal) for signal in ("traces", "metrics", "logs")}
    if not any(wanted.values()):
        logger.info("All OTEL_*_EXPORTER are none: OpenTelemetry stays off")
        return False
    attributes = {
        "service.name": os.getenv("OTEL_SERVICE_NAME", "locust"),
        "service.version": __version__,
        "host.name": socket.gethostname(),
    }
    if locustfile:
        attributes["filename"] = locustfile
    if profile:
        attributes["profile"] = profile
    resource = Resource.create(attributes)
    if wanted["traces"]:
        _trace(resource, wanted["traces"])
    if wanted["metrics"]:
        _measure(resource, wanted["metrics"])
    if wanted["logs"]:
        _log(resource, wanted["logs"])
    return True


def _exporters(signal: str) -> list[str]:
    names = os.getenv(f"OTEL_{signal.upper()}_EXPORTER", "otlp").split(",")
    return [name.strip() for name in names if name.strip() not in ("", "none")]


def _make_exporters(
    signal: str, names: list[str], module: str, otlp_class: str, console: Callable[[], Any]
) -> list[Any]:
    """The exporters of one signal; what is unknown or not installed is told and left out."""
    made = []
    for name in names:
        if name == "console":
            made.append(console())
        elif name == "otlp":
            own = os.getenv(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
            protocol = own or os.getenv("OTEL_EXPORTER_OTLP_PROTOCOL") or "grpc"
            kind = {"grpc": "grpc", "http": "http", "http/protobuf": "http"}.get(protocol)
            if kind is None:
                logger.warning("%s is no OTLP protocol: grpc or http/protobuf", protocol)
                continue
            try:
                package = importlib.import_module(f"opentelemetry.exporter.otlp.proto.{kind}.{module}")
            except ImportError:
                logger.warning("No %s exporter: pip install opentelemetry-exporter-otlp-proto-%s", signal, kind)
                continue
            made.append(getattr(package, otlp_class)())
        else:
            logger.warning("There is no exporter %s for %s", name, signal)
            continue
        logger.debug("%s go to %s", signal, name)
    return made


def _trace(resource: Any, names: list[str]) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

    provider = TracerProvider(resource=resource)
    for exporter in _make_exporters("traces", names, "trace_exporter", "OTLPSpanExporter", ConsoleSpanExporter):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    tracer = provider.get_tracer("locust")

    @events.request.add_listener
    def on_request(
        request_type: str,
        name: str,
        response_time: float | None,
        exception: Any = None,
        start_time: float | None = None,
        response: Any = None,
        url: Any = None,
        **_kwargs: Any,
    ) -> None:
        # The engine makes no calls that could be instrumented, so each request becomes a span when it is over.
        if start_time is None or response_time is None:
            return
        start_ns = int(start_time * 1e9)
        label = name or urlsplit(str(url or "")).path or "/"
        span = tracer.start_span(f"{request_type} {label}", kind=trace.SpanKind.CLIENT, start_time=start_ns)
        span.set_attribute("http.request.method", request_type)
        if url:
            span.set_attribute("url.full", str(url))
        status = getattr(response, "status_code", None)
        if status:
            span.set_attribute("http.response.status_code", status)
        if exception is not None:
            span.set_attribute("error.type", type(exception).__name__)
            span.set_status(trace.Status(trace.StatusCode.ERROR, str(exception)))
        span.end(end_time=start_ns + int(response_time * 1e6))

    @events.quit.add_listener
    def on_quit(**_kwargs: Any) -> None:
        provider.shutdown()


def _measure(resource: Any, names: list[str]) -> None:
    from opentelemetry import metrics
    from opentelemetry.metrics import Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader

    exporters = _make_exporters("metrics", names, "metric_exporter", "OTLPMetricExporter", ConsoleMetricExporter)
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter) for exporter in exporters], resource=resource
    )
    metrics.set_meter_provider(provider)
    meter = provider.get_meter("locust")
    duration = meter.create_histogram("locust.client.duration", unit="s", description="Time to the last byte")
    seen: set[str] = set()

    @events.request.add_listener
    def on_request(name: str, response_time: float | None, exception: Any = None, **_kwargs: Any) -> None:
        if name not in seen:
            if len(seen) >= MAX_NAMES:
                name = OTHER_NAME
            else:
                seen.add(name)
        attributes = {"name": name}
        if exception is not None:
            attributes["error.type"] = type(exception).__name__
        duration.record((response_time or 0) / 1000, attributes)

    @events.init.add_listener
    def on_init(environment: Environment, runner: Any, **_kwargs: Any) -> None:
        if runner is None or isinstance(runner, WorkerRunner):
            return

        def count(_options: Any) -> list[Any]:
            counts = (
                runner.reported_user_classes_count if isinstance(runner, MasterRunner) else runner.user_classes_count
            )
            return [Observation(number, {"user_class": name}) for name, number in counts.items()]

        meter.create_observable_gauge("locust.users.count", callbacks=[count], unit="{user}", description="Users now")

    @events.quit.add_listener
    def on_quit(**_kwargs: Any) -> None:
        provider.shutdown()


def _log(resource: Any, names: list[str]) -> None:
    from opentelemetry._logs import set_logger_provider
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler, export

    console = getattr(export, "ConsoleLogRecordExporter", None) or export.ConsoleLogExporter
    provider = LoggerProvider(resource=resource)
    for exporter in _make_exporters("logs", names, "_log_exporter", "OTLPLogExporter", console):
        provider.add_log_record_processor(export.BatchLogRecordProcessor(exporter))
    set_logger_provider(provider)
    handler = LoggingHandler(logger_provider=provider)
    for target in (logging.getLogger(), logging.getLogger("locust")):
        if target.propagate is False or target.name == "root":
            target.addHandler(handler)

    @events.quit.add_listener
    def on_quit(**_kwargs: Any) -> None:
        provider.shutdown()
