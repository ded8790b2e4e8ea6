"""What the reference says is what the program has: nothing is missing, nothing is made up."""

import importlib
import inspect
import pkgutil
import re
import tomllib

import pytest
from follow import DOCS

import epilock
from epilock import errors, settings
from epilock.accounts import staff
from epilock.cli import failure
from epilock.cli import reference as commands
from epilock.db import key_metadata, metadata
from epilock.web import problem
from epilock.web import reference as addresses
from epilock.web.console.desk import RIGHTS

REFERENCE = DOCS / "reference"


def rows(page):
    """Return the cells of each row of the page's tables that begins with a name in backquotes."""
    lines = (REFERENCE / page).read_text("utf-8").splitlines()
    found = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [cells for cells in found if cells and re.fullmatch(r"`[^`]+`", cells[0])]


def names(page):
    return [cells[0].strip("`") for cells in rows(page)]


@pytest.mark.parametrize(
    ("page", "made"), [("cli.md", commands.page), ("http-api.md", addresses.page)]
)
def test_a_page_that_the_program_prints(page, made):
    """Made anew by ``make docs``."""
    assert (REFERENCE / page).read_text("utf-8") == made()


def test_every_setting():
    assert names("settings.md") == list(settings.VARIABLES)


KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, errors.EpilockError)
}
MORE = {
    errors.BoxError: {"problems": []},
    errors.RateError: {"wait": 1},
    errors.BusyError: {"wait": 1},
    errors.OutageError: {"wait": 1},
    errors.OldSizeError: {"size": 1},
}


class TestErrors:
    def test_every_class(self):
        assert names("errors.md") == list(KINDS)

    @pytest.mark.parametrize("cells", rows("errors.md"), ids=lambda cells: cells[0])
    def test_what_each_is_answered_with(self, cells):
        name, slug, status, code, means, advice = (cell.strip("`") for cell in cells)
        kind = KINDS[name]
        empty = kind in {errors.FieldsError, errors.ConsentError}
        answered = problem.of(kind([] if empty else "why", **MORE.get(kind, {})))
        assert (slug, int(status)) == (answered.slug, answered.status)
        nearest = next(failure.EXIT[k] for k in kind.__mro__ if k in failure.EXIT)
        assert int(code) == nearest
        assert means
        assert advice


def test_every_dependency_has_its_reason_and_licence():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    told = (REFERENCE / "dependencies.md").read_text().split("\n## ")[1:]
    wanted = [project["dependencies"], *project["optional-dependencies"].values()]
    assert len(told) == len(wanted)
    for section, packages in zip(told, wanted, strict=True):
        cells = re.findall(r"^\| ([a-z0-9-]+) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
        listed = [name for name, why, licence in cells if why.strip() and licence.strip()]
        assert [n for n in listed if n != "package"] == sorted(
            re.match(r"[A-Za-z0-9-]+", each)[0] for each in packages
        )


def test_every_table():
    for module in pkgutil.walk_packages(epilock.__path__, "epilock."):
        if "migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    tables = {t.name: t for meta in (metadata, key_metadata) for t in meta.tables.values()}
    tables = {name: t for name, t in tables.items() if not name.startswith("test")}
    told = {cells[0].strip("`"): cells[1] for cells in rows("tables.md")}
    assert told == {name: "yes" if "mac" in t.columns else "no" for name, t in tables.items()}


def test_every_role_and_its_parts_of_the_console():
    told = {cells[0].strip("`"): set(cells[1].split(", ")) for cells in rows("roles.md")}
    assert told == {
        role: {part for part, roles in RIGHTS.items() if role in roles} or {"none"}
        for role in staff.ROLES
    }
