"""The documentation says what the program does: options, defaults, routes and commands, and no link is broken."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from attrs import NOTHING, fields
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.config import OPTIONS, Settings
from dsmr_tw.domain.dialect import BELGIUM, FIRST_DUTCH, HUNGARY, NORDIC, SIGNS, SWITZERLAND, UNKNOWN
from tests.routes import rules

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
SETTINGS = ROOT / "docs" / "settings.md"
METERS = ROOT / "docs" / "meters.md"
API_V2 = ROOT / "docs" / "api-v2.md"

ROW = re.compile(r"^\| `--([a-z0-9-]+)` \| (.*?) ?\|", re.MULTILINE)
CONVERTER = re.compile(r"<[^>]+>")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def text_of(path: Path) -> str:
    """The text of a page."""
    return path.read_text("utf-8")


def printed(default: object) -> str | None:
    """How the table of settings shows a default; ``None`` when words say it better."""
    if isinstance(default, bool):
        return "no"
    if isinstance(default, int | float):
        return f"`{default:g}`"
    if isinstance(default, str):
        return f"`{default}`"
    if isinstance(default, tuple):
        return f"`{default[0]}`" if default else ""
    return None


class MetersPageTests(SynchronousTestCase):
    """``docs/meters.md`` and the dialects that are recognised agree."""

    def test_every_dialect_is_explained(self) -> None:
        """Whoever reads a name in ``/health`` finds it in the table."""
        names = {signs.dialect for signs in SIGNS} | {BELGIUM, FIRST_DUTCH, HUNGARY, NORDIC, SWITZERLAND, UNKNOWN}
        page = text_of(METERS)
        self.assertEqual([name for name in sorted(names) if f"`{name}`" not in page], [])


class SettingsPageTests(SynchronousTestCase):
    """``docs/settings.md`` and the table of options agree."""

    def test_every_option_has_one_row(self) -> None:
        """Whoever looks for an option finds it, once, and finds none that is not there."""
        self.assertEqual(sorted(name for name, _ in ROW.findall(text_of(SETTINGS))), sorted(o.name for o in OPTIONS))

    def test_the_defaults_are_those_of_the_program(self) -> None:
        """The default that the page shows is the one that holds."""
        shown = dict(ROW.findall(text_of(SETTINGS)))
        for setting in fields(Settings):
            expected = printed(setting.default) if setting.default is not NOTHING else None
            if expected is not None:
                name = setting.name.replace("_", "-")
                self.assertEqual(shown[name].strip(), expected, name)

    def test_every_option_is_in_the_readme(self) -> None:
        """The README's table names all options."""
        text = text_of(README)
        self.assertEqual([option.name for option in OPTIONS if f"`--{option.name}" not in text], [])


class InterfacePagesTests(SynchronousTestCase):
    """What others build on is documented."""

    def test_every_route_is_documented(self) -> None:
        """``docs/api-v2.md`` names each path that the API answers."""
        text = text_of(API_V2)
        routes = {CONVERTER.sub("{id}", rule.removeprefix("/api/v2/")) for rule in rules() if rule.startswith("/api/")}
        self.assertEqual([route for route in sorted(routes) if f"{route}`" not in text], [])

    def test_every_admin_command_is_in_the_readme(self) -> None:
        """The README names each verb of ``dsmr``."""
        text = text_of(README)
        self.assertEqual([verb for verb in sorted(main.commands) if f"dsmr {verb}" not in text], [])


class LinkTests(SynchronousTestCase):
    """No link between the pages is broken."""

    def test_links_lead_to_files(self) -> None:
        """Each relative link of a page leads to a file of the project."""
        pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        broken = [
            f"{page.relative_to(ROOT)}: {target}"
            for page in pages
            for target in LINK.findall(text_of(page))
            if "://" not in target and not (page.parent / target).exists()
        ]
        self.assertEqual(broken, [])


class DecisionsTests(SynchronousTestCase):
    """``docs/decisions/`` and what the program asks for agree."""

    def test_every_package_has_its_reason(self) -> None:
        """Whatever is installed beside the program, always or for one of its options, is written about."""
        setup = ast.parse(text_of(ROOT / "setup.py"))
        calls = [node for node in ast.walk(setup) if isinstance(node, ast.Call)]
        arguments = {word.arg: word.value for call in calls for word in call.keywords}
        extras = ast.literal_eval(arguments["extras_require"])
        asked = [*ast.literal_eval(arguments["install_requires"])]
        for extra in extras.keys() - {"test", "bench"}:
            asked += extras[extra]
        names = {re.split(r"[^\w.-]", requirement)[0] for requirement in asked}
        written = "".join(text_of(path) for path in (ROOT / "docs" / "decisions").glob("*.md")).lower()
        self.assertGreater(len(names), 10)
        self.assertEqual([name for name in sorted(names) if name not in written], [])
