"""Whether ``docs/scaling.md`` says what distributes the tables, and whether the store keeps its contract then.

The contract needs a Citus cluster, named by ``DSMR_TEST_CITUS`` (a URL of its coordinator, with a database that may be
emptied). Where there is none it is not run, and says so.
"""

from __future__ import annotations

import os
import re
import unittest
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from dsmr_tw.store.connect import postgres_store
from tests.contracts.store import StoreContract
from tests.onpostgres import EMPTY, ZONE, OnPostgres
from tests.store.test_sqlite import SqliteCase
from tests.test_sql import BIG, SMALL

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "scaling.md"
BLOCK = re.compile(r"```sql\n(-- Citus.*?)```", re.DOTALL)
CALL = re.compile(r"SELECT create_(\w+)_table\('(\w+)'")
URL = os.environ.get("DSMR_TEST_CITUS")

ON_COORDINATOR = set(
    "origin api_key contract price temperature ledger_edit ledger_setting changed schema_number".split()
)
"""What stays where it is: it is joined with nothing that is distributed."""


def distribution() -> str:
    """The statements of the page."""
    [block] = BLOCK.findall(PAGE.read_text("utf-8"))
    return str(block)


def ask(sql: str) -> list[Any]:
    """What the cluster answers."""
    assert URL is not None
    with closing(psycopg2.connect(URL)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def contract() -> unittest.TestSuite:
    """The contract of every store, on the cluster. Its class is made here, so that no runner finds it by itself."""

    class OnCitus(OnPostgres, StoreContract, SqliteCase):
        """A store on a cluster."""

        def setUp(self) -> None:
            """Begin with nothing."""
            self.url = str(URL)
            ask(EMPTY)
            super(OnPostgres, self).setUp()

    return unittest.defaultTestLoader.loadTestsFromTestCase(OnCitus)


class DistributionTests(SynchronousTestCase):
    """What ``docs/scaling.md`` has to say."""

    def test_every_table_has_its_place(self) -> None:
        """Each table is distributed, or held by every node, or stays on the coordinator, and is named once."""
        named = [name for _, name in CALL.findall(distribution())]
        self.assertEqual(sorted([*named, *ON_COORDINATOR]), sorted(BIG | set(SMALL)))

    def test_what_grows_is_distributed_by_meter(self) -> None:
        """No table that grows is copied to every node, and all rows of a meter lie together."""
        calls = {name: kind for kind, name in CALL.findall(distribution())}
        self.assertEqual({name for name in BIG if calls.get(name) != "distributed"}, set())
        self.assertNotIn("'instant'", distribution())
        for line in distribution().splitlines():
            if "create_distributed_table" in line:
                self.assertIn(", 'meter_id'", line)

    def test_the_contract_of_every_store_on_a_cluster(self) -> None:
        """A store whose tables are distributed holds what every store holds."""
        if URL is None:
            raise SkipTest("not run: DSMR_TEST_CITUS names no Citus cluster, so nothing is known about one")
        ask("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        store = postgres_store(URL, ZONE, maybeDeferred, maybeDeferred)
        self.successResultOf(store.open())
        self.successResultOf(store.close())
        for statement in re.sub("--.*", "", distribution()).split(";"):
            if statement.strip():
                ask(statement)
        result = unittest.TestResult()
        contract().run(result)
        self.assertGreater(result.testsRun, 0)
        self.assertEqual([f"{test}\n{text}" for test, text in (*result.errors, *result.failures)], [])
