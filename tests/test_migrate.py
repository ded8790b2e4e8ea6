"""The schema that migrations make is the one that the code declares, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

import epilock.tables  # noqa: F401 - every room, and with them every table
from epilock.db import key_metadata, metadata, open_engine
from epilock.errors import StateError
from epilock.migrate import upgrade


@pytest.mark.parametrize(("which", "wanted"), [("main", metadata), ("keys", key_metadata)])
def test_no_table_or_column_is_missing(empty_url, which, wanted):
    engine = open_engine(empty_url[which == "keys"])
    upgrade(engine, which)
    upgrade(engine, which)
    with engine.connect() as conn:
        found = compare_metadata(MigrationContext.configure(conn), wanted)
    engine.dispose()
    assert [d for d in found if "test_" not in repr(d)] == []


def test_a_later_schema_is_refused(empty_url):
    engine = open_engine(empty_url[0])
    upgrade(engine, "main")
    with engine.connect() as conn, conn.begin():
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StateError, match="later version"):
        upgrade(engine, "main")
    engine.dispose()
