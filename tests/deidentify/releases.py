"""Files for the tests of releases: small tables, configurations, and a group-by that knows nothing of the engine."""

import csv
from collections import Counter

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

HEAD = ["name", "age", "town", "illness"]
ROWS = [
    ["Anna", "31", "Jinan", "flu"], ["Bert", "34", "Jinan", "cold"], ["Carl", "38", "Jinan", "flu"],
    ["Dora", "39", "Jinan", "cold"], ["Emil", "52", "Dezhou", "flu"], ["Fred", "57", "Dezhou", "cold"],
    ["Gina", "55", "Dezhou", "cold"], ["Hugo", "80", "Qingdao", "flu"],
]  # fmt: skip
SETUP = """
quasi_identifiers = ["age", "town"]
suppression_limit = 0.2

[hierarchies]
age = { rule = "interval", widths = [10, 20] }

[[models]]
kind = "k-anonymity"
k = 3

[[models]]
kind = "distinct-l-diversity"
attribute = "illness"
l = 2
"""


def csv_text(rows, delimiter=","):
    return "".join(delimiter.join(row) + "\n" for row in rows)


def write_csv(path, rows=None, *, delimiter=",", encoding="utf-8"):
    path.write_bytes(csv_text([HEAD, *ROWS] if rows is None else rows, delimiter).encode(encoding))
    return path


def write_parquet(path, rows=ROWS, head=HEAD):
    columns = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(head))]
    pq.write_table(pa.Table.from_arrays(columns, head), path)
    return path


def write_xlsx(path, rows=ROWS, head=HEAD):
    book = openpyxl.Workbook()
    for row in [head, *rows]:
        book.active.append(row)
    book.save(path)
    return path


def rows_of(path):
    """The header and rows of a release, by the suffix; plain readers only."""
    if path.suffix == ".parquet":
        found = pq.read_table(path)
        return found.column_names, [list(row.values()) for row in found.to_pylist()]
    if path.suffix == ".xlsx":
        head, *rows = openpyxl.load_workbook(path).active.iter_rows(values_only=True)
        return list(head), [["" if cell is None else cell for cell in row] for row in rows]
    text = path.read_text("utf-8-sig")
    delimiter = next(d for d in ";\t," if d in text)
    head, *rows = csv.reader(text.splitlines(), delimiter=delimiter)
    return head, rows


def class_sizes(path, attributes):
    """How often each combination of ``attributes`` stands in a release."""
    head, rows = rows_of(path)
    places = [head.index(name) for name in attributes]
    return Counter(tuple(row[place] for place in places) for row in rows)
