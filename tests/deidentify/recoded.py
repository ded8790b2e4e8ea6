"""A release is judged by its rows alone: grouped, counted and priced in plain Python, nothing of the engine's."""

import contextlib
import math
import re
from collections import Counter, defaultdict

import pyarrow as pa

from deidentify import oracle
from deidentify.tables import made, table_of
from epilock.deidentify.criteria import metric
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.rows import counting
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing

SENSITIVE = [["1", "low", "*"], ["2", "low", "*"], ["3", "high", "*"], ["4", "high", "*"]]


class Case:
    """A small table with all that a method is given."""

    def __init__(self, case, models, name, limit):
        self.hierarchies, self.rows, self.sensitive, self.wide = case
        self.models, self.limit = models, limit
        self.attributes = list(self.hierarchies)
        kinds = {m["kind"] for m in models}
        with_sensitive = any("attribute" in m for m in models)
        self.population = self.wide if kinds & {"k-map", "delta-presence"} else None
        packing = Packing.of([Hierarchy.from_rows(a, h) for a, h in self.hierarchies.items()])
        self.columns = counting.Columns(packing, ("s",) if with_sensitive else ())
        self.counted = counting.count(
            self.table(self.rows, self.sensitive).to_batches(),
            self.columns,
            population=None
            if self.population is None
            else self.table(self.population).to_batches(),
        )
        known = {"s": Hierarchy.from_rows("s", SENSITIVE)} if with_sensitive else {}
        self.judge = Judge.of(made(models), self.counted, self.columns.sensitive, known)
        self.metric = metric.prepare(name, self.counted.classes)

    @property
    def given(self):
        """What every method is called with."""
        return self.counted, self.columns, self.judge, self.metric, self.limit

    def table(self, rows, sensitive=None):
        of = {a: [row[i] for row in rows] for i, a in enumerate(self.attributes)}
        of["s"] = sensitive or ["1"] * len(rows)
        of["row"] = [str(i) for i in range(len(rows))]
        return table_of(of)

    def released(self, recoding, rows=None):
        """What is released of the ``rows``: number of the row -> texts."""
        table = self.table(self.rows, self.sensitive) if rows is None else self.table(rows)
        out = pa.Table.from_batches([recoding.recode(b, 0) for b in table.to_batches()])
        texts = zip(*(out[a].to_pylist() for a in self.attributes), strict=True)
        return dict(zip(map(int, out["row"].to_pylist()), texts, strict=True))

    def classes(self, recoding):
        """Texts -> numbers of the rows, and texts -> rows of the population."""
        found, wide = defaultdict(list), Counter()
        for row, texts in self.released(recoding).items():
            found[texts].append(row)
        if self.population is not None:
            wide.update(self.released(recoding, self.population).values())
        return found, wide

    def check(self, recoding, suppressed, classes):
        """Every model holds, the limit is kept, and what is said of the release is so."""
        found, wide = self.classes(recoding)
        for texts, members in found.items():
            for model in self.models:
                if model["kind"] != "average-risk":
                    assert oracle.passes(model, members, self.sensitive, SENSITIVE, wide[texts])
        kept = sum(map(len, found.values()))
        for model in self.models:
            if model["kind"] == "average-risk":
                assert len(found) <= model["threshold"] * kept + 1e-9
        assert len(self.rows) - kept == suppressed <= self.limit
        assert len(found) == classes

    def cost(self, name, recoding):
        """What the release loses by the metric ``name``; suppressed rows count by their values for entropy."""
        released, n = self.released(recoding), len(self.rows)
        gone = [i for i in range(n) if i not in released]
        sizes = Counter(released.values()).values()
        if name == "discernibility":
            return sum(size**2 for size in sizes) + n * len(gone)
        if name == "average-class-size":
            return n / max(1, len(sizes) + bool(gone))
        if name == "loss":
            return self.loss(recoding)
        total = 0.0
        for a, h in enumerate(self.hierarchies.values()):
            told = [(self.rows[i][a], texts[a]) for i, texts in released.items()]
            if name == "precision":
                height = max(1, len(h[0]) - 1)
                levels = sum(level(h, values_of(h, *each)) for each in told)
                total += (levels / height + len(gone)) / n / len(self.hierarchies)
                continue
            rows = Counter(row[a] for row in self.rows)
            for value, text in told:
                total += math.log2(sum(rows[v] for v in values_of(h, value, text)) / rows[value])
            lost = Counter(self.rows[i][a] for i in gone)
            total -= sum(c * math.log2(c / len(gone)) for c in lost.values())
        return total

    def loss(self, recoding):
        """The metric ``loss`` of the released rows, by its formula."""
        released, n, total = self.released(recoding), len(self.rows), 1.0
        for a, h in enumerate(self.hierarchies.values()):
            shares = [
                1.0 if i not in released else len(values_of(h, row[a], released[i][a])) / len(h)
                for i, row in enumerate(self.rows)
            ]
            m = n / len(h)
            x = max(0.0, (sum(shares) - m) / (n - m)) if n > m else 0.0
            total *= (x + 1) ** (1 / len(self.hierarchies))
        return total - 1


def values_of(hierarchy, value, text):
    """The values for which ``text`` stands where it stands for ``value``."""
    interval = re.fullmatch(r"\[(.+?)(?:-|\.\.)(.+)\]", text)
    if interval:
        values = [row[0] for row in hierarchy]
        with contextlib.suppress(ValueError):
            values.sort(key=float)
        low, high = (values.index(end) for end in interval.groups())
        assert low <= values.index(value) <= high
        return values[low : high + 1]
    own = next(row for row in hierarchy if row[0] == value)
    return [row[0] for row in hierarchy if row[own.index(text)] == text]


def level(hierarchy, values):
    """The lowest level on which ``values`` look alike, the highest if none is."""
    rows = [row for row in hierarchy if row[0] in values]
    alike = [len({row[each] for row in rows}) == 1 for each in range(len(hierarchy[0]))]
    return alike.index(True) if True in alike else len(alike) - 1
