"""Small made-up tables with hierarchies, for properties; and the Adult table of the shared data."""

import csv
import json
from pathlib import Path

import pyarrow as pa
from hypothesis import settings
from hypothesis import strategies as st

from epilock.deidentify.criteria import metric, model
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows import counting, hierarchy
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.rows.recoding import FullDomain
from epilock.deidentify.search import optimum

FEW = settings(max_examples=40)
ADULT = Path(__file__).parents[2].parent / "shared/data/adult"
ATTRIBUTES = (
    "sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation",
    "salary-class",
)  # fmt: skip
MODELS = {
    "k-anonymity": model.KAnonymity, "k-map": model.KMap, "strict-risk": model.StrictRisk,
    "delta-presence": model.DeltaPresence, "distinct-l-diversity": model.DistinctLDiversity,
    "entropy-l-diversity": model.EntropyLDiversity, "recursive-l-diversity": model.RecursiveLDiversity,
    "t-closeness": model.TCloseness, "average-risk": model.AverageRisk,
    "population-uniqueness": model.PopulationUniqueness,
}  # fmt: skip


def table_of(columns):
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def made(models):
    """The engine's models of a list like the configuration's."""
    return [MODELS[m["kind"]](**{k: v for k, v in m.items() if k != "kind"}) for m in models]


def searched(table, hierarchies, models, name, limit, *, sensitive=None, sensitive_rows=None,
             population=None, weights=None):  # fmt: skip
    """The engine's optimum of a small table; hierarchies are lists of rows by attribute."""
    packing = Packing.of([Hierarchy.from_rows(a, rows) for a, rows in hierarchies.items()])
    columns = counting.Columns(packing, (sensitive,) if sensitive else ())
    counted = counting.count(
        table.to_batches(),
        columns,
        population=None if population is None else population.to_batches(),
    )
    known = {sensitive: Hierarchy.from_rows(sensitive, sensitive_rows)} if sensitive_rows else {}
    judge = Judge.of(made(models), counted, columns.sensitive, known)
    prepared = metric.prepare(name, counted.classes, weights)
    return optimum.search(counted.classes, judge, prepared, limit=limit)


@st.composite
def hierarchies(draw, prefix="v", values=4, levels=3):
    """Rows of a hierarchy: levels merge neighbours, the last is ``*``."""
    many = draw(st.integers(2, values))
    groups = list(range(many))
    columns = [[f"{prefix}{i}" for i in range(many)]]
    for level in range(1, draw(st.integers(1, levels))):
        merged = {
            g: draw(st.integers(0, max(0, len(set(groups)) - 1))) for g in sorted(set(groups))
        }
        groups = [merged[g] for g in groups]
        columns.append([f"L{level}-{g}" for g in groups])
    columns.append(["*"] * many)
    return [list(row) for row in zip(*columns, strict=True)]


def adult():
    with (ADULT / "adult.csv").open(encoding="utf-8") as file:
        head, *rows = csv.reader(file, delimiter=";")
    return table_of({name: [row[i] for row in rows] for i, name in enumerate(head)})


def adult_hierarchy(attribute):
    return hierarchy.read(ADULT / f"adult_hierarchy_{attribute}.csv", attribute)


def released_adult(table, attributes, *, k, kept=(), name="loss", scored=False):
    """The release of Adult that loses least at k and 5 % suppression; or what it loses."""
    columns = counting.Columns(Packing.of([adult_hierarchy(a) for a in attributes]))
    counted = counting.count(table.to_batches(), columns)
    judge = Judge.of([model.KAnonymity(k)], counted)
    prepared = metric.prepare(name, counted.classes)
    limit = int(0.05 * table.num_rows)
    found = optimum.search(counted.classes, judge, prepared, limit=limit)
    if scored:
        return found.score
    node = counted.classes.rolled_up(found.levels)
    recoding = FullDomain.of(columns, node, judge.judge(node)[0], kept)
    return pa.Table.from_batches([recoding.recode(batch, 0) for batch in table.to_batches()])


def cases_of_arx():
    """What ARX found on Adult."""
    return json.loads((ADULT / "arx-golden.json").read_text())["cases"]
