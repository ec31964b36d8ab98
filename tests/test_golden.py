"""The recordings of the original, sent to the service that ``twistd dsmr`` runs.

Requests go over a real socket to what ``dsmr_tw.tap.build`` composes, its clock frozen at the time of the recording.
What is answered otherwise stands in ``docs/differences.md``, which this test reads: a difference that is not in its
table fails, and so does a row of the table that is no difference any more.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlencode

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from dsmr_tw.config import Settings
from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.domain.units import price
from dsmr_tw.opening import Opening
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.store.readings import SqlPorts
from dsmr_tw.tap import Parts, build
from tests.arrivals import NOON
from tests.brief import BRIEF
from tests.onpostgres import EMPTY
from tests.postgres import server
from tests.serving import READINGS, Answer, answer_of, request_bytes

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
CASES: list[dict[str, Any]] = json.loads((GOLDEN / "cases.json").read_text("utf-8"))
STORED: list[dict[str, Any]] = json.loads((GOLDEN / "readings.json").read_text("utf-8"))

KEY = "ORACLE-KEY-0123456789"
HOST = "golden.example"
STATISTICS = "/api/v2/datalogger/meter-statistics"

LATER = [
    f"{name}_l{n}" for name in ("phase_currently_returned", "phase_voltage", "phase_power_current") for n in (1, 2, 3)
]
"""The fields that later versions put behind those of the recording."""

LATER_TODAY = re.compile("electricity_(returned_)?merged|gas(_cost)?|fixed_cost|energy_supplier_price_.*")
"""The fields of today that later versions added, and those of gas, which the recorded one left out without gas."""

FIRST_DAY = 1_485_903_600 * SECOND
"""2017-02-01 begins in Amsterdam."""

FIRST_HOUR = FIRST_DAY + HOUR
"""2017-02-01T00:00:00Z."""

ROW = re.compile(r"^\| (`.+`) \| (\d+) \| (\d+) \|", re.MULTILINE)


def table() -> list[tuple[str, str, str]]:
    """The rows of the page's table: cases, the status that was recorded, and ours."""
    return ROW.findall((ROOT / "docs" / "differences.md").read_text("utf-8"))


def differences() -> dict[str, tuple[int, int]]:
    """The cases of the page's table: the status that was recorded, and ours."""
    return {
        name: (int(theirs), int(ours)) for cases, theirs, ours in table() for name in re.findall("`([^`]+)`", cases)
    }


