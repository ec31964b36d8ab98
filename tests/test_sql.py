"""Whether the SQL of dsmr_tw.store is fit for a cluster, and for both databases where both share it.

All string constants of ``dsmr_tw/store`` that hold SQL, and both schemas, are read.  What only SQLite or only
PostgreSQL runs is named; everything else has to keep to what the two have in common.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

STORE = Path(__file__).resolve().parent.parent / "dsmr_tw" / "store"

SMALL = {
    "meter": "a row for each meter",
    "equipment": "a few rows for each meter",
    "origin": "a row for each cable or key",
    "api_key": "a row for each key",
    "contract": "written by a person",
    "price": "interval prices of a supplier, at most one an hour, for who has such a contract",
    "temperature": "one for the whole server, at most one every quarter of an hour",
    "ledger_edit": "written by a person",
    "ledger_setting": "one row",
    "changed": "one row",
    "meter_statistics": "a row for each meter",
    "ledger_state": "a row for each meter",
    "thinned": "a row for each meter",
    "schema_number": "a row for each version of the schema",
}
"""The tables that do not grow with time, or hardly, and why."""

BIG = set(
    "reading reading_count device_reading device_reading_count equipment_reading_count dirty_quarter quarter"
    " device_quarter epoch outlier"
    " hour_statistics day_statistics row_count peak event".split()
)
"""The tables that grow with time."""

SQLITE = {path.name for path in STORE.glob("sqlite*.py")}
POSTGRES = {path.name for path in STORE.glob("postgres*.py")}

ONE_DIALECT = {
    ("marks.py", "UPDATE OR REPLACE dirty_quarter"): "SQLite's way to number marks; insert_only is asked before",
    ("migrate.py", "PRAGMA user_version"): "each database has a function of its own there",
    ("migrate.py", "BEGIN IMMEDIATE"): "the same",
    ("migrate.py", "SELECT pg_advisory_xact_lock"): "the same",
}
"""The beginnings of statements in shared modules that one database alone is given, and why."""

METER_WRITERS = set("accounts.py joins.py meters.py".split())
"""Who writes the table of meters."""

ALL_METERS = {
    ("ledger.py", "(SELECT DISTINCT meter_id, instant FROM dirty_quarter)"): "how much waits, for /health",
    (
        "marks.py",
        "INSERT INTO dirty_quarter (meter_id, instant) SELECT",
    ): "of one meter, or of all when the rules changed",
    ("ledger.py", "SELECT count(*) FROM {table}"): "how many rows there are, for /health",
    ("tallying.py", "SELECT count(*) FROM {table}"): "the tables that are not summed by meter, in a backup",
    ("copying.py", ""): "everything goes to another database",
    ("postgres_rows.py", ""): "the same",
    ("closing.py", "SELECT instant FROM {table} {where}"): "the condition is a constant that names the meter",
    ("closing.py", "DELETE FROM {table} {where}"): "the same",
}
"""The beginnings of statements on tables that grow which say no meter, and why."""

SHARED_ONLY = {
    r"\b(INSERT|UPDATE) OR \w+": "INSERT OR and UPDATE OR are SQLite's",
    r"\bPRAGMA\b": "PRAGMA is SQLite's",
    r"\bstrftime\b|\bjulianday\b|\bunixepoch\b": "such functions of time are SQLite's",
    r"\blast_insert_rowid\b|\browid\b|\blastrowid\b": "rowids are SQLite's",
    r"\bIS( NOT)? \?": "IS with a value is SQLite's: write IS NOT DISTINCT FROM",
    r"(?<![\w.])(max|min)\s*\((?:[^()]|\([^()]*\))*,": "max and min of two values are SQLite's",
    r"\bpg_\w+|\bjson_to_recordset\b|\bILIKE\b|::\w+|\bARRAY\b|\bgreatest\b|\bleast\b": "that is PostgreSQL's",
    r"\bifnull\b|\btotal\s*\(|\bgroup_concat\b|\bGLOB\b": "that is SQLite's",
}
"""What only one of the databases knows."""

NOWHERE = {
    r"\bCREATE (OR REPLACE )?TRIGGER\b": "triggers do not run where the rows are",
    r"\bFOR (NO KEY )?UPDATE\b|\bFOR (KEY )?SHARE\b": "rows are not locked across a cluster; hold a meter",
    r"\bLATERAL\b": "LATERAL joins are not sent to where the rows are",
    r"\bGROUPING SETS\b|\b(ROLLUP|CUBE)\s*\(": "such groups are not computed where the rows are",
}
"""What a cluster does not do."""

KEYWORD = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE|PRAGMA|WITH RECURSIVE|WHERE)\b")
KEYS = re.compile(r"(\bPRIMARY KEY|\bUNIQUE)\s*(?:\(([^)]*)\))?")
TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)\n\)", re.DOTALL)
UNIQUE_INDEX = re.compile(r"CREATE UNIQUE INDEX \w+ ON (\w+) \(([^)]*)\)")
USED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE(?: OR REPLACE)?|,)\s+(\w+)|\A\W*(\w+)(?= WHERE)")
CHOSEN = re.compile(r"\bmeter_id (= |IN \(\?, \?\))|\bVALUES \(|json_to_recordset|_ROWS\}")
"""A statement says of which meter, or brings rows that say it."""
WRITTEN = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")


@frozen
class Statement:
    """A string that holds SQL, or some of it."""

    file: str
    line: int
    text: str
    """In one line, without comments; what a program fills in is {the expression}."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text[:70]}"


