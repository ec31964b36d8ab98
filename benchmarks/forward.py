"""What three days without their servers cost telegrams that are forwarded, and how fast the servers have them then.

``twistd dsmr-forward`` reads a demo house over TCP, a telegram for each second of three days, as fast as it keeps them,
while both servers it shall send them to are away: one of ours, and a plain one that takes one telegram a POST.
Then it is killed, without a word; the first server starts, it starts, and when that has everything the second one.
At the end all telegrams must be at both, in their order, each once.
"""

from __future__ import annotations

import json
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from benchmarks.asking import HOST, connection
from benchmarks.houses import START, House
from benchmarks.plainserver import CLOCK, plain_server
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.served import CHECKOUT, SERVING, TWISTD, Service, service

THREE_DAYS_S: Final = 72 * 3600
KEY: Final = "a-key-for-the-benchmark"
PAGE: Final = 10_000
AT_ONCE: Final = 400
"""Telegrams that may be on their way to the forwarder: more might find its memory full, as no meter ever does."""
PATIENCE_S: Final = 120


@define
class Forwarder:
    """``twistd dsmr-forward``, in a state directory that outlives it."""

    directory: Path
    options: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    port: int = field(default=0, init=False)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self.directory / "forward.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [*TWISTD, "dsmr-forward", *self.options, "--http", f"tcp:0:interface={HOST}"],
                cwd=CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        until = time.monotonic() + PATIENCE_S
        while (found := SERVING.search(log.read_bytes())) is None:
            assert self.process.poll() is None and time.monotonic() < until, log.read_text("utf-8", "replace")
            time.sleep(0.02)
        self.port = int(found[1])

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it with this signal."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(PATIENCE_S)
            self.process = None

    def servers(self) -> list[dict[str, Any]]:
        """What it tells of the servers."""
        with connection(self.port, "") as asking:
            servers: list[dict[str, Any]] = asking.ask("/health").json()["forwards"]["servers"]
        return servers

    def cpu_s(self) -> float:
        """The processor time of all its threads so far."""
        assert self.process is not None
        return Service(self.process, 0, "").cpu_s()

    def memory_mb(self, name: str) -> float:
        """What it holds in memory."""
        assert self.process is not None
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:"))) / 1024

    def until(self, is_so: Callable[[dict[str, Any]], bool], place: slice = slice(2)) -> None:
        """Wait until it is so of these servers."""
        while not all(map(is_so, self.servers()[place])):
            time.sleep(0.02)


@contextmanager
def meter() -> Iterator[socket.socket]:
    """A port where a meter prints."""
    with socket.create_server((HOST, 0)) as port:
        yield port


def feed(port: socket.socket, forwarder: Forwarder, telegrams: list[bytes]) -> float:
    """Let the meter print all of them, no faster than they are kept; how many seconds that took."""
    wire, _ = port.accept()
    begun = time.monotonic()
    with wire:
        for start in range(0, len(telegrams), AT_ONCE):
            wire.sendall(b"".join(telegrams[start : start + AT_ONCE]))
            forwarder.until(lambda server, so_far=start: server["records"] > so_far and server["in_memory"] < AT_ONCE)
        forwarder.until(lambda server: (server["records"], server["in_memory"]) == (len(telegrams), 0))
        return time.monotonic() - begun


def free_port() -> int:
    """A port that nobody uses now.

    Below those that the system gives: who tries to connect to one of them again and again once meets himself.
    """
    while True:
        number = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server((HOST, number)):
            return number


def clocks_of(served: Service) -> list[str]:
    """The instants of all readings of our server, in the order in which they were stored."""
    found: list[tuple[int, str]] = []
    with served.connect() as asking:
        while True:
            path = f"/api/v2/datalogger/dsmrreading?limit={PAGE}&offset={len(found)}"
            page = asking.ask(path).json()["results"]
            found += [(reading["id"], reading["timestamp"]) for reading in page]
            if len(page) < PAGE:
                return [clock for _, clock in sorted(found)]


