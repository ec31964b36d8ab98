"""Who may import whom: the floors of dsmr_tw, read from the source with ``ast``.

A module that stands on no floor yet fails here until it is given one; what a failure says is what to do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent

FOUNDATION = ("dsmr_tw", "dsmr_tw.errors", "dsmr_tw.limits")
DOMAIN = ("dsmr_tw.domain",)
PORTS = ("dsmr_tw.interfaces", "dsmr_tw.stored")
DISK = ("dsmr_tw.lasting",)
"""What all adapters know that keep files."""
SERVICES = tuple(
    f"dsmr_tw.{name}"
    for name in (
        "datalogger rejecting undated groupcommit spooling taken draining backoff"
        " rollup periodic retention live health inorder backup"
        " unsent forwarding forwards forwardhealth"
    ).split()
)
ROOF = tuple(
    f"dsmr_tw.{name}"
    for name in (
        "clock config gathering options sourcing tap forward_tap forwardconfig targets opening storing keeping lines"
        " p1port undatedspool progress cli"
    ).split()
)
WINGS = (
    tuple(
        f"dsmr_tw.{name}"
        for name in ("device hearing serialproto source sourcehealth polled printed demo demopast decrypt".split())
    ),
    ("dsmr_tw.store",),
    ("dsmr_tw.spool", "dsmr_tw.spoolfiles", "dsmr_tw.segment", "dsmr_tw.leftspools"),
    ("dsmr_tw.statedir", "dsmr_tw.keys", "dsmr_tw.known"),
    ("dsmr_tw.archive", "dsmr_tw.backupfiles"),
    ("dsmr_tw.weather", "dsmr_tw.weatherfeeds"),
    ("dsmr_tw.sinks",),
    ("dsmr_tw.systemd",),
    tuple(
        f"dsmr_tw.{name}"
        for name in (
            "web listening httpserver connections turns healthpage leaving counting metrics export api dashboard"
        ).split()
    ),
)
"""The adapters. Those of one wing know each other: the line's, the store's, the front door with what it mounts."""

VALUES = set(
    "__future__ array bisect collections contextlib datetime decimal enum errno fractions functools hashlib"
    " heapq itertools math operator random re statistics string struct types typing zoneinfo attrs fastcrc"
    " zope.interface".split()
)
"""What the ground floor and the ports may import: nothing that reads, writes, waits or tells the time."""

NOT_FOR_SERVICES = {"json", "sqlite3", "twisted.web", "twisted.protocols", "twisted.enterprise"}

HOMES = {
    "fastcrc": ("dsmr_tw.domain",),
    "serial": ("dsmr_tw.device",),
    "twisted.internet.serialport": ("dsmr_tw.device",),
    "sqlite3": ("dsmr_tw.store",),
    "csv": ("dsmr_tw.export", "dsmr_tw.cli.temperature"),
    "txpostgres": ("dsmr_tw.store.postgres",),
    "psycopg2": ("dsmr_tw.store.postgres", "dsmr_tw.store.postgres_database"),
    "cattrs": ("dsmr_tw.gathering",),
    "platformdirs": ("dsmr_tw.config",),
    "click": ("dsmr_tw.cli", "dsmr_tw.progress"),
    "cryptography": ("dsmr_tw.decrypt",),
    "prometheus_client": ("dsmr_tw.metrics",),
    "paho": ("dsmr_tw.sinks.mqtt",),
    "treq": ("dsmr_tw.weather", "dsmr_tw.sinks"),
}
"""Where each library may be imported: mostly in the one module that wraps it."""

ROOF_ONLY = re.compile(
    r"twisted\.internet\.reactor|time\.time(_ns)?|(datetime\.)?(datetime|date)\.(now|utcnow|today)"
    r"|os\.(environ|getenv)|sys\.argv"
)
CATCHES_ALL = re.compile(r"except( (Base)?Exception( as \w+)?)?:")
PASSES_ON = re.compile(r"\b(failure|Failure|fail)\(|\braise\b")
TESTS = re.compile(r"tests/[\w/]+\.py")


def modules() -> dict[str, ast.Module]:
    """All modules of the package, by dotted name."""
    paths = sorted((ROOT / "dsmr_tw").rglob("*.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)
    return {name: ast.parse(path.read_text("utf-8")) for name, path in zip(names, paths, strict=True)}


def imports(tree: ast.Module) -> Iterator[str]:
    """The full name of everything that a module imports, wherever in it; a dot in front of a relative one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


MODULES = modules()
IMPORTS = [(name, wanted) for name, tree in MODULES.items() for wanted in imports(tree)]


def within(name: str, *places: str) -> bool:
    """Whether the name is one of the places, or lies in one."""
    return any(name == place or name.startswith(f"{place}.") for place in places)


