"""A configuration is what it says, or an error; the models that it asks for are measured on the release."""

import contextlib
import csv
import io
import string
from collections import Counter
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify import oracle
from deidentify.tables import ADULT, ATTRIBUTES, hierarchies, table_of
from epilock.deidentify import table as tables
from epilock.deidentify.criteria import population as people
from epilock.deidentify.criteria.measured import MEASURES
from epilock.deidentify.release import config as configuration
from epilock.deidentify.release.run import deidentify
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.writing import written
from epilock.errors import InputError, UnattainableError

HERE = Path()
SENSITIVE = [["1", "low", "*"], ["2", "low", "*"], ["3", "high", "*"], ["4", "high", "*"]]
ORDER = {"rule": "order", "values": list("1234"), "widths": [2]}
K = {"kind": "k-anonymity", "k": 2}


def parsed(**given):
    return configuration.parse({"quasi_identifiers": ["q0"], "models": [K]} | given, HERE)


class TestConfig:
    def test_defaults(self):
        found = parsed()
        assert (found.suppression_limit, found.metric, found.search, found.keep) == (
            0,
            "loss",
            "optimal",
            (),
        )

    def test_every_key_is_read(self):
        assert set(configuration.KEYS) == set(configuration.Config.__dataclass_fields__)

    def test_the_directory_of_adult(self):
        """Each attribute finds its own file, also where one's name ends as another's."""
        found = parsed(quasi_identifiers=list(ATTRIBUTES), hierarchies=str(ADULT))
        assert {name: path.name for name, path in found.hierarchies.items()} == {
            name: f"adult_hierarchy_{name}.csv" for name in ATTRIBUTES
        }

    def test_a_sensitive_attribute_of_a_directory(self):
        """It is looked for there only if its distance can use it."""
        model = {"kind": "t-closeness", "attribute": "occupation", "t": 0.2}
        for distance, there in (("equal", False), ("ordered", True), ("hierarchical", True)):
            found = parsed(
                quasi_identifiers=["sex"],
                hierarchies=str(ADULT),
                models=[model | {"distance": distance}],
            )
            assert ("occupation" in found.hierarchies) is there

    def test_every_model_has_a_measure(self):
        assert set(MEASURES) == set(configuration.MODELS)

    @settings(max_examples=200)
    @given(
        st.dictionaries(
            st.sampled_from(configuration.KEYS) | st.text(max_size=5),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
                | st.sampled_from(["k-anonymity", "interval", "loss", "age"]),
                lambda inner: st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["kind", "k", "rule", "age", "widths"]) | st.text(max_size=3), inner, max_size=3),
                max_leaves=8,
            ),
            max_size=6,
        )
    )  # fmt: skip
    def test_whatever_is_given_is_read_or_refused(self, given):
        """No other error comes out."""
        with contextlib.suppress(InputError):
            configuration.parse({"quasi_identifiers": ["age"], "models": [K]} | given, HERE)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
of_sheets = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cn"]) | st.sampled_from("\t\n\r <>&\"'="), min_size=1, max_size=8
)  # fmt: skip


