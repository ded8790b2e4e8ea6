"""Roles in PostgreSQL: who owns the tables, who works with them, who reads one organisation, who watches.

One account for everything may drop everything. With the SQL of this file there are these, in each database:

=================  ===================================================================================
owner              makes and migrates the tables (``epilock database migrate``); nobody serves as it
``epilock_app``    serves: reads, inserts, and changes or deletes rows only where the program does so;
                   no table can it drop, truncate or alter, no record can it delete
``epilock_one``    nobody signs in as it: a transaction that is about one organisation steps down to it
                   (``Database.read``), and then row-level security shows that organisation's rows alone
``epilock_watch``  reads everything and changes nothing (``epilock watch --without-keys``)
=================  ===================================================================================

Rules kept in this file:
  1. A table that is not named in ``DELETED`` or ``UNCHANGED`` can be changed and not deleted from; a new one
     thus has few rights until somebody thinks of it, and the tests of a whole life fail.
  2. What every organisation may read of every other stands in ``SHARED``, each with its reason. All other
     tables with an organisation have a policy; tables without one are the log's, which is public.
  3. The SQL can be run again and again; it is run after each migration.
"""

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import sqlalchemy as sa

from epilock.db import ONE, SETTING, key_metadata, metadata
from epilock.errors import InputError
from epilock.migrate import Which

APP, WATCH = "epilock_app", "epilock_watch"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")

DELETED = frozenset(
    {
        "parts", "tags", "release_lines", "release_files", "paper_photographs", "photographed", "study_ends", "witness_cosignatures",
        "sessions", "rates", "passkeys", "challenges", "recovery_codes", "proofs", "arrivals", "offline_arrivals", "providers", "provider_links",
        "seeds", "part_keys", "tag_keys", "service_accounts", "service_counted", "service_announced", "service_signed",
        "service_grants", "service_opened", "service_parts",
    }
)  # fmt: skip
"""From which the program deletes rows."""

UNCHANGED = frozenset({"ledger_entries", "ledger_checkpoints", "openings", "parts"})
"""Whose rows are inserted and never changed."""

SHARED: Mapping[str, str] = MappingProxyType(
    {
        "organisations": "who collects and who stands above whom is public",
        "emergencies": "declared by an authority for others",
        "levels": "set by an authority for others",
        "mandates": "an authority's order lets others collect",
        "assessments": "those of an organisation above count below it",
        "agreements": "they concern two organisations",
        "freezes": "of the whole installation",
    }
)


def statements(which: Which, *, schema: str, app: str = APP, watch: str = WATCH) -> Iterator[str]:
    """Yield the SQL for one database, to be run by its owner, who may make roles.

    Raises:
        InputError: A name is no plain one.
    """
    for name in (schema, app, watch):
        if not _NAME.fullmatch(name):
            raise InputError(
                "roles and schema are named by small letters, digits and _, such as epilock_app"
            )
    tables = (metadata if which == "main" else key_metadata).sorted_tables
    yield from (
        _role(name, can)
        for name, can in ((app, "LOGIN BYPASSRLS"), (watch, "LOGIN BYPASSRLS"), (ONE, "NOLOGIN"))
    )
    yield f"GRANT {ONE} TO {app}"
    yield f"REVOKE ALL ON SCHEMA {schema} FROM PUBLIC"
    yield f"REVOKE CREATE ON SCHEMA {schema} FROM {app}, {watch}, {ONE}"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {app}, {watch}" + (
        f", {ONE}" if which == "main" else ""
    )
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM PUBLIC, {app}, {watch}, {ONE}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {app}, {watch}"
    for table in tables:
        name = f"{schema}.{table.name}"
        yield f"GRANT {', '.join(_rights(table.name))} ON {name} TO {app}"
        if which == "main":
            yield from _policy(table, name)


def _role(name: str, can: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN"
        f" CREATE ROLE {name} {can}; END IF; END $$"
    )


def _rights(table: str) -> list[str]:
    rights = ["INSERT"]
    if table not in UNCHANGED:
        rights.append("UPDATE")
    if table in DELETED:
        rights.append("DELETE")
    return rights


def _policy(table: sa.Table, name: str) -> Iterator[str]:
    """Let ``epilock_one`` read a table: the rows of its organisation, or all of a shared one or the log's."""
    yield f"GRANT SELECT ON {name} TO {ONE}"
    yield f"DROP POLICY IF EXISTS epilock_org ON {name}"
    if "org" not in table.columns or table.name in SHARED:
        yield f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY"
        return
    yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
    yield (
        f"CREATE POLICY epilock_org ON {name} FOR SELECT TO {ONE}"
        f" USING (org = current_setting('{SETTING}', true))"
    )