class OneAnswer(Protocol):
    """Sends a request, and has its answer when the server hangs up."""

    transport: Any

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.received = b""
        self.done: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        """Send the request."""
        self.transport.write(self.request)

    def dataReceived(self, data: bytes) -> None:
        """Take a piece of the answer."""
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The answer is whole."""
        self.done.callback(self.received)


class GoldenTests(TestCase):
    """Each group of recordings, in its order: cases build upon those before them."""

    timeout = 300

    url: str | None = None
    """The database, if it is not a file in the state directory."""

    def empty(self) -> None:
        """Leave nothing in the database."""

    def setUp(self) -> None:
        """The service is not there yet; the cases begin with a reset."""
        self.folder = Path(mkdtemp(prefix="dsmr"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.parts: Parts | None = None
        self.addCleanup(self.stop)

    async def start(self, enabled: bool) -> None:
        """Run the service on what is stored."""
        await self.stop()
        state = self.folder / "state"
        if not state.exists():
            state.mkdir(mode=0o700)
            # The owner's key is there already: it is taken as it is.
            (state / "api.key").write_text(KEY)
        clock = Clock()
        clock.advance(NOON / SECOND)
        socket = self.folder / "http.sock"
        http = (f"unix:{socket}:lockfile=0",)
        settings = Settings(state_dir=state, enable_api=enabled, http=http, database=self.url)
        self.parts = build(settings, reactor, clock)
        self.parts.service.privilegedStartService()
        self.parts.service.startService()
        [opening] = [part for part in self.parts.service if isinstance(part, Opening)]
        assert opening.opened is not None
        await opening.opened
        self.endpoint = UNIXClientEndpoint(reactor, str(socket))

    async def stop(self) -> None:
        """Stop the service, if it runs."""
        if self.parts is not None:
            parts, self.parts = self.parts, None
            await parts.service.stopService()

    async def reset(self) -> None:
        """Run the service on an empty database."""
        await self.stop()
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        self.empty()
        await self.start(enabled=True)

    async def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own."""
        named = {"Host": HOST, "Connection": "close", **{n.replace("_", "-"): value for n, value in headers.items()}}
        connection = OneAnswer(request_bytes(method, path, named, body))
        await connectProtocol(self.endpoint, connection)
        return answer_of(await connection.done, method)

    async def prepare(self, steps: list[Any]) -> None:
        """Do what comes before a case."""
        for step in steps:
            if step == "reset":
                await self.reset()
            elif step == "readings":
                for row in STORED:
                    await self.post({name: value for name, value in row.items() if name != "id"})
            elif step == "statistics":
                await self.database().write(put_statistics)
            elif isinstance(step, str):
                await self.start(enabled=step == "enable")
            elif "reading" in step:
                await self.post(step["reading"])
            else:
                assert self.parts is not None
                await self.parts.store.contracts.add(contract(step["contract"]))

    async def post(self, reading: dict[str, Any]) -> None:
        """Store a reading."""
        body = json.dumps(reading).encode()
        answer = await self.send("POST", READINGS, body, X_AUTHKEY=KEY, Content_Type="application/json")
        self.assertEqual(answer.status, 201)

    def database(self) -> Database:
        """The database, behind the service's back."""
        assert self.parts is not None
        assert isinstance(self.parts.store, SqlPorts)
        return self.parts.store.database

    async def run_case(self, case: dict[str, Any]) -> tuple[int, list[str]]:
        """The status of our answer, and in what it differs from the recorded one."""
        await self.prepare(case.get("setup", []))
        method, path, body, headers = sent(case["request"])
        answer = await self.send(method, path, body, **headers)
        found = list(answer_differs(case, answer))
        if "statistics" in case["expect"]:
            statistics = await self.send("GET", STATISTICS, X_AUTHKEY=KEY)
            # While the API is off it says nothing about that either.
            if statistics.status == 200:
                found += statistics_differ(case["expect"]["statistics"], statistics.json)
        return answer.status, found

    async def run_group(self, group: str) -> None:
        """Run all cases of a group; fail with everything that is not as the page says."""
        await self.reset()
        listed, wrong = differences(), []
        for case in CASES:
            name, recorded = case["id"], case["expect"]["status"]
            if name.startswith(f"{group}/"):
                status, found = await self.run_case(case)
                if name not in listed and found:
                    wrong.append(f"{name} is not in docs/differences.md, but: {'; '.join(found)}")
                elif name in listed and not (found and listed[name] == (recorded, status)):
                    wrong.append(
                        f"{name} is in docs/differences.md with {listed[name]}, not {recorded, status}, {found}"
                    )
        if wrong:
            self.fail("\n" + "\n".join(wrong))

    async def test_v1(self) -> None:
        """Telegrams are answered as recorded."""
        await self.run_group("v1")

    async def test_v1_values(self) -> None:
        """Telegrams' values are stored as recorded."""
        await self.run_group("v1map")

    async def test_v2_post(self) -> None:
        """Submitted readings are answered as recorded."""
        await self.run_group("v2post")

    async def test_v2_get(self) -> None:
        """Lists of readings are as recorded."""
        await self.run_group("v2get")

    async def test_today(self) -> None:
        """The day so far is as recorded."""
        await self.run_group("today")

    async def test_statistics(self) -> None:
        """Lists of hours and days are as recorded."""
        await self.run_group("stats")

    async def test_routes(self) -> None:
        """Methods and paths are answered as recorded."""
        await self.run_group("routes")

    def test_the_table_names_cases(self) -> None:
        """The page's table is about recordings that there are, and each once."""
        named = re.findall("`([^`]+)`", "".join(cases for cases, _, _ in table()))
        self.assertEqual(sorted(named), sorted(set(named) & {case["id"] for case in CASES}))


class GoldenOnPostgresTests(GoldenTests):
    """The same over a PostgreSQL server."""

    if BRIEF:
        skip = "the whole run beside this brief one has them"

    def setUp(self) -> None:
        """Begin with an empty database."""
        self.url = server().database()
        super().setUp()

    def empty(self) -> None:
        """Leave nothing in the database."""
        if server().ask("SELECT to_regclass('changed') IS NOT NULL", self.url) == [(True,)]:
            server().ask(EMPTY, self.url)


