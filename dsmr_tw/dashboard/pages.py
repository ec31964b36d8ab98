"""Responsible for the front page: what runs here, how it is, and where to go.

Made of ``twisted.web.template``'s tags, which escape whatever is put into them.
No script, nothing from elsewhere: ``POLICY`` lets the browser hold us to that.

Tests: ``tests/dashboard/test_pages.py``
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.web.template import Tag, flattenString, tags

STYLE: Final = """
body { max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #24292f; background: #fcfcfa;
       font: 1rem/1.55 system-ui, sans-serif }
h1 { margin: 0; font-weight: 600 } h1 small { color: #6e7781; font-weight: 400; font-size: 1rem }
h2 { margin-top: 2rem; font-size: 1.05rem }
.ok, .degraded, .failing { display: inline-block; padding: .1rem .7rem; border-radius: 1rem; color: #fff }
.ok { background: #2e7d32 } .degraded { background: #b26a00 } .failing { background: #b3261e }
table { border-collapse: collapse; width: 100% } th { font-weight: 600; text-align: left }
th, td { padding: .35rem .7rem .35rem 0; border-bottom: 1px solid #d8dee4 }
code { background: #eff1f3; padding: .1rem .3rem; border-radius: .25rem; overflow-wrap: anywhere }
@media (prefers-color-scheme: dark) { body { color: #d6dbe1; background: #16191d } code { background: #262b31 }
  th, td { border-color: #353b42 } a { color: #7ab7ff } }
"""

POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'"
)
"""The page's Content-Security-Policy: its own style, and nothing else."""

WORDS: Final = {"ok": "all is well", "degraded": "needs a look", "failing": "failing"}


def front_page(report: Mapping[str, Any], api_enabled: bool) -> Deferred[bytes]:
    """The page, from what ``/health`` reports; fires at once."""
    page = tags.html(
        tags.head(
            tags.meta(charset="utf-8"),
            tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            tags.title("dsmr_tw"),
            tags.style(STYLE),
        ),
        tags.body(
            tags.h1("dsmr_tw ", tags.small(f"version {report.get('version', '')}")),
            tags.p("Reads a smart meter, keeps its telegrams, and answers questions about them."),
            *_state(report),
            *_sources(report),
            *_directions(api_enabled),
        ),
        lang="en",
    )
    return flattenString(None, page).addCallback(b"<!DOCTYPE html>\n".__add__)


def last_telegram_at(report: Mapping[str, Any]) -> str | None:
    """When something last came: over a line, or over HTTP and into the store."""
    moments = [source.get("last_telegram_at") for source in report.get("sources", ())]
    moments.append(report.get("store", {}).get("last_commit_at"))
    return max((moment for moment in moments if moment), default=None)


def _state(report: Mapping[str, Any]) -> Iterator[Tag]:
    status = str(report.get("status", "failing"))
    yield tags.p(tags.span(WORDS.get(status, status), class_=status if status in WORDS else "failing"))
    problems = report.get("problems", ())
    if problems:
        yield tags.ul(tags.li(str(problem)) for problem in problems)
    moment = last_telegram_at(report)
    if moment:
        yield tags.p("The last telegram came on ", tags.b(_words(moment)), ".")
    else:
        yield tags.p("No telegram has come yet.")


def _sources(report: Mapping[str, Any]) -> Iterator[Tag]:
    sources = report.get("sources", ())
    if not sources:
        return
    yield tags.h2("Sources")
    yield tags.table(
        tags.tr([tags.th(title) for title in ("Source", "Connected", "Last telegram", "Telegrams", "Refused")]),
        [
            tags.tr(
                tags.td(str(source.get("name"))),
                tags.td("yes" if source.get("connected") else "no"),
                tags.td(_words(source.get("last_telegram_at") or "none yet")),
                tags.td(str(source.get("telegrams"))),
                tags.td(str(source.get("rejected"))),
            )
            for source in sources
        ],
    )


def _words(moment: str) -> str:
    """A time as people write it: to the second."""
    return moment.replace("T", " ").partition(".")[0].removesuffix("Z") + (" UTC" if "T" in moment else "")


def _directions(api_enabled: bool) -> Iterator[Tag]:
    yield tags.h2("Where to go")
    if api_enabled:
        api = tags.li(
            "The API: ",
            tags.code("curl -H 'X-AUTHKEY: YOUR-API-KEY' http://HERE/api/v2/datalogger/dsmrreading"),
            "; your key is in the file ",
            tags.code("api.key"),
            " of the state directory.",
        )
    else:
        api = tags.li("The API is off; start with ", tags.code("--enable-api"), " to switch it on.")
    yield tags.ul(
        api,
        tags.li(tags.a("/health", href="/health"), ": the same as on this page and more, as JSON."),
        tags.li("The documentation: ", tags.code("README.md"), " and ", tags.code("docs/"), " of the distribution."),
    )
