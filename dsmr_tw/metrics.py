"""Responsible for ``/metrics``: what ``/health`` tells, how long commits take, and what was answered, for Prometheus.

The table below says under which name a number of ``/health`` appears, and what it means; numbers of the parts that not
every service has (``IReporting``) appear by themselves, as ``dsmr_PART_NUMBER``.  Instants become seconds since 1970.
There are counters and sizes in it, and nothing that a meter measures: it is shown without a key.

Tests: ``tests/test_metrics.py``
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    UnknownMetricFamily,
)
from prometheus_client.registry import Collector

from dsmr_tw.counting import AnswerCounts
from dsmr_tw.domain.durations import BOUNDS, Durations
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.interfaces import IHealth

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
STATUSES: Final = ("ok", "degraded", "failing")

GAUGE: Final = GaugeMetricFamily
COUNTER: Final = CounterMetricFamily


@frozen
class Figure:
    """A number of ``/health``, and how Prometheus calls it."""

    key: str
    """Its name in ``/health``."""
    name: str
    kind: type[GaugeMetricFamily] | type[CounterMetricFamily]
    meaning: str


SOURCE: Final = (
    Figure("connected", "connected", GAUGE, "Whether the device is there (1) or not (0)."),
    Figure("last_telegram_at", "last_telegram_timestamp_seconds", GAUGE, "When the last telegram was taken."),
    Figure("telegrams", "telegrams", COUNTER, "Telegrams taken."),
    Figure("crc_errors", "crc_errors", COUNTER, "Telegrams refused for their CRC."),
    Figure("rejected", "rejected", COUNTER, "Telegrams refused for another reason."),
    Figure("bytes_received", "received_bytes", COUNTER, "Bytes that came."),
    Figure("bytes_skipped", "skipped_bytes", COUNTER, "Bytes that belonged to no telegram."),
    Figure("reconnects", "reconnects", COUNTER, "Connections made after the first."),
    Figure("clock_offset_s", "clock_offset_seconds", GAUGE, "How far the meter's clock is ahead of the server's."),
    Figure("unknown_lines", "unknown_lines", GAUGE, "Lines of the last telegram that are not understood."),
)

PLACES: Final = {
    "store": (
        Figure("available", "available", GAUGE, "Whether the store took readings when last tried (1) or not (0)."),
        Figure("waiting", "waiting_readings", GAUGE, "Readings that wait for a commit."),
        Figure("last_commit_at", "last_commit_timestamp_seconds", GAUGE, "When the last commit began that succeeded."),
        Figure("readings", "readings", GAUGE, "Readings stored."),
        Figure("lost", "lost_readings", COUNTER, "Readings of a line that could be stored nowhere."),
        Figure("bytes", "size_bytes", GAUGE, "Size of the store."),
        Figure("free_bytes", "free_bytes", GAUGE, "Of these, what new readings can use."),
        Figure("thinned_out", "thinned_out_readings", COUNTER, "Old readings that were thinned out."),
    ),
    "spool": (
        Figure("records", "telegrams", GAUGE, "Telegrams that wait on disk for the store."),
        Figure("bytes", "size_bytes", GAUGE, "What they take of the disk."),
        Figure("oldest_at", "oldest_timestamp_seconds", GAUGE, "When the oldest of them came."),
        Figure("refused", "refused_telegrams", GAUGE, "Telegrams that the store refused for their values."),
        Figure("damaged", "damaged_files", GAUGE, "Files that can't be read to their end."),
    ),
    "ledger": (
        Figure("dirty_quarters", "dirty_quarters", GAUGE, "Quarters of an hour that wait to be computed."),
        Figure("last_success_at", "last_success_timestamp_seconds", GAUGE, "When it was last brought up to date."),
        Figure("epochs", "epochs", GAUGE, "Stretches of registers that only rose: one more for each meter swapped."),
        Figure("outliers", "outliers", GAUGE, "Readings that are stored, and not counted."),
    ),
}

ELSEWHERE: Final = frozenset(("status", "problems", "version", "started_at", "now", "sources", "limits", *PLACES))


def exposition(health: IHealth, commits: Durations, answers: AnswerCounts) -> bytes:
    """Everything at this moment, in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(_Figures(health.report(), commits, answers))
    ProcessCollector(registry=registry)
    text: bytes = generate_latest(registry)
    return text