def plain(sql: str) -> str:
    """SQL in one line, without comments."""
    return " ".join(re.sub(r"--.*", "", sql).split())


def statements() -> Iterator[Statement]:
    """All SQL in the modules of the store."""
    for path in sorted(STORE.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in skipped:
                continue
            if isinstance(node, ast.JoinedStr):
                skipped |= {id(part) for part in ast.walk(node)}
                text = "".join(
                    str(part.value) if isinstance(part, ast.Constant) else "{" + _filled_in(part) + "}"
                    for part in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
            else:
                continue
            if KEYWORD.search(text):
                yield Statement(path.name, node.lineno, plain(text))


def _filled_in(part: ast.expr) -> str:
    return ast.unparse(part.value) if isinstance(part, ast.FormattedValue) else ""


def key_faults(schema: str) -> list[str]:
    """What is wrong with the keys of PostgreSQL's schema."""
    faults = []
    tables = [(name, plain(body)) for name, body in TABLE.findall(re.sub(r"--.*", "", schema))]
    for name, body in tables:
        if name in SMALL:
            continue
        if name not in BIG:
            faults.append(f"{name}: is it small, or does it grow with time?")
        keys = [columns for _, columns in KEYS.findall(body)]
        if not keys:
            faults.append(f"{name}: it has no key")
        faults += [f"{name}: {columns}" for columns in keys if not _is_distributed(columns)]
    faults += [f"{name}: {columns}" for name, columns in UNIQUE_INDEX.findall(schema) if not _is_distributed(columns)]
    return faults


def _is_distributed(columns: str) -> bool:
    names = [name.strip() for name in columns.split(",")]
    return names[0] == "meter_id" and "instant" in names


def faults_anywhere(sql: str) -> list[str]:
    """What is in some SQL that no cluster does."""
    return [words for pattern, words in NOWHERE.items() if re.search(pattern, sql)]


def faults(statement: Statement) -> list[str]:
    """What is wrong with a statement."""
    sql = statement.text
    found = faults_anywhere(sql)
    if statement.file in SQLITE:
        return found
    if re.search(r"\bWITH RECURSIVE\b", sql) and "meter_id = " not in sql:
        found.append("what is recursive has to be about one meter")
    if "meter" in WRITTEN.findall(sql) and statement.file not in METER_WRITERS:
        found.append("meters are written elsewhere")
    if _grows(sql) and not CHOSEN.search(sql) and not _is_listed(statement, ALL_METERS):
        found.append("of which meter are the rows?")
    if re.search(r"INSERT INTO reading VALUES", sql):
        found.append("the columns of readings are not in the same order in both databases: name them")
    if statement.file not in POSTGRES and not _is_listed(statement, ONE_DIALECT):
        found += [words for pattern, words in SHARED_ONLY.items() if re.search(pattern, sql, re.IGNORECASE)]
    return found


def _grows(sql: str) -> bool:
    """Whether a statement is about a table that grows, or about one that is filled in."""
    tables = {name for pair in USED.findall(sql) for name in pair}
    return bool(tables & BIG) or re.search(r"\b(FROM|INTO|UPDATE) \{table", sql) is not None


def _is_listed(statement: Statement, exceptions: Mapping[tuple[str, str], str]) -> bool:
    return any(statement.file == file and statement.text.startswith(begin) for file, begin in exceptions)


BAD = {
    "CREATE TRIGGER t AFTER INSERT ON reading": "triggers",
    "SELECT 1 FROM reading WHERE meter_id = ? FOR UPDATE": "locked",
    "SELECT 1 FROM meter, LATERAL (SELECT 1 FROM quarter AS q WHERE q.meter_id = meter.id) AS l": "LATERAL",
    "SELECT instant, sum(delivered_1) FROM quarter WHERE meter_id = ? GROUP BY GROUPING SETS (instant)": "groups",
    "SELECT instant FROM quarter WHERE meter_id = ? GROUP BY ROLLUP (instant)": "groups",
    "WITH RECURSIVE walk (at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM walk) SELECT at FROM walk": "recursive",
    "UPDATE meter SET zone = ?": "meters are written",
    "SELECT count(*) FROM reading WHERE instant > ?": "which meter",
    "SELECT q.instant FROM equipment AS e JOIN device_quarter AS q ON q.equipment_id = e.id": "which meter",
    "SELECT count(*) FROM {table} WHERE instant > ?": "which meter",
    "DELETE FROM outlier": "which meter",
    "INSERT INTO reading VALUES (?, ?)": "columns of readings",
    "INSERT OR IGNORE INTO quarter VALUES (?)": "INSERT OR",
    "UPDATE OR REPLACE quarter SET instant = ? WHERE meter_id = ?": "UPDATE OR",
    "PRAGMA user_version": "PRAGMA",
    "SELECT strftime('%s', instant) FROM quarter WHERE meter_id = ?": "functions of time",
    "SELECT last_insert_rowid() FROM meter": "rowids",
    "SELECT 1 FROM equipment WHERE printed_id IS ?": "IS with a value",
    "SELECT max(instant, coalesce(first_at, 0)) FROM quarter WHERE meter_id = ?": "two values",
    "SELECT instant::text FROM quarter WHERE meter_id = ?": "PostgreSQL's",
    "SELECT greatest(instant, 1) FROM quarter WHERE meter_id = ?": "PostgreSQL's",
    "SELECT ifnull(first_at, 0) FROM quarter WHERE meter_id = ?": "SQLite's",
}
"""Statements that would have to be refused in a module that both databases share, and a word of the reason."""

BAD_KEYS = {
    "CREATE TABLE quarter (\n    meter_id integer, PRIMARY KEY (instant, meter_id)\n);": "quarter: instant, ",
    "CREATE TABLE quarter (\n    meter_id integer, PRIMARY KEY (meter_id)\n);": "quarter: meter_id",
    "CREATE TABLE quarter (\n    id bigint UNIQUE, PRIMARY KEY (meter_id, instant)\n);": "quarter: ",
    "CREATE TABLE quarter (\n    meter_id integer\n);": "no key",
    "CREATE TABLE novelty (\n    meter_id integer, PRIMARY KEY (meter_id, instant)\n);": "is it small",
    "CREATE UNIQUE INDEX quarter_by_id ON quarter (id);": "quarter: id",
}
"""Schemas that would have to be refused, and a word of the reason."""


class SqlTests(SynchronousTestCase):
    """What the store says to its databases."""

    def test_every_statement_is_fit_for_a_cluster_and_for_both_databases(self) -> None:
        """No statement is one that a cluster, or the other database, would refuse or do slowly."""
        self.assertEqual([f"{statement}: {fault}" for statement in statements() for fault in faults(statement)], [])

    def test_the_statements_are_found(self) -> None:
        """There is SQL in all modules that are known for it, so nothing is passed by unread."""
        files = {statement.file for statement in statements()}
        self.assertTrue({"pages.py", "moves.py", "postgres_statements.py", "sqlite_batch.py"} <= files, files)
        self.assertTrue(any("{table}" in statement.text for statement in statements()))

    def test_every_exception_is_needed(self) -> None:
        """An exception whose statement is gone goes, too."""
        for begins in (ONE_DIALECT, ALL_METERS):
            for file, begin in begins:
                self.assertTrue(
                    any(it.file == file and it.text.startswith(begin) for it in statements()), f"{file}: {begin}"
                )

    def test_bad_statements_are_refused(self) -> None:
        """Each rule refuses what it is about."""
        for sql, word in BAD.items():
            found = faults(Statement("shared.py", 1, sql))
            self.assertTrue(any(word in fault for fault in found), f"{sql}: {found}")

    def test_good_statements_are_taken(self) -> None:
        """What looks like a fault and is none is let pass."""
        for file, sql in (
            ("shared.py", "SELECT max(instant), min(instant) FROM quarter WHERE meter_id = ?"),
            ("shared.py", "SELECT 1 FROM equipment WHERE printed_id IS NULL AND channel IS NOT DISTINCT FROM ?"),
            ("shared.py", "SELECT d.id FROM device_reading AS d INDEXED BY device_reading_by_id WHERE d.meter_id = ?"),
            ("sqlite_batch.py", "INSERT OR IGNORE INTO meter_statistics VALUES (max(?, ?))"),
            ("postgres_batch.py", "SELECT greatest(1, 2)::text"),
            ("meters.py", "UPDATE meter SET name = ? WHERE id = ?"),
        ):
            self.assertEqual(faults(Statement(file, 1, sql)), [], sql)


class SchemaTests(SynchronousTestCase):
    """PostgreSQL's tables."""

    def test_keys_begin_with_the_meter_and_contain_the_instant(self) -> None:
        """Every unique key of a table that grows does, so that it can be distributed and partitioned as it is."""
        for path in sorted((STORE / "sql" / "postgresql").glob("*.sql")):
            self.assertEqual(key_faults(path.read_text("utf-8")), [], path.name)

    def test_bad_keys_are_refused(self) -> None:
        """Each rule about keys refuses what it is about."""
        for schema, word in BAD_KEYS.items():
            self.assertTrue(any(word in fault for fault in key_faults(schema)), schema)

    def test_every_table_is_listed(self) -> None:
        """Each table is known as small or as growing, and none is listed that is not there."""
        schemas = "".join(path.read_text("utf-8") for path in (STORE / "sql" / "postgresql").glob("*.sql"))
        made = {name for name, _ in TABLE.findall(schemas)} | {"schema_number"}
        self.assertEqual(made ^ (set(SMALL) | BIG), set())

    def test_no_schema_has_what_a_cluster_lacks(self) -> None:
        """No trigger, no foreign key: of a table that is distributed neither can be relied on."""
        for path in sorted((STORE / "sql" / "postgresql").glob("*.sql")):
            sql = plain(path.read_text("utf-8"))
            self.assertEqual(faults_anywhere(sql), [], path.name)
            self.assertNotIn(" REFERENCES ", sql, path.name)