class TestFiles:
    @settings(max_examples=60)
    @given(rows=st.lists(st.tuples(of_sheets, of_sheets), min_size=1, max_size=8))
    def test_what_a_sheet_can_hold_is_read_again(self, rows, tmp_path_factory):
        """By our reader and by openpyxl; what begins with = is a text there too."""
        path = tmp_path_factory.mktemp("sheet") / "t.xlsx"
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        made = pa.Table.from_arrays(columns, ["a", "b"])
        with written(path, made.schema, tables.InMemory(made), replace=False) as writer:
            for batch in made.to_batches():
                writer.write(batch)
        found = pa.Table.from_batches(tables.open_table(path).batches(["a", "b"]))
        assert found.to_pydict() == made.to_pydict()
        sheet = openpyxl.load_workbook(path).active
        assert [tuple(cell.value for cell in row) for row in sheet.iter_rows(min_row=2)] == rows
        assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s"}

    @settings(max_examples=100)
    @given(
        rows=st.lists(st.tuples(text, text, text), min_size=1, max_size=8),
        suffix=st.sampled_from([".csv", ".tsv", ".parquet"]),
    )
    def test_whatever_is_written_is_read_again(self, rows, suffix, tmp_path_factory):
        """Every text comes back as it was, by our reader and by Python's own."""
        folder = tmp_path_factory.mktemp("rows")
        path = folder / f"t{suffix}"
        made = pa.Table.from_arrays(
            [pa.array(c, pa.string()) for c in zip(*rows, strict=True)], ["a", "b c", "d"]
        )
        with written(path, made.schema, tables.InMemory(made), replace=False) as writer:
            for batch in made.to_batches():
                writer.write(batch)
        table = tables.open_table(path)
        found = pa.Table.from_batches(table.batches(made.column_names))
        assert found.to_pydict() == made.to_pydict()
        if suffix in {".csv", ".tsv"}:
            content = path.read_bytes().decode()
            reader = csv.reader(
                io.StringIO(content, newline=""), delimiter="," if suffix == ".csv" else "\t"
            )
            assert [tuple(row) for row in reader][1:] == rows
        assert [p.name for p in folder.iterdir()] == [path.name]

    @settings(max_examples=150)
    @given(
        data=st.binary(max_size=200)
        | st.text(string.printable + '";,济', max_size=80).map(str.encode)
    )
    def test_whatever_octets_a_file_has(self, data, tmp_path_factory):
        """It is read as a table or refused; no other error comes out."""
        path = tmp_path_factory.mktemp("octets") / "t.csv"
        path.write_bytes(data)
        with contextlib.suppress(InputError):
            table = tables.open_table(path)
            for batch in table.batches(table.schema.names):
                assert batch.num_columns


MODELS = [
    {"kind": "k-anonymity", "k": 2}, {"kind": "strict-risk", "threshold": 0.5},
    {"kind": "strict-risk", "threshold": 0.4, "adversary": "journalist"}, {"kind": "k-map", "k": 3},
    {"kind": "delta-presence", "low": 0.0, "high": 0.8},
    {"kind": "distinct-l-diversity", "attribute": "s", "l": 2},
    {"kind": "entropy-l-diversity", "attribute": "s", "l": 1.5},
    {"kind": "recursive-l-diversity", "attribute": "s", "c": 2.0, "l": 2},
    {"kind": "t-closeness", "attribute": "s", "t": 0.4},
    {"kind": "t-closeness", "attribute": "s", "t": 0.4, "distance": "ordered"},
    {"kind": "t-closeness", "attribute": "s", "t": 0.4, "distance": "hierarchical"},
    {"kind": "average-risk", "threshold": 0.5},
]  # fmt: skip


@st.composite
def cases(draw):
    hs = {f"q{a}": draw(hierarchies(prefix=f"{a}.")) for a in range(draw(st.integers(1, 2)))}
    row = st.tuples(
        *(st.sampled_from([r[0] for r in h]) for h in hs.values()), st.sampled_from("1234")
    )
    rows = draw(st.lists(row, min_size=1, max_size=14))
    return hs, rows, rows + draw(st.lists(row, max_size=8))


@settings(max_examples=150)
@given(
    case=cases(), model=st.sampled_from(MODELS), metric=st.sampled_from(["loss", "discernibility"])
)
def test_the_release_satisfies_what_is_said_of_it(case, model, metric):
    """The rows that leave are grouped and judged by the definitions, and the measured value is theirs."""
    hs, rows, wide = case
    names = [*hs, "s"]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    table = table_of(columns | {"id": list(map(str, range(len(rows))))})
    population = table_of({name: [row[i] for row in wide] for i, name in enumerate(names)})
    wanted = configuration.parse(
        {
            "quasi_identifiers": list(hs), "models": [model], "metric": metric, "keep": ["id"],
            "suppression_limit": 0.5, "population": "not read",
            "hierarchies": {"s": ORDER} if "attribute" in model else {},
        },
        HERE,
    )  # fmt: skip
    known = {name: Hierarchy.from_rows(name, h) for name, h in hs.items()}
    try:
        result = deidentify(table, wanted, population=population, hierarchies=known)
    except UnattainableError:
        return
    released = result.table().to_pylist()
    assert len(released) == len(rows) - result.suppressed
    assert result.suppressed <= len(rows) / 2
    classes = {}
    for row in released:
        classes.setdefault(tuple(row[name] for name in hs), []).append(int(row["id"]))
    assert len(classes) == result.classes
    if model["kind"] == "average-risk":
        assert len(classes) <= model["threshold"] * len(released) + 1e-9
        return
    judged = {"distance": "equal"} | model
    if model.get("adversary") == "journalist":
        judged = {"kind": "k-map", "k": 3}  # 1 / 0.4 = 2.5
    forms = oracle.classes_at(wide, list(hs.values()), list(result.optimum.values()))
    for key, members in classes.items():
        assert oracle.passes(judged, members, columns["s"], SENSITIVE, len(forms[key]))


