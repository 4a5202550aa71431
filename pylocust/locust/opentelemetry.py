"""Metrics, traces and logs for OpenTelemetry: what ``--otel`` turns on."""

from __future__ import annotations

import functools
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
    _trace_sessions(provider.get_tracer("locust", __version__))

    @events.quit.add_listener
    def on_quit(**_kwargs: Any) -> None:
        provider.shutdown()


def _trace_sessions(tracer: Any) -> None:
    """Every call of the HTTP clients gets a span, and its headers carry the trace on."""
    from .clients import HttpSession
    from .contrib.fasthttp import FastHttpSession

    plain = ("catch_response", "context")
    fast = ("data", "catch_response", "stream", "headers", "auth", "json", "allow_redirects", "context")
    HttpSession.request = _traced(HttpSession.request, plain, tracer)  # type: ignore[method-assign]
    FastHttpSession.request = _traced(FastHttpSession.request, fast, tracer)  # type: ignore[method-assign]


def _traced(request: Callable[..., Any], positional: tuple[str, ...], tracer: Any) -> Callable[..., Any]:
    """``request`` with a span around it; ``positional``: its parameters behind the name."""
    from opentelemetry import propagate, trace

    @functools.wraps(request)
    def traced(self: Any, method: str, url: Any, name: str | None = None, *args: Any, **kwargs: Any) -> Any:
        kwargs.update(zip(positional, args, strict=False))
        label = name or self.request_name or urlsplit(str(url)).path or "/"
        span = tracer.start_span(f"{method} {label}", kind=trace.SpanKind.CLIENT)
        headers = dict(kwargs.pop("headers", None) or {})
        propagate.inject(headers, context=trace.set_span_in_context(span))
        if name is not None:
            kwargs["name"] = name
        try:
            response = request(self, method, url, headers=headers, **kwargs)
            _describe(span, method, response)
        except BaseException as error:
            _fail(span, error)
            raise
        finally:
            span.end()
        return response

    return traced


def _describe(span: Any, method: str, response: Any) -> None:
    """The attributes of HTTP: by their old names, unless OTEL_SEMCONV_STABILITY_OPT_IN asks for the stable ones."""
    from opentelemetry import trace

    opted = {word.strip() for word in os.getenv("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")}
    first = (response.history or [response])[0]
    facts = [("http.method", "http.request.method", method)]
    facts.append(("http.url", "url.full", str(first.request.url if first.request else response.url)))
    if response.status_code:
        facts.append(("http.status_code", "http.response.status_code", response.status_code))
    for old, stable, value in facts:
        if "http" not in opted or "http/dup" in opted:
            span.set_attribute(old, value)
        if not opted.isdisjoint(("http", "http/dup")):
            span.set_attribute(stable, value)
    agent = first.request.headers.get("User-Agent") if first.request else None
    if agent:
        span.set_attribute("user_agent.original", agent if isinstance(agent, str) else agent.decode("latin-1"))
    if not opted.isdisjoint(("http", "http/dup")):
        _describe_server(span, first, response)
    if not response.status_code and response.error is not None:
        _fail(span, response.error)
    elif response.status_code >= 400:
        span.set_status(trace.Status(trace.StatusCode.ERROR))


def _describe_server(span: Any, first: Any, response: Any) -> None:
    server = urlsplit(str(first.request.url if first.request else response.url))
    version = (response.http_version or "").removeprefix("HTTP/")
    facts = {"server.address": server.hostname, "server.port": server.port, "network.protocol.version": version}
    if response.status_code >= 400:
        facts["error.type"] = str(response.status_code)
    span.set_attributes({name: value for name, value in facts.items() if value})


def _fail(span: Any, error: BaseException) -> None:
    from opentelemetry import trace

    span.record_exception(error)
    span.set_status(trace.Status(trace.StatusCode.ERROR, f"{type(error).__name__}: {error}"))


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
