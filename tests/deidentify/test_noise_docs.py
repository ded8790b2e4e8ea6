"""What the pages about de-identification show is what happens."""

import dataclasses
import doctest
import math
import re
from decimal import Decimal
from pathlib import Path

import pytest

from epilock.deidentify.cells import publication
from epilock.deidentify.noise import asked
from epilock.deidentify.noise.answer import preview
from epilock.deidentify.noise.query import MICRO, Count, Request
from epilock.deidentify.pseudonyms import pseudonym

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"```pycon\n(.*?)```", re.DOTALL)
PAGES = ["reference/noise.md", "reference/pseudonyms.md", "reference/small-cells.md"]
EPSILON = (DOCS / "explanation/epsilon.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_examples_run(page):
    text = "\n".join(BLOCK.findall((DOCS / page).read_text("utf-8")))
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    told = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test, out=told.append)
    assert runner.tries > 0
    assert runner.failures == 0, "".join(told)


def test_every_key_of_the_files_is_told():
    told = {
        page: {
            name
            for cell in re.findall(r"^\| (`[^|]+) \|", text, re.MULTILINE)
            for name in re.findall(r"`([^`]+)`", cell)
        }
        for page in PAGES
        for text in [(DOCS / page).read_text("utf-8")]
    }
    fields = {field.name for kind in asked.KINDS.values() for field in dataclasses.fields(kind)}
    assert told["reference/noise.md"] >= {*asked.KEYS, *asked.PRICES, *fields, "name", "kind"}
    wanted = {field.name for field in dataclasses.fields(publication.Wanted)}
    assert told["reference/small-cells.md"] >= wanted
    kinds = set(re.findall(r"`([a-z-]+)`", (DOCS / PAGES[1]).read_text("utf-8")))
    assert kinds >= pseudonym.KINDS.keys()


@pytest.mark.parametrize(
    ("epsilon", "off"), re.findall(r"^\| ([0-9.]+) \| ([0-9]+) \|$", EPSILON, re.MULTILINE)
)
def test_errors_that_are_told_to_people(epsilon, off):
    micro = int(Decimal(epsilon) * MICRO)
    stated = preview(Request(query=Count(), epsilon=micro)).within
    assert abs(stated - int(off)) <= 1
    assert stated <= int(off)


@pytest.mark.parametrize(
    ("epsilon", "belief"), re.findall(r"^\| ([0-9.]+) \| ([0-9]+) of 100 \|", EPSILON, re.MULTILINE)
)
def test_beliefs_that_are_told_to_people(epsilon, belief):
    """From even odds Bayes' rule leads to at most 1 / (1 + exp(-epsilon))."""
    most = 100 / (1 + math.exp(-float(epsilon)))
    assert math.floor(most) <= int(belief) <= math.ceil(most)
