"""The databases as their owner sees them: the schema, and who has which rights.

The owner's addresses are given here and in no setting, for nobody serves as the owner; a password belongs in
``~/.pgpass``.
"""

from typing import Annotated

import typer

import epilock.tables  # noqa: F401 - every room, and with them every table
from epilock import migrate, roles, settings
from epilock.db import open_engine
from epilock.errors import InputError
from epilock.migrate import Which

app = typer.Typer(no_args_is_help=True, help="Schema and rights of the databases, as their owner.")

Main = Annotated[
    str | None,
    typer.Option(
        "--main", help="Address of the main database, signed in as its owner.", show_default=False
    ),
]
Keys = Annotated[
    str | None,
    typer.Option(
        "--keys", help="Address of the key database, signed in as its owner.", show_default=False
    ),
]
App = Annotated[str, typer.Option("--app", help="Role that serves.")]
Watch = Annotated[str, typer.Option("--watch", help="Role that watches.")]


@app.command("roles")
def print_roles(
    which: Annotated[str, typer.Argument(metavar="main|keys", help="Which database.")],
    *,
    schema: Annotated[str, typer.Option(help="Schema of the tables.")] = "public",
    app_role: App = roles.APP,
    watch_role: Watch = roles.WATCH,
) -> None:
    """Print the SQL that gives a role to each task, for PostgreSQL; the owner reads it and runs it."""
    if which not in {"main", "keys"}:
        raise InputError("the databases are main and keys")
    chosen: Which = "main" if which == "main" else "keys"
    for statement in roles.statements(chosen, schema=schema, app=app_role, watch=watch_role):
        print(f"{statement};")


@app.command("migrate")
def migrate_as_owner(
    *,
    main: Main = None,
    keys: Keys = None,
    app_role: App = roles.APP,
    watch_role: Watch = roles.WATCH,
) -> None:
    """Bring the schemas up to date as their owner, and give the roles their rights anew."""
    addresses: dict[Which, str | None] = {"main": main, "keys": keys}
    wanted = {which: url for which, url in addresses.items() if url is not None}
    if not wanted:
        raise InputError("give the owner's address of a database: --main or --keys")
    for which, url in wanted.items():
        engine = open_engine(settings.check_database(url, f"--{which}"))
        if engine.dialect.name != "postgresql":
            raise InputError("SQLite has no roles, and is migrated by the program at its start")
        migrate.upgrade(engine, which)
        with engine.connect() as conn, conn.begin():
            schema = str(conn.exec_driver_sql("SELECT current_schema()").scalar())
            for statement in roles.statements(which, schema=schema, app=app_role, watch=watch_role):
                conn.exec_driver_sql(statement)
        engine.dispose()
        print(f"the {which} database is up to date; {app_role} serves, {watch_role} watches")