def drain_to_ours(forwarder: Forwarder, directory: Path, port: int, number: int) -> None:
    """Start our server, and tell how fast it has everything."""
    state = directory / "ours"
    state.mkdir()
    (state / "api.key").write_text(KEY)
    with service(state, "--http", f"tcp:{port}:interface={HOST}") as served:
        forwarder.start()
        # Not how long the start of a process takes.
        forwarder.until(lambda server: server["records"] < number, slice(1))
        left, begun = forwarder.servers()[0]["records"], time.monotonic()
        theirs, its_own = served.cpu_s(), forwarder.cpu_s()
        forwarder.until(lambda server: not server["records"], slice(1))
        took = time.monotonic() - begun
        busy, sending = (served.cpu_s() - theirs) / took, (forwarder.cpu_s() - its_own) / took
        tell(
            f"{left / took:,.0f} telegrams a second to one of ours, "
            f"which uses {busy:.0%} of a core, and the forwarder {sending:.0%}"
        )
        clocks = clocks_of(served)
        assert len(clocks) == number and clocks == sorted(set(clocks)), f"{len(clocks)} of {number}, or not in order"
        tell(f"All {number:,} are there, in their order, each once")


def drain_to_another(forwarder: Forwarder, port: int, telegrams: list[bytes]) -> None:
    """Start the plain server, and tell how fast it has everything."""
    with plain_server(port):
        forwarder.until(lambda server: not server["records"], slice(1, 2))
        with connection(port, "") as asking:
            clocks, seconds = json.loads(asking.ask("/").body)
    wanted = [CLOCK.findall(telegram.decode("latin-1"))[0] for telegram in telegrams]
    assert clocks == wanted, f"{len(clocks)} of {len(wanted)}, or not in order"
    rate = len(clocks) / max(seconds, 0.001)
    tell(f"{rate:,.0f} a second to one that takes one telegram a POST: all, in their order, each once")


def measure(directory: Path, number: int) -> None:
    """Measure and tell."""
    key = directory / "key"
    key.touch(0o600)
    key.write_text(KEY)
    ours, plain = free_port(), free_port()
    telegrams = House(1, START, every_s=1).telegrams(number)
    with meter() as port:
        device = f"tcp:{HOST}:{port.getsockname()[1]}"
        to = [word for to in (ours, plain) for word in ("--to", f"http://{HOST}:{to}", "--key-file", str(key))]
        state = directory / "forwarder"
        forwarder = Forwarder(directory, ("--device", device, *to, "--state-dir", str(state)))
        try:
            forwarder.start()
            idle = forwarder.memory_mb("VmRSS")
            took = feed(port, forwarder, telegrams)
            tell(f"{number:,} telegrams were read in {took:.0f} s while both servers were away")
            for server in forwarder.servers():
                size = server["bytes"]
                tell(f"{size / 1e6:.1f} MB of spool for one of them, {size / number:.0f} bytes each")
            full = forwarder.memory_mb("VmHWM")
            forwarder.end(signal.SIGKILL)
            drain_to_ours(forwarder, directory, ours, number)
            drain_to_another(forwarder, plain, telegrams)
            tell(
                f"{idle:.0f} MB of memory when it has started, at most {full:.0f} MB while they were kept, "
                f"{forwarder.memory_mb('VmHWM'):.0f} MB while they were sent"
            )
        finally:
            forwarder.end(signal.SIGTERM)


def main() -> None:
    """Measure and tell."""
    options = parser(__doc__)
    options.add_argument("--telegrams", type=int, default=THREE_DAYS_S, help="how many [259,200]")
    chosen = options.parse_args()
    with work_directory(chosen.directory) as directory:
        measure(directory, 500 if chosen.quick else chosen.telegrams)
    tell_conditions(chosen.directory)


if __name__ == "__main__":
    run(main)
