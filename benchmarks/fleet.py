"""How many meters one PostgreSQL database takes readings of, through one server process and through two.

Each meter has a key of its own and posts one telegram every ten seconds to version 1 of the API, all of them evenly
spread, over connections that stay open, as a reverse proxy holds them; what is late is sent late, and its delay counts.
An answer is 201 once the reading is in PostgreSQL, which waits for the disk (fsync is on).  The generator, the servers
and PostgreSQL share this machine; processor time is what the kernel counts for the servers and for all of PostgreSQL.
The ledger of all meters is computed meanwhile.  At the end as many readings must be stored as were answered with 201.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from statistics import quantiles
from typing import Any, Final
from urllib.parse import urlencode

from attrs import define, field, frozen
from fastcrc import crc16

from benchmarks.asking import HOST
from benchmarks.reporting import parser, run, tell, tell_conditions, work_directory
from benchmarks.served import Service, service
from tests.postgres import Server

EVERY_S: Final = 10
CONNECTIONS: Final = 48
"""To each server process."""
TARGET: Final = 1_000

TELEGRAM: Final = (
    "/ISK5\\2M550T-1012\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0({at}W)\r\n0-0:96.1.1({id})\r\n"
    "1-0:1.8.1({d1:010.3f}*kWh)\r\n1-0:1.8.2({d2:010.3f}*kWh)\r\n1-0:2.8.1(000010.981*kWh)\r\n"
    "1-0:2.8.2(000028.031*kWh)\r\n0-0:96.14.0(0001)\r\n1-0:1.7.0({power:06.3f}*kW)\r\n1-0:2.7.0(00.000*kW)\r\n"
    "0-0:96.7.21(00013)\r\n0-0:96.7.9(00000)\r\n1-0:32.32.0(00000)\r\n1-0:32.36.0(00000)\r\n0-0:96.13.0()\r\n"
    "1-0:32.7.0(233.6*V)\r\n1-0:31.7.0(001*A)\r\n1-0:21.7.0({power:06.3f}*kW)\r\n1-0:22.7.0(00.000*kW)\r\n"
    "0-1:24.1.0(003)\r\n0-1:96.1.0({gas_id})\r\n0-1:24.2.1({gas_at}W)({gas:09.3f}*m3)\r\n!"
)


def telegram(meter: int, at: int) -> bytes:
    """What a house says at a second; in winter, so that local time is an hour ahead."""
    local = time.strftime("%y%m%d%H%M%S", time.gmtime(at + 3600))
    gas_at = at - at % 300
    text = TELEGRAM.format(
        at=local,
        id=f"4530303339{meter:010d}".encode().hex(),
        gas_id=f"4730303233{meter:010d}".encode().hex(),
        gas_at=time.strftime("%y%m%d%H%M%S", time.gmtime(gas_at + 3600)),
        d1=meter % 9000 + (at % 10**8) * 0.0003,
        d2=meter % 7000 + 1,
        power=0.3 + meter % 40 / 10,
        gas=meter % 5000 + (gas_at % 10**8) * 0.00002,
    ).encode()
    return text + b"%04X\r\n" % crc16.arc(text)


def key(meter: int) -> str:
    """The API key of a meter."""
    return f"fleet-key-of-meter-{meter}"


def request(meter: int, at: int) -> bytes:
    """One post."""
    body = urlencode({"telegram": telegram(meter, at)}).encode()
    return (
        f"POST /api/v1/datalogger/dsmrreading HTTP/1.1\r\nHost: {HOST}\r\nX-AUTHKEY: {key(meter)}\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@define
class Wanted:
    """A request that is due."""

    due: float
    data: bytes


@define
class Load:
    """What came of it."""

    seconds: float = 0.0
    delays: list[float] = field(factory=list)
    refused: int = 0


def send(ports: Sequence[int], meters: Sequence[int], seconds: int, begin_at: int) -> Load:
    """Let the meters post for some time; every request goes over the first connection that is free."""
    rounds = seconds // EVERY_S
    step = EVERY_S / len(meters)
    posts = [request(meter, begin_at + number * EVERY_S) for number in range(rounds) for meter in meters]
    load, waiting, sent = Load(), deque[Wanted](), dict[socket.socket, float]()
    with ExitStack() as stack, DefaultSelector() as selector:
        idle = deque[socket.socket]()
        for _ in range(CONNECTIONS):
            for port in ports:
                connected = stack.enter_context(socket.create_connection((HOST, port), 60))
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connected, EVENT_READ)
                idle.append(connected)
        begun, number = time.perf_counter(), 0
        while number < len(posts) or sent or waiting:
            now = time.perf_counter() - begun
            while number < len(posts) and number * step <= now:
                waiting.append(Wanted(number * step, posts[number]))
                number += 1
            while waiting and idle:
                wanted, connected = waiting.popleft(), idle.popleft()
                sent[connected] = wanted.due
                connected.sendall(wanted.data)
            pause = max(0.0, number * step - (time.perf_counter() - begun)) if number < len(posts) else 1.0
            for chosen, _ in selector.select(pause if not waiting or not idle else 0):
                answer = chosen.fileobj.recv(1 << 14)  # type: ignore[union-attr]  # it is a socket
                load.delays.append(time.perf_counter() - begun - sent.pop(chosen.fileobj))  # type: ignore[arg-type]
                load.refused += not answer.startswith(b"HTTP/1.1 201 ")
                idle.append(chosen.fileobj)  # type: ignore[arg-type]
        load.seconds = time.perf_counter() - begun
    return load


@frozen
class Cpu:
    """Processor time so far, in seconds."""

    servers: float
    postgres: float


def cpu(served: Sequence[Service], server: Server) -> Cpu:
    """Of the server processes, and of PostgreSQL with all its children."""
    assert server.process is not None
    ours, total = str(server.process.pid), 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if stat.parent.name == ours:
            total += sum(map(int, fields[11:15]))
        elif fields[1] == ours:
            total += sum(map(int, fields[11:13]))
    return Cpu(sum(one.cpu_s() for one in served), total / 100)


def enrol(server: Server, url: str, meters: int) -> None:
    """Give each meter its account and its key, as ``dsmr meters add`` and ``dsmr apikey create --meter`` do."""
    server.ask(
        f"INSERT INTO meter (id, name, zone) SELECT n, 'House ' || n, 'Europe/Amsterdam'"
        f" FROM generate_series(2, {meters + 1}) AS n",
        url,
    )
    for first in range(2, meters + 2, 1_000):
        rows = ", ".join(
            f"('house {n}', 'write', '\\x{sha256(key(n).encode()).hexdigest()}', '', {n}, 0)"
            for n in range(first, min(first + 1_000, meters + 2))
        )
        server.ask(f"INSERT INTO api_key (name, scope, digest, hint, meter_id, created_at) VALUES {rows}", url)
    server.ask("UPDATE changed SET accounts = accounts + 1", url)


@contextmanager
def served(directory: Path, url: str, number: int) -> Iterator[list[Service]]:
    """So many server processes on one database."""
    with ExitStack() as stack:
        options = ("--database", url, "--trusted-proxy", HOST, "--max-connections", "999")
        yield [stack.enter_context(service(directory / f"state-{n}", *options)) for n in range(number)]


def measure(directory: Path, processes: int, options: Any) -> None:
    """One load, on a database of its own."""
    server = Server.made(fsync=True)
    try:
        url = server.database()
        with served(directory, url, 1):
            owner_key = (directory / "state-0" / "api.key").read_text()
        for number in range(1, processes):
            (directory / f"state-{number}").mkdir()
            (directory / f"state-{number}" / "api.key").write_text(owner_key)
        enrol(server, url, options.meters)
        meters = range(2, options.meters + 2)
        with served(directory, url, processes) as services:
            ports = [one.port for one in services]
            begin_at = int(time.time()) - options.seconds - 2 * EVERY_S
            send(ports, meters, EVERY_S, begin_at)
            before = cpu(services, server)
            load = send(ports, meters, options.seconds, begin_at + EVERY_S)
            after = cpu(services, server)
            [[stored]] = server.ask("SELECT count(*) FROM reading", url)
        posts = len(load.delays)
        assert load.refused == 0, f"{load.refused} of {posts} posts were refused"
        assert stored == posts + options.meters, f"{posts + options.meters} answers were 201, but {stored} are stored"
        p50, p99 = (quantiles(load.delays, n=100)[n] * 1000 for n in (49, 98))
        ours = (after.servers - before.servers) * 1000 / posts
        its = (after.postgres - before.postgres) * 1000 / posts
        tell(
            f"{processes} server process{'es' if processes > 1 else ''}: {options.meters:,} meters, "
            f"{posts / load.seconds:,.0f} durable posts a second, half of them within {p50:.1f} ms, 99 % within "
            f"{p99:.0f} ms; {ours:.2f} ms of processor time a reading in the server, {its:.2f} ms in PostgreSQL"
        )
    finally:
        server.dispose()


def main() -> None:
    """Measure and tell."""
    arguments = parser(__doc__)
    arguments.add_argument("--meters", type=int, default=10_000, help="so many meters [10000]")
    arguments.add_argument("--seconds", type=int, default=60, help="for so long [60]")
    arguments.add_argument("--processes", type=int, nargs="*", default=[1, 2], help="server processes [1 2]")
    options = arguments.parse_args()
    if options.quick:
        options.meters, options.seconds = 20, 10
    with work_directory(options.directory) as directory:
        tell_conditions(directory)
        for processes in options.processes:
            (directory / str(processes)).mkdir()
            measure(directory / str(processes), processes, options)
    tell(f"The target is {TARGET:,} durable posts a second on two cores")


if __name__ == "__main__":
    run(main)
