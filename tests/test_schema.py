"""Shards: every table can be cut by organisation, for its keys lead with it; the log's are cut by log."""

import pytest
import sqlalchemy as sa

import epilock.tables  # noqa: F401 - every room, and with them every table
from epilock import migrate
from epilock.db import key_metadata, metadata, open_engine

BY_LOG = "one log has entries of all organisations in one order: that order is what it proves"
ELSEWHERE = dict.fromkeys(
    (
        "ledger_head", "ledger_entries", "ledger_tiles", "ledger_checkpoints", "log_keys",
        "ledger_anchors", "ledger_anchor_stamps", "ledger_anchor_tries",
        "witness_cosignatures", "witness_policies", "witness_shown", "witness_states",
    ), BY_LOG,
)  # fmt: skip
UNIQUE = {
    ("organisations", ("serial",)): "the number of an organisation in receipt codes, given once",
    ("ledger_head", ("origin",)): BY_LOG,
}
INDEXES = {
    "aggregates_grant": "found by the organisation that asked",
    "emergency_openings_due": "found by the organisation that opened",
    "releases_grant": "found by the organisation that asked",
    "searches_grant": "found by the organisation that looked",
}


@pytest.fixture(scope="module", params=["main", "keys"])
def catalogue(request, tmp_path_factory):
    """What the database itself says after all migrations."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('schema')}/{request.param}.sqlite")
    migrate.upgrade(engine, request.param)
    yield sa.inspect(engine), metadata if request.param == "main" else key_metadata
    engine.dispose()


def tables(catalogue):
    found = set(catalogue[0].get_table_names()) - {"alembic_version"}
    assert found == {t.name for t in catalogue[1].sorted_tables if t.name[:5] != "test_"}
    return sorted(found)


def test_every_primary_key_leads_with_the_organisation(catalogue):
    for table in tables(catalogue):
        key = catalogue[0].get_pk_constraint(table)["constrained_columns"]
        wanted = "log" if table in ELSEWHERE else "org"
        assert key[0] == wanted, f"{table}: {key}"


def test_every_unique_constraint_does(catalogue):
    for table in tables(catalogue):
        for each in catalogue[0].get_unique_constraints(table):
            columns = tuple(each["column_names"])
            assert columns[0] == "org" or (table, columns) in UNIQUE, f"{table}: {columns}"


def test_every_foreign_key_does(catalogue):
    """There is none: rows of a shard refer to each other by keys that lead with the organisation."""
    for table in tables(catalogue):
        for each in catalogue[0].get_foreign_keys(table):
            assert each["constrained_columns"][0] == each["referred_columns"][0] == "org"


def test_every_index_does(catalogue):
    for table in tables(catalogue):
        for each in catalogue[0].get_indexes(table):
            first = each["column_names"][0]
            wanted = "log" if table in ELSEWHERE else "org"
            unique = (table, tuple(each["column_names"])) in UNIQUE
            assert first == wanted or unique or (first == "by_org" and each["name"] in INDEXES), (
                each
            )


def test_no_exception_is_stale(catalogue):
    known = set(tables(catalogue))
    if "records" in known:
        assert ELSEWHERE.keys() <= known
        found = {i["name"] for t in known for i in catalogue[0].get_indexes(t)}
        assert INDEXES.keys() <= found
