"""An installation in which things have happened, on either database, and its watcher.

It is lived once; each test gets a copy.
"""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from around import Watched

from epilock import assemble, settings
from epilock.collect import issue, point
from epilock.demo import city, life
from epilock.demo.people import people


def lived(told):
    """Make an installation with a destroyed bucket and one that lives."""
    life.live(told, lambda _line: None)
    now = datetime(2026, 5, 13, 1, tzinfo=UTC)
    parts = assemble.build(told, now=lambda: now)
    with parts.database.read() as tx:
        found, issued = issue.in_force(
            tx, "sunny-garden", point.listing(tx, "sunny-garden")[0].point
        )
    form, today = issue.form_of(parts.standard, found, issued), now.date()
    for number, person in enumerate(people(5, seed=3, today=today)):
        parts.writer.submit(form.accept(city.fill(form, person, number), today=today)).result(30)
    parts.close()


@pytest.fixture(scope="session")
def on_files(tmp_path_factory):
    home = tmp_path_factory.mktemp("lived") / "home"
    lived(settings.read({}, home=home))
    return home


@pytest.fixture(scope="session")
def on_server(tmp_path_factory, postgres):
    """Home and name of the databases; a database is copied by its name."""
    home, name = tmp_path_factory.mktemp("lived") / "home", f"w{os.urandom(6).hex()}"
    for each in (name, f"{name}_keys"):
        run(postgres, f"CREATE DATABASE {each}")
    lived(settings.read(addresses(postgres, name), home=home))
    return home, name


def addresses(server, name):
    base = server.rpartition("/")[0]
    return {
        "EPILOCK_DATABASE": f"{base}/{name}", "EPILOCK_KEY_DATABASE": f"{base}/{name}_keys"
    }  # fmt: skip


def run(server, text):
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(sa.text(text))
    admin.dispose()


@pytest.fixture
def watched(request, tmp_path, clock):
    """A copy on SQLite; on PostgreSQL, where that takes seconds, for the tests that ask for it."""
    clock.instant = datetime(2026, 5, 13, 1, tzinfo=UTC) + timedelta(minutes=5)
    home, environ, made = tmp_path / "home", {}, []
    if getattr(request, "param", "sqlite") == "sqlite":
        shutil.copytree(request.getfixturevalue("on_files"), home)
    else:
        server, (old, template) = (
            request.getfixturevalue("postgres"),
            request.getfixturevalue("on_server"),
        )
        name = f"w{os.urandom(6).hex()}"
        shutil.copytree(old, home)
        environ, made = addresses(server, name), [name, f"{name}_keys"]
        for each, source in zip(made, (template, f"{template}_keys"), strict=True):
            run(server, f"CREATE DATABASE {each} TEMPLATE {source}")
    parts = assemble.build(settings.read(environ, home=home), now=clock)
    yield Watched(parts)
    parts.close()
    for each in made:
        run(server, f"DROP DATABASE {each} WITH (FORCE)")
