"""Traces, where somebody asked for them: OpenTelemetry spans of requests, reconciles, ticks and what they wait for.

Off unless LAMPLIGHT_TRACES names an OTLP endpoint (`http://collector:4318`); the library is the extra `traces`.
Spans carry kinds and uids, never names of people or documents, and no secrets.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["TracingUnavailable", "span"]


class TracingUnavailable(RuntimeError):
    """Traces are asked for and cannot be sent; the message says how to mend it."""


@contextmanager
def span(name: str, **attributes: str | int | float | bool) -> Iterator[None]:
    """A span around the block, a child of the one that it runs in; an exception that leaves it marks it failed."""
    tracer = _tracer()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span(
        name, attributes={f"lamplight.{key}": value for key, value in attributes.items()}
    ):
        yield


@functools.cache
def _tracer() -> Any | None:
    """The tracer of this process, made with its first span; None where traces are off. Raises TracingUnavailable."""
    endpoint = os.environ.get("LAMPLIGHT_TRACES", "")
    if not endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as missing:
        raise TracingUnavailable(
            f"LAMPLIGHT_TRACES is set, but {missing.name} is missing: pip install 'lamplight[traces]', or unset it."
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "lamplight"}))
    # in a thread of its own, in batches, dropped when the collector is away: nothing waits for it
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("lamplight")