def sent(request: dict[str, Any]) -> tuple[str, str, bytes, dict[str, str]]:
    """Method, path, body and headers of a recorded request."""
    headers = {name: value.replace("{KEY}", KEY) for name, value in request.get("headers", {}).items()}
    shown = {"token": {"Authorization": f"Token {KEY}"}, "none": {}, "wrong": {"X-AUTHKEY": "wrong"}}
    headers |= shown.get(request.get("auth", ""), {"X-AUTHKEY": KEY})
    body = request.get("body", "").encode()
    if "form" in request or "form_raw" in request:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        body = request.get("form_raw", urlencode(request.get("form", {}))).encode()
    elif "json" in request:
        headers["Content-Type"] = "application/json"
        body = json.dumps(request["json"]).encode()
    elif "multipart" in request:
        headers["Content-Type"] = "multipart/form-data; boundary=golden"
        parts = (part(name, value) for name, value in request["multipart"].items())
        body = "".join((*parts, "--golden--\r\n")).encode()
    return request["method"], request["path"], body, headers


def part(name: str, value: str) -> str:
    """One field of a multipart form."""
    return f'--golden\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


def answer_differs(case: dict[str, Any], answer: Answer) -> Iterator[str]:
    """In what an answer differs from the recorded one, beyond what the page says of all answers."""
    expected = case["expect"]
    if answer.status != expected["status"]:
        yield f"status {answer.status}"
    if expected.get("allow") != answer.headers.get("Allow") and expected["status"] != 404:
        yield f"Allow {answer.headers.get('Allow')}"
    if "json" in expected:
        if answer.headers["Content-Type"] != "application/json":
            yield f"type {answer.headers['Content-Type']}"
        # As text: the order of the names counts, too.
        found, wanted = json.dumps(common(answer.json)), json.dumps(common(recorded(case)))
        if found != wanted:
            yield f"{found} instead of {wanted}"
    elif "text" in expected and answer.text != expected["text"]:
        yield f"text {answer.text!r}"


def recorded(case: dict[str, Any]) -> Any:
    """The recorded JSON, its rows written out."""
    value = case["expect"]["json"]
    if isinstance(value, dict):
        rows = [STORED[row - 1] if isinstance(row, int) else row for row in value.get("results", ())]
        value = {**value, **({"results": rows} if rows else {})}
    return json.loads(json.dumps(value).replace("{BASE}", f"http://{HOST}"))


def common(value: Any) -> Any:
    """What two answers have in common wherever the page says that all differ: ids, and the fields of later versions."""
    if isinstance(value, list):
        return [common(item) for item in value]
    if isinstance(value, dict):
        if "id" in value and ("day" in value or "hour_start" in value):
            # Of rows that were put into the tables by hand, which they are is all there is to compare.
            return value.get("day") or value["hour_start"]
        names = [name for name in value if "day" not in value or not LATER_TODAY.fullmatch(name)]
        if names[-len(LATER) :] == LATER:
            names = names[: -len(LATER)]
        return {name: "an id" if name == "id" else common(value[name]) for name in names}
    return value


def contract(terms: dict[str, Any]) -> Contract:
    """A recorded contract."""
    prices = {
        name.replace("electricity_", ""): price(text)
        for name, text in terms.items()
        if name.endswith(("_price", "_cost"))
    }
    start, end = date.fromisoformat(terms["start"]), date.fromisoformat(terms["end"])
    return Contract(id=0, meter_id=1, start=start, end=end, description=terms["description"], **prices)


def put_statistics(connection: Connection) -> None:
    """Put the rows into the tables that were put into the original's: 29 days, 60 hours."""
    for number in range(29):
        at = FIRST_DAY + number * DAY
        insert(connection, "day_statistics", instant=at, end_at=at + DAY)
    for number in range(60):
        at = FIRST_HOUR + number * HOUR
        insert(connection, "hour_statistics", instant=at)
        connection.execute(
            "INSERT INTO row_count VALUES (1, 60, ?, 1) ON CONFLICT (meter_id, minutes, instant)"
            " DO UPDATE SET rows = row_count.rows + 1",
            (at - at % DAY,),
        )


def insert(connection: Connection, table: str, **values: int) -> None:
    """A row of the first meter through whose registers little went."""
    row = {"meter_id": 1, "delivered_1": 7000, "returned_1": 0, "delivered_2": 0, "returned_2": 0, **values}
    row |= {"estimated": 0, "gas_estimated": 0}
    places = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))


def statistics_differ(wanted: dict[str, object], found: dict[str, object]) -> list[str]:
    """In what the meter statistics differ."""
    return [f"{name} {found[name]} instead of {value}" for name, value in wanted.items() if found[name] != value]
