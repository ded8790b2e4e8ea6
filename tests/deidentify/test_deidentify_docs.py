"""The reference of de-identification names what the program has: nothing is missing, nothing is made up."""

import dataclasses
import re
from pathlib import Path

from deidentify.tables import table_of
from epilock.deidentify.criteria import metric
from epilock.deidentify.release import config as configuration
from epilock.deidentify.release.run import deidentify
from epilock.deidentify.rules.kinds import KINDS

PAGE = Path(__file__).parents[2] / "docs/reference/deidentify.md"


def rows(title):
    """The cells of the table below ``title``, which begin with a name in backquotes."""
    section = PAGE.read_text("utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def fields(kind):
    return {field.name for field in dataclasses.fields(kind)}


def test_every_key_and_its_default():
    found = {names(row[0])[0]: row[1] for row in rows("Configuration")}
    assert tuple(found) == configuration.KEYS
    defaults = {f.name: f.default for f in dataclasses.fields(configuration.Config)}
    for key, told in found.items():
        if names(told):
            assert names(told) == [str(defaults[key])]


def test_every_model_and_its_parameters():
    found = {names(row[0])[0]: set(names(row[1])) for row in rows("Models")}
    assert found == {kind: fields(model) for kind, model in configuration.MODELS.items()}


def test_every_metric():
    assert tuple(names(row[0])[0] for row in rows("Metrics")) == metric.NAMES


def test_every_rule_and_its_keys():
    found = {names(row[0])[0]: set(names(row[1])) for row in rows("Rules")}
    assert found == {kind: fields(rule) for kind, rule in KINDS.items()}


def test_every_key_of_json_in_its_order():
    wanted = configuration.parse(
        {"quasi_identifiers": ["q"], "models": [{"kind": "k-anonymity", "k": 1}]}, Path()
    )
    result = deidentify(table_of({"q": ["a"]}), wanted)
    assert [names(row[0])[0] for row in rows("JSON")] == list(result.to_json())
