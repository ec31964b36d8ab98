"""A month of a meter that prints a telegram every second, in the whole service, in as little time as it takes.

Nothing is left out but time: the service that ``twistd -n dsmr --demo`` runs is composed as always, with its threads,
an SQLite file on a real disk and HTTP on a real port; only its clock is turned by hand, a second at a time, and stands
still while a commit is under way.  Each hour of that time a client asks for what a household asks for; the ledger is
computed as its days close; readings older than --keep-readings are thinned out.
At the end of each day is told what the process holds: memory (RSS), open files, threads, bytes caused to be written
(write_bytes of /proc/self/io), and how large the database is.
The warm-up ends two days after readings were thinned out first; what matters is what memory and files do after it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread

from benchmarks.asking import connection
from benchmarks.houses import START
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.wear import written_bytes
from dsmr_tw.config import Settings
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.listening import Listening
from dsmr_tw.tap import Parts, build

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
SLACK_S: Final = 2
"""When the last commit began so much longer ago than the interval, the next one is under way, and is waited for.

The service itself would lose patience with it after three seconds of its clock."""

PATIENCE_S: Final = 60
"""No commit takes so long, by anybody's clock, or something is wrong."""

ASKED: Final = (
    "/health",
    "/metrics",
    "/",
    "/api/v2/consumption/today",
    "/api/v2/consumption/electricity-live",
    "/api/v2/datalogger/dsmrreading?ordering=-timestamp&limit=100",
    "/api/v2/statistics/hour?ordering=-hour_start&limit=24",
    "/api/v2/statistics/day?ordering=-day",
)

MEGA: Final = 1e6


@frozen
class Held:
    """What the process holds at the end of a day."""

    memory_mb: float
    files: int
    threads: int
    written: int


def held() -> Held:
    """Now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = pages * os.sysconf("SC_PAGE_SIZE") / 1024**2
    return Held(memory, len(os.listdir("/proc/self/fd")), threading.active_count(), written_bytes())


@define
class Soak:
    """The service, and the hand that turns its clock."""

    parts: Parts
    clock: Clock
    reactor: Any
    key_file: Path
    interval_s: float
    days: list[Held] = field(factory=list)
    is_over: bool = False
    """Whether all days have passed."""
    _committed: Deferred[None] | None = None
    _begun_at: float = 0.0

    async def live(self, days: float) -> None:
        """Let so many days pass, and tell of each."""
        self.parts.datalogger.followers += (self._stored,)
        self.parts.service.privilegedStartService()
        self.parts.service.startService()
        while not self.key_file.exists():
            await deferLater(self.reactor, 0.01)
        seconds, begun = int(days * DAY_S), time.monotonic()
        self._begun_at = self.clock.seconds()
        for second in range(1, seconds + 1):
            await self._turn()
            if not self.parts.service.running:
                return
            if second % HOUR_S == 0:
                await deferToThread(ask_all, self._port(), self.key_file.read_text().strip())
            if second % DAY_S == 0 or second == seconds:
                self._tell(second, second / (time.monotonic() - begun))
        self.is_over = True

    async def stop(self) -> None:
        """Stop the service, or its threads would live on."""
        stopping = self.parts.service.stopService()
        while not stopping.called:
            self.clock.advance(0)
            await deferLater(self.reactor, 0.01)

    async def _turn(self) -> None:
        """A second passes, and what it makes due is done."""
        self.clock.advance(1)
        began_at = self.parts.datalogger.commits.last_commit_at
        last = self._begun_at if began_at is None else began_at / SECOND
        if self.clock.seconds() - last >= self.interval_s + SLACK_S:
            self._committed = Deferred()
            await self._committed.addTimeout(PATIENCE_S, self.reactor)

    def _stored(self, arrivals: Sequence[object], receipts: Sequence[object]) -> None:
        committed, self._committed = self._committed, None
        if committed is not None:
            self.reactor.callLater(0, committed.callback, None)

    def _port(self) -> int:
        [port] = [each.port for each in self.parts.service if isinstance(each, Listening)]
        assert port is not None
        return int(port.getHost().port)

    def _tell(self, second: int, rate: float) -> None:
        now = held()
        self.days.append(now)
        report = self.parts.web.health.report()
        store: Any = report["store"]
        ledger: Any = report["ledger"]
        tell(
            f"day {second / DAY_S:g}: {now.memory_mb:.2f} MB, {now.files} files, {now.threads} threads; "
            f"{store['readings']:,} readings, {store['thinned_out']:,} thinned out, "
            f"{ledger['dirty_quarters']} quarters dirty; {now.written / MEGA:,.0f} MB written; "
            f"{rate:,.0f} telegrams a second"
        )
        assert report["status"] == "ok", report["problems"]


def ask_all(port: int, key: str) -> None:
    """What a household asks for."""
    with connection(port, key) as asking:
        for path in ASKED:
            answer = asking.ask(path)
            assert answer.status == HTTPStatus.OK, (path, answer)


def tell_growth(days: Sequence[Held], warm_up: int) -> None:
    """What became of memory, files and disk after the warm-up."""
    first, rest = days[warm_up - 1], days[warm_up:]
    most = max(day.memory_mb for day in rest) - first.memory_mb
    end = rest[-1].memory_mb - first.memory_mb
    files = sorted({day.files for day in (first, *rest)})
    written = (rest[-1].written - first.written) / len(rest)
    tell(
        f"After day {warm_up}: memory {most:+.2f} MB at most, {end:+.2f} MB at the end; "
        f"open files {' or '.join(map(str, files))}; {written / MEGA:,.0f} MB written a day"
    )


def main() -> None:
    """Let it soak, and tell."""
    options = parser(__doc__)
    options.add_argument("--days", type=float, default=30, help="of telegrams [30]")
    options.add_argument("--commit-interval", type=float, default=5, help="seconds, as the service takes it [5]")
    options.add_argument("--keep-readings", type=int, default=7, help="days [7]")
    chosen = options.parse_args()
    days = 0.05 if chosen.quick else chosen.days
    warm_up = chosen.keep_readings + 2
    from twisted.internet import reactor

    clock = Clock()
    clock.advance(START // SECOND)
    wrong: list[object] = []
    with work_directory(chosen.directory) as directory:
        state = directory / "state"
        settings = Settings(
            demo=True,
            state_dir=state,
            http=("tcp:0:interface=127.0.0.1",),
            enable_api=True,
            commit_interval=chosen.commit_interval,
            keep_readings=f"{chosen.keep_readings}d",
        )
        soak = Soak(build(settings, reactor, clock), clock, reactor, state / "api.key", chosen.commit_interval)
        reactor.addSystemEventTrigger("before", "shutdown", lambda: Deferred.fromCoroutine(soak.stop()))
        done = Deferred.fromCoroutine(soak.live(days))
        done.addErrback(wrong.append)
        done.addBoth(lambda _: soak.parts.service.running and reactor.callLater(0, reactor.stop))
        reactor.run()
        if wrong:
            sys.exit(str(wrong[0]))
        if not soak.is_over:
            sys.exit("stopped")
    if len(soak.days) > warm_up:
        tell_growth(soak.days, warm_up)
    tell_conditions(chosen.directory)


if __name__ == "__main__":
    run(main)
