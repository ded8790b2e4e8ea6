"""A form to take away asks nothing that may not be asked, whoever reads it."""

import io
import tomllib

import openpyxl
import pytest

from epilock.collect import point, template
from epilock.collect.design import read_design
from epilock.errors import InputError, RefusedError
from epilock.standard import load
from epilock.standard.judge import ALLOWED, judge

WRITERS = {
    "zh.csv": lambda form: template.as_csv(form, "zh"),
    "en.csv": lambda form: template.as_csv(form, "en"),
    "form.xlsx": lambda form: template.as_xlsform(form, "zh"),
    "point.toml": lambda form: template.as_toml(form, "jinan/outbreak-7"),
}


def every_form() -> list[tuple[str, str, template.Template]]:
    """Return the fullest form of each circumstance at each level that allows one."""
    standard = load()
    found = []
    for where in standard.circumstances.values():
        for level in standard.levels:
            may = [c for c in where.allows if standard.ask(where.code, c, level).allowed]
            if may:
                found.append(
                    (where.code, level, template.template(standard, where.code, level, may))
                )
    return found


@pytest.mark.parametrize("name", WRITERS)
def test_the_standard_allows_all_that_it_asks(name):
    """Written, read back as a stranger's form and judged: the same categories, none refused or unknown."""
    standard = load()
    for circumstance, level, form in every_form():
        fields = read_design(WRITERS[name](form), name).fields
        found = judge(standard, fields, circumstance, level)
        assert {j.verdict for j in found} == {ALLOWED}, (circumstance, level)
        assert [j.category for j in found] == [f.category for f in form.fields]


def test_the_toml_opens_a_point():
    (form,) = [f for c, at, f in every_form() if (c, at) == ("staffing", "II")]
    plan = point.parse(tomllib.loads(template.as_toml(form, "jinan/outbreak-7").decode()))
    assert (plan.emergency, plan.circumstance) == ("jinan/outbreak-7", "staffing")
    assert plan.fields == form.fields


def test_the_xlsform_is_one_for_odk():
    """Its sheets, its languages, its lists: what xlsform.org asks for."""
    (form,) = [f for c, at, f in every_form() if (c, at) == ("casualties-missing", "II")]
    book = openpyxl.load_workbook(io.BytesIO(template.as_xlsform(form, "zh")))
    assert book.sheetnames == ["survey", "choices", "settings"]
    rows = list(book["survey"].values)
    assert rows[0] == ("type", "name", "label::中文 (zh)", "label::English (en)", "required")
    listed = {kind.split()[1] for kind, *_ in rows[1:] if kind.startswith("select_one ")}
    assert listed
    assert {row[0] for row in list(book["choices"].values)[1:]} == listed
    assert list(book["settings"].values)[1][2] == "中文 (zh)"


def test_what_may_not_be_asked_is_refused_with_its_rule():
    with pytest.raises(RefusedError) as refused:
        template.template(load(), "residential-entry", "II", ["identity.resident-id"])
    assert refused.value.rule == "never/residential-entry/identity.resident-id"


@pytest.mark.parametrize(("where", "what"), [("nowhere", ["identity.name"]), ("school", [])])
def test_nowhere_and_nothing_are_no_form(where, what):
    with pytest.raises(InputError):
        template.template(load(), where, "II", what)
