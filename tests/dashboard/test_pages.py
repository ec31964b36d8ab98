"""The front page."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape
from html.parser import HTMLParser
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.dashboard.pages import POLICY, front_page, last_telegram_at

SOURCE = {
    "name": "device /dev/ttyUSB0",
    "connected": True,
    "last_telegram_at": "2024-04-02T09:59:59Z",
    "telegrams": 7,
    "rejected": 1,
}


class FrontPageTests(SynchronousTestCase):
    """What a person sees."""

    def page(self, **report: Any) -> str:
        """The page for a report."""
        told = {"status": "ok", "problems": [], "version": "1.2.3", "sources": [], **report}
        return self.successResultOf(front_page(told, api_enabled=True)).decode()

    def test_when_the_last_telegram_came(self) -> None:
        """The page says when something last came, or that nothing has."""
        self.assertIn("No telegram has come yet", self.page())
        self.assertIn("came on <b>2024-04-02 09:59:59 UTC</b>", self.page(sources=[SOURCE]))
        fraction = {**SOURCE, "last_telegram_at": "2024-04-02T09:59:59.001018Z"}
        self.assertIn("<td>2024-04-02 09:59:59 UTC</td>", self.page(sources=[fraction]))
        self.assertIn("<td>none yet</td>", self.page(sources=[{**SOURCE, "last_telegram_at": None}]))
        store = {"last_commit_at": "2024-04-02T10:00:00Z"}
        self.assertEqual(last_telegram_at({"sources": [SOURCE], "store": store}), "2024-04-02T10:00:00Z")

    def test_problems(self) -> None:
        """Each problem is shown in its words."""
        page = self.page(status="failing", problems=["the cable is out", "the disk is full"])
        self.assertIn("<li>the cable is out</li><li>the disk is full</li>", page)
        self.assertIn('class="failing"', page)

    def test_hostile_words(self) -> None:
        """Whatever stands in a report is text on the page, never a tag."""
        evil = "<script>alert('&\"')</script>"
        page = self.page(status=evil, problems=[evil], version=evil, sources=[{**SOURCE, "name": evil}])
        self.assertNotIn("<script", page)
        self.assertGreaterEqual(unescape(page).count(evil), 4)

    def test_the_policy_allows_the_style(self) -> None:
        """The browser is told to take this style and no other."""
        [style] = re.findall(r"<style>(.*?)</style>", self.page(), re.DOTALL)
        self.assertIn(f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'", POLICY)

    def test_well_formed(self) -> None:
        """Every tag that opens is closed."""
        open_tags: list[str] = []

        class Checker(HTMLParser):
            def handle_starttag(self, tag: str, attrs: object) -> None:
                open_tags.append(tag)

            def handle_startendtag(self, tag: str, attrs: object) -> None:
                pass

            def handle_endtag(self, tag: str) -> None:
                assert open_tags.pop() == tag

        Checker().feed(self.page(sources=[SOURCE], problems=["x"]))
        self.assertEqual(open_tags, [])
