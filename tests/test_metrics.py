"""Tests of dsmr_tw.metrics: what Prometheus is told, read as Prometheus reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from attrs import define, field
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dsmr_tw.counting import AnswerCounts
from dsmr_tw.domain.durations import Durations
from dsmr_tw.interfaces import IHealth
from dsmr_tw.metrics import exposition
from tests.serving import KEY, READINGS, V1, ServedCase
from tests.telegramtext import telegram

NOON = "2024-04-02T10:00:00Z"
NOON_S = 1_712_052_000

PAGE = Path(__file__).resolve().parent.parent / "docs" / "metrics.md"

HOSTILE = 'evil"} 1\n# TYPE x counter\\'


@implementer(IHealth)
@define
class WholeHealth:
    """A report in which there is something of everything."""

    changes: dict[str, object] = field(factory=dict)

    def report(self) -> dict[str, object]:
        """See ``IHealth``."""
        source = {"telegrams": 9, "crc_errors": 2, "connected": True, "last_telegram_at": NOON, "dialect": "DSMR 5"}
        return {
            "status": "degraded",
            "problems": ["one", "two"],
            "version": "1.2.3",
            "started_at": NOON,
            "now": NOON,
            "sources": [
                {"name": "/dev/ttyUSB0", **source, "frames_refused": {"tag": 3}},
                {"name": HOSTILE, **source, "connected": False, "last_telegram_at": None, "frames_refused": None},
            ],
            "store": {
                "kind": "sqlite",
                "available": True,
                "readings": 7,
                "lost": 1,
                "last_commit_at": NOON,
                "bytes": None,
            },
            "spool": {"records": 4, "bytes": 400, "oldest_at": None, "refused": 0, "damaged": 0},
            "ledger": {"dirty_quarters": 2, "last_success_at": NOON, "last_error": None, "epochs": 1, "outliers": 0},
            "limits": {"body_bytes": 5},
            **self.changes,
        }


def read(text: bytes) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The samples by name and labels, as Prometheus reads them."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), sample
            found[sample.name][labels] = sample.value
    return found


class ExpositionTests(SynchronousTestCase):
    """The names and numbers."""

    def told(self, **changes: object) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
        """What is told of a report with these changes."""
        return read(exposition(WholeHealth(changes), Durations(), AnswerCounts()))

    def test_numbers_of_health(self) -> None:
        """A number of /health has a name of its own, and an instant is in seconds since 1970."""
        told = self.told()
        device = (("source", "/dev/ttyUSB0"),)
        self.assertEqual(told["dsmr_source_telegrams_total"][device], 9)
        self.assertEqual(told["dsmr_source_connected"], {device: 1, (("source", HOSTILE),): 0})
        self.assertEqual(told["dsmr_source_last_telegram_timestamp_seconds"], {device: NOON_S})
        self.assertEqual(told["dsmr_source_frames_refused_total"], {(("reason", "tag"), *device): 3})
        self.assertEqual(told["dsmr_store_readings"], {(): 7})
        self.assertEqual(told["dsmr_store_last_commit_timestamp_seconds"], {(): NOON_S})
        self.assertEqual(told["dsmr_ledger_dirty_quarters"], {(): 2})
        self.assertEqual(told["dsmr_limit_hits_total"], {(("limit", "body_bytes"),): 5})
        self.assertEqual(told["dsmr_problems"], {(): 2})
        self.assertEqual(told["dsmr_status"][(("status", "degraded"),)], 1)
        self.assertEqual(sum(told["dsmr_status"].values()), 1)
        self.assertEqual(told["dsmr_info"], {(("store", "sqlite"), ("version", "1.2.3")): 1})

    def test_what_is_not_known_is_left_out(self) -> None:
        """An alert that asks for it is silent, instead of looking at a 0."""
        self.assertNotIn("dsmr_store_size_bytes", self.told())

    def test_parts_that_not_every_service_has(self) -> None:
        """Each number of them appears, those of what they list by name, and words do not."""
        told = self.told(
            forward={
                "waiting": 3,
                "last_error": "refused",
                "targets": [{"name": "a", "lag_s": 5}, {"name": "b", "lag_s": 6}],
            },
            backup={"last_success_at": NOON, "is_well": True, "odd": [1, {"lag_s": 1}]},
        )
        self.assertEqual(told["dsmr_forward_waiting"], {(): 3})
        self.assertEqual(told["dsmr_forward_targets_lag_s"], {(("name", "a"),): 5, (("name", "b"),): 6})
        self.assertEqual(told["dsmr_backup_last_success_timestamp_seconds"], {(): NOON_S})
        self.assertEqual(told["dsmr_backup_is_well"], {(): 1})
        self.assertFalse([name for name in told if "error" in name and "forward" in name or "odd" in name])

    def test_commits(self) -> None:
        """How long they took: so many within each bound, and in all."""
        commits = Durations()
        for took_us in (800, 4_000, 9_000_000):
            commits.add(took_us)
        told = read(exposition(WholeHealth(), commits, AnswerCounts()))
        buckets = {dict(labels)["le"]: value for labels, value in told["dsmr_commit_duration_seconds_bucket"].items()}
        self.assertEqual((buckets["0.001"], buckets["0.005"], buckets["5.0"], buckets["+Inf"]), (1, 2, 2, 3))
        self.assertEqual(told["dsmr_commit_duration_seconds_count"], {(): 3})
        self.assertEqual(told["dsmr_commit_duration_seconds_sum"], {(): 9.0048})

    def test_the_process(self) -> None:
        """Memory, files and processor time."""
        told = self.told()
        for name in ("resident_memory_bytes", "open_fds", "cpu_seconds_total"):
            self.assertGreater(told[f"process_{name}"][()], 0)

    def test_names_are_as_prometheus_wants_them(self) -> None:
        """Lower case, units spelled out, a meaning for each, counters that end in total: what promtool looks at."""
        text = exposition(WholeHealth(), Durations(), AnswerCounts()).decode()
        for family in text_string_to_metric_families(text):
            self.assertRegex(family.name, r"^(dsmr|process)_[a-z][a-z_]*[a-z]$")
            self.assertTrue(family.documentation, family.name)
            self.assertNotRegex(family.name, r"_(ms|kb|mb|s)$")
            ends = {sample.name.endswith("_total") for sample in family.samples}
            self.assertEqual(ends, {family.type == "counter"} if family.samples else set(), family.name)
        names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
        self.assertEqual(len(names), len(set(names)))


class ServedMetricsTests(ServedCase):
    """``/metrics`` of a service."""

    def told(self) -> dict[str, Any]:
        """What it says; no key is asked for."""
        answer = self.served.get("/metrics", key=None)
        self.assertEqual(
            (answer.status, answer.headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8")
        )
        return read(answer.body)

    def test_answers_are_counted(self) -> None:
        """By route and status; the paths of strangers are one route."""
        self.served.get(f"{READINGS}?limit=1")
        self.served.get("/api/v2/devices/77/readings")
        for number in range(50):
            self.served.get(f"/wp-admin/{number}.php", key=None)
        self.served.post(V1, {"telegram": telegram()})
        counts = {tuple(dict(labels).values()): n for labels, n in self.told()["dsmr_http_requests_total"].items()}
        self.assertEqual(counts["GET", READINGS, "200"], 1)
        self.assertEqual(counts["GET", "/api/v2/devices/{device_id}/readings", "404"], 1)
        self.assertEqual(counts["POST", V1, "201"], 1)
        self.assertEqual(counts["GET", "other", "404"], 50)

    def test_every_route_is_known(self) -> None:
        """None of the API's own paths is counted as another."""
        for path in (
            "/health",
            "/",
            "/api/v2/meters",
            "/api/v2/peaks",
            "/api/v2/statistics/day",
            "/api/v2/weather/temperature",
        ):
            self.served.get(path)
        routes = {dict(labels)["route"] for labels in self.told()["dsmr_http_requests_total"]}
        self.assertNotIn("other", routes)

    def test_nothing_that_a_meter_measures(self) -> None:
        """Whoever has no key learns no position and no power, and no key either."""
        self.served.post(V1, {"telegram": telegram(delivered="054321.987")})
        body = self.served.get("/metrics", key=None).body
        for secret in (b"54321", KEY.encode(), b"kWh", b"DEMO"):
            self.assertNotIn(secret, body)

    def test_only_get(self) -> None:
        """There is nothing to change."""
        self.assertEqual(self.served.post("/metrics", {}).status, 405)


class PageTests(SynchronousTestCase):
    """``docs/metrics.md`` and the program agree."""

    def setUp(self) -> None:
        """The page, and the type of each metric."""
        self.page = PAGE.read_text("utf-8")
        text = exposition(WholeHealth(), Durations(), AnswerCounts()).decode()
        self.kinds = dict(re.findall(r"^# TYPE (dsmr_\S+) (\S+)", text, re.MULTILINE))

    def test_every_metric_is_explained_with_its_type(self) -> None:
        """Whoever finds a name in Prometheus finds it on the page, and the other way round."""
        rows = re.findall(r"^\| (`dsmr_.*?) \| (\w+) \|", self.page, re.MULTILINE)
        shown = {name: kind for names, kind in rows for name in re.findall(r"`(\w+)`", names)}
        self.assertEqual(shown, self.kinds)

    def test_alerts_ask_for_what_there_is(self) -> None:
        """An alert on a metric that is not there would never go off."""
        asked = {name for rule in re.findall(r"expr: (.*)", self.page) for name in re.findall(r"dsmr_\w+", rule)}
        self.assertEqual(asked - set(self.kinds), set())
        self.assertEqual(len(re.findall(r"- alert: ", self.page)), 5)