@frozen(eq=False)
class _Figures(Collector):
    report: Mapping[str, Any]
    commits: Durations
    answers: AnswerCounts

    def describe(self) -> list[Metric]:
        """Nothing before it is asked for: a registry lives as long as one answer."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All but those of the process."""
        yield from self._service()
        yield from self._sources()
        for place, figures in PLACES.items():
            for figure in figures:
                metric = figure.kind(f"dsmr_{place}_{figure.name}", figure.meaning)
                yield _with(metric, self.report.get(place, {}).get(figure.key))
        yield self._durations()
        yield self._answered()
        limits = COUNTER("dsmr_limit_hits", "How often a limit was met.", labels=["limit"])
        for name, times in self.report.get("limits", {}).items():
            limits.add_metric([name], times)
        yield limits
        yield from self._parts()

    def _service(self) -> Iterator[Metric]:
        report = self.report
        info = GAUGE("dsmr_info", "What runs; always 1.", labels=["version", "store"])
        info.add_metric([report["version"], report["store"].get("kind", "")], 1)
        yield info
        yield _with(GAUGE("dsmr_start_timestamp_seconds", "When the service was started."), report.get("started_at"))
        yield GAUGE("dsmr_problems", "Problems that a person has to look at.", value=len(report["problems"]))
        status = GAUGE("dsmr_status", "1 for what /health says, 0 for all else.", labels=["status"])
        for each in STATUSES:
            status.add_metric([each], float(report["status"] == each))
        yield status

    def _sources(self) -> Iterator[Metric]:
        for figure in SOURCE:
            metric = figure.kind(f"dsmr_source_{figure.name}", figure.meaning, labels=["source"])
            for source in self.report.get("sources", ()):
                _with(metric, source.get(figure.key), source["name"])
            yield metric
        frames = COUNTER("dsmr_source_frames_refused", "Encrypted frames refused.", labels=["source", "reason"])
        for source in self.report.get("sources", ()):
            for reason, number in (source.get("frames_refused") or {}).items():
                frames.add_metric([source["name"], reason], number)
        yield frames

    def _durations(self) -> Metric:
        within = self.commits.within()
        bounds = [*(str(bound / SECOND) for bound in BOUNDS), "+Inf"]
        return HistogramMetricFamily(
            "dsmr_commit_duration_seconds",
            "How long commits took that succeeded.",
            buckets=list(zip(bounds, within, strict=True)),
            sum_value=self.commits.sum_us / SECOND,
        )

    def _answered(self) -> Metric:
        metric = COUNTER("dsmr_http_requests", "Requests answered.", labels=["method", "route", "status"])
        for (method, route, status), number in sorted(self.answers.counts.items()):
            metric.add_metric([method, route, str(status)], number)
        return metric

    def _parts(self) -> Iterator[Metric]:
        for heading, figures in self.report.items():
            if heading not in ELSEWHERE and isinstance(figures, Mapping):
                metrics: dict[str, Metric] = {}
                for names, key, value in _flat(figures):
                    name = f"dsmr_{heading}_{key}".removesuffix("_at") + "_timestamp_seconds" * key.endswith("_at")
                    empty = UnknownMetricFamily(name, f"{key} of {heading} in /health.", labels=["name"] * len(names))
                    _with(metrics.setdefault(name, empty), value, *names)
                yield from (metric for metric in metrics.values() if metric.samples)


def _flat(figures: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, object]]:
    """The figures of a part, and of each of those that it lists by their names."""
    for key, value in figures.items():
        for each in value if isinstance(value, list) else ():
            if isinstance(each, Mapping) and "name" in each:
                yield from (((str(each["name"]),), f"{key}_{inner}", number) for inner, number in each.items())
        yield (), key, value


def _with(metric: Any, value: object, *labels: str) -> Any:
    """The metric with a number, a yes or no, or an instant; what is unknown or something else is left out."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value).timestamp()
        except ValueError:
            value = None
    if isinstance(value, bool | int | float):
        metric.add_metric(labels, float(value))
    return metric