def floor(module: str) -> tuple[str, tuple[str, ...]] | None:
    """The floor that a module stands on, and which of our modules it may import."""
    ground = (*FOUNDATION[1:], *DOMAIN, "dsmr_tw.__version__")
    if module in FOUNDATION:
        return "the foundation", ()
    if within(module, *DOMAIN):
        return "the ground floor", ground
    if within(module, *PORTS):
        return "the ports", (*ground, *PORTS)
    if within(module, *SERVICES):
        return "a service", (*ground, *PORTS, *SERVICES)
    if within(module, *ROOF):
        return "the roof", ("dsmr_tw",)
    if module in DISK:
        return "the disk", ground
    for wing in WINGS:
        if within(module, *wing):
            return "an adapter", (*ground, *PORTS, *DISK, *wing)
    return None


class FloorTests(SynchronousTestCase):
    """Imports go downwards only."""

    def fail_with(self, complaints: Iterable[str]) -> None:
        """Fail with all of the complaints, unless there are none."""
        found = list(complaints)
        if found:
            self.fail("\n" + "\n".join(found))

    def test_each_module_stands_on_a_floor(self) -> None:
        """A new module says in this file which floor it belongs to."""
        self.fail_with(
            f"{name}: add it to SERVICES, DISK, ROOF or one of WINGS in tests/test_house.py"
            for name in MODULES
            if floor(name) is None
        )

    def test_nothing_is_imported_from_above_or_aside(self) -> None:
        """The domain knows only itself, services only ports, and an adapter none but its own wing."""
        self.fail_with(
            f"{name} is {ours[0]} and may not import {wanted}: take it as a constructor field, or move the code"
            for name, wanted in IMPORTS
            if (ours := floor(name)) and within(wanted, "dsmr_tw") and not within(wanted, *ours[1])
        )

    def test_the_ground_floor_is_pure(self) -> None:
        """Domain, ports, errors and limits import values; the ports also say that something is a Deferred."""
        self.fail_with(
            f"{name} may not import {wanted}: the ground floor takes values and gives values (see VALUES)"
            for name, wanted in IMPORTS
            if within(name, *DOMAIN, *PORTS, *FOUNDATION[1:]) and not within(wanted, "dsmr_tw", *VALUES)
            if not (within(name, *PORTS) and wanted == "twisted.internet.defer.Deferred")
        )

    def test_services_speak_neither_sql_nor_json_nor_a_protocol(self) -> None:
        """What a service has to say goes through a port."""
        self.fail_with(
            f"{name} is a service and may not import {wanted}: that is an adapter's, behind a port"
            for name, wanted in IMPORTS
            if within(name, *SERVICES) and within(wanted, *NOT_FOR_SERVICES)
        )

    def test_each_library_is_wrapped(self) -> None:
        """Little would change if a library had to go."""
        self.fail_with(
            f"{name} may not import {wanted}: that is left to {' and '.join(homes)}"
            for name, wanted in IMPORTS
            for library, homes in HOMES.items()
            if within(wanted, library) and not within(name, *homes)
        )

    def test_reactor_clock_and_environment_come_from_the_roof(self) -> None:
        """Below the roof nobody picks a reactor, asks the wall clock, or reads the environment."""
        used = IMPORTS + [
            (name, ast.unparse(node))
            for name, tree in MODULES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
        ]
        self.fail_with(
            f"{name} may not use {word}: take a clock or the setting as a constructor field"
            for name, word in used
            if not within(name, *ROOF) and ROOF_ONLY.fullmatch(word)
        )


class CustomTests(SynchronousTestCase):
    """Customs that hold in every module."""

    def test_no_import_is_relative(self) -> None:
        """There is one import path per thing, the same wherever it is read."""
        self.assertEqual([(name, wanted) for name, wanted in IMPORTS if wanted.startswith(".")], [])

    def test_packages_hold_a_docstring_only(self) -> None:
        """An ``__init__.py`` says what the package is and re-exports nothing; the version stands in the top one."""
        for path in (ROOT / "dsmr_tw").rglob("__init__.py"):
            tree = ast.parse(path.read_text("utf-8"))
            rest = [ast.unparse(node).partition(" = ")[0] for node in tree.body[1:]]
            self.assertTrue(ast.get_docstring(tree), path)
            self.assertEqual(rest, ["__version__"] if path.parent.name == "dsmr_tw" else [], path)

    def test_no_failure_is_swallowed(self) -> None:
        """Whoever catches every exception logs it, passes it on, or raises."""
        for name, tree in MODULES.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ExceptHandler) and CATCHES_ALL.fullmatch(ast.unparse(node).split("\n")[0]):
                    self.assertRegex(
                        ast.unparse(node), PASSES_ON, f"{name}, line {node.lineno}: log it with log.failure(…)"
                    )

    def test_the_tests_that_a_module_names_exist(self) -> None:
        """A docstring that ends in ``Tests: tests/…`` leads to a file."""
        for name, tree in MODULES.items():
            for test in TESTS.findall(ast.get_docstring(tree) or ""):
                self.assertTrue((ROOT / test).is_file(), f"{name} names {test}, which is not there")

    def test_twisted_keeps_its_own_plugins(self) -> None:
        """Our directories ``twisted/`` and ``twisted/plugins/`` are no packages, or they would hide Twisted's."""
        self.assertEqual(sorted((ROOT / "twisted").rglob("__init__.py")), [])