TWELVE = table_of({
    "q": ["a"] * 4 + ["b"] * 6 + ["c"] * 2,
    "s": [*"1123", *"122334", *"11"],
})  # fmt: skip
TWENTY = table_of({"q": ["a"] * 8 + ["b"] * 10 + ["c"] * 2})


@pytest.mark.parametrize(
    ("model", "value"),
    [
        ({"kind": "k-anonymity", "k": 3}, 4),
        ({"kind": "k-map", "k": 3}, 8),
        ({"kind": "strict-risk", "threshold": 0.3}, 0.25),
        ({"kind": "strict-risk", "threshold": 0.3, "adversary": "journalist"}, 0.125),
        ({"kind": "distinct-l-diversity", "attribute": "s", "l": 2}, 3),
        ({"kind": "entropy-l-diversity", "attribute": "s", "l": 2}, 2**1.5),  # 1/2, 1/4, 1/4
        ({"kind": "recursive-l-diversity", "attribute": "s", "c": 2, "l": 2}, 1),  # 2 / (1 + 1)
        # Of all rows 5, 3, 3, 1 of 12 have the values; of class b 1, 2, 2, 1 of 6.
        ({"kind": "t-closeness", "attribute": "s", "t": 0.3}, 0.25),
        ({"kind": "t-closeness", "attribute": "s", "t": 0.3, "distance": "ordered"}, (3 + 2 + 1) / 12 / 3),
        ({"kind": "t-closeness", "attribute": "s", "t": 0.3, "distance": "hierarchical"}, (3 + 1 + 1 + 1 + 2 * 2) / 12 / 4),
        ({"kind": "delta-presence", "low": 0.1, "high": 0.7}, 0.6),
        ({"kind": "average-risk", "threshold": 0.2}, 0.2),
        ({"kind": "population-uniqueness", "threshold": 0.1, "population": 100}, 0),
    ],
    ids=lambda m: m["kind"] if isinstance(m, dict) else "",
)  # fmt: skip
def test_what_models_come_to(model, value):
    """Computed by hand: classes a (4 rows), b (6) and c (2), which is left out where the model asks for it."""
    wanted = configuration.parse(
        {
            "quasi_identifiers": ["q"], "suppression_limit": 0.2, "population": "not read",
            "models": [model, {"kind": "k-anonymity", "k": 3}],
            "hierarchies": {"s": ORDER} if "attribute" in model else {},
        },
        HERE,
    )  # fmt: skip
    result = deidentify(TWELVE, wanted, population=TWENTY)
    assert (result.optimum, result.suppressed) == ({"q": 0}, 2)
    assert result.models[0].value == pytest.approx(value)


def test_uniques_that_are_left_are_estimated():
    """By the estimator that is named, from the sizes that a group-by of the release finds."""
    asked = {"kind": "population-uniqueness", "threshold": 0.05, "population": 1000}
    wanted = parsed(quasi_identifiers=["q"], models=[asked | {"estimator": "zayatz"}])
    result = deidentify(table_of({"q": [*"aabbccddeeffgghhiijjkl"]}), wanted)
    sizes = np.array(list(Counter(result.table()["q"].to_pylist()).values()))
    assert 1 in sizes
    assert result.models[0].value == pytest.approx(people.uniques(sizes, 1000, "zayatz"))
    assert 0 < result.models[0].value <= 0.05


def test_a_population_that_is_smaller_than_the_table():
    asked = {"kind": "population-uniqueness", "threshold": 0.5, "population": 2}
    with pytest.raises(InputError, match="population of 2 can't hold the 3 rows"):
        deidentify(
            table_of({"q": ["a", "b", "c"]}), parsed(quasi_identifiers=["q"], models=[asked])
        )
