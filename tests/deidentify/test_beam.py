"""A beam's node is good, its bound never lies, and it says which of the two it proved."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deidentify import oracle
from deidentify.recoded import SENSITIVE, Case
from deidentify.tables import table_of
from deidentify.test_search import CLASS_MODELS, cases
from epilock.deidentify.criteria import metric
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.model import KAnonymity
from epilock.deidentify.rows import counting
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.search import beam
from epilock.deidentify.search.local import scheme
from epilock.errors import UnattainableError


@pytest.mark.parametrize("models", CLASS_MODELS, ids=lambda m: "+".join(x["kind"] for x in m))
@settings(max_examples=20)
@given(
    case=cases(),
    name=st.sampled_from(metric.NAMES),
    share=st.sampled_from([0, 0.1, 0.3, 1]),
    looks=st.sampled_from([1, 4, 12, 200]),
)
def test_the_bound_never_lies(models, case, name, share, looks):
    """However few nodes are looked at, the optimum lies between the bound and the score; with all of them it is met."""
    whole = Case(case, models, name, int(share * len(case[1])))
    best, where = oracle.optimum(
        whole.rows, list(whole.hierarchies.values()), models, name, limit=whole.limit,
        sensitive=whole.sensitive, sensitive_hierarchy=SENSITIVE, population_rows=whole.population,
    )  # fmt: skip
    try:
        found = beam.search(
            whole.counted.classes, whole.judge, whole.metric, limit=whole.limit, looks=looks
        )
    except UnattainableError:
        assert not where or looks < 200
        return
    slack = 1e-9 * max(1.0, abs(best))
    assert found.bound - slack <= best <= found.score + slack
    assert found.checked <= looks
    assert not found.optimal or found.score == pytest.approx(best, rel=1e-9, abs=1e-9)
    if looks == 200:
        assert found.score == pytest.approx(best, rel=1e-9, abs=1e-9)


def large(many=12, rows=400):
    """More than 2**25 nodes: twelve attributes of five levels."""
    hs = {
        f"q{a}": [
            [str(v), *(f"{level}:{v >> level}" for level in (1, 2, 3)), "*"] for v in range(16)
        ]
        for a in range(many)
    }
    of = {f"q{a}": [str((i * i * (a + 3) + i // 7) % 16) for i in range(rows)] for a in range(many)}
    packing = Packing.of([Hierarchy.from_rows(a, h) for a, h in hs.items()])
    columns = counting.Columns(packing)
    counted = counting.count(table_of(of).to_batches(), columns)
    judge = Judge.of([KAnonymity(5)], counted)
    return counted, columns, judge, metric.prepare("loss", counted.classes), rows // 20


class TestLargeLattice:
    def test_it_is_searched_and_says_how_far(self):
        """The same seed finds the same; another beam width may find another node, within the same truth."""
        counted, columns, judge, prepared, limit = large()
        one, other = (
            beam.search(counted.classes, judge, prepared, limit=limit, looks=300) for _ in range(2)
        )
        assert one.lattice == 5**12 > 1 << 25
        assert 0 <= one.bound <= one.score
        assert (one.levels, one.score, one.bound) == (other.levels, other.score, other.bound)
        node = counted.classes.rolled_up(one.levels)
        assert node.counts[node.counts < 5].sum() == one.suppressed <= limit
        recoding = one.recoding(counted.classes, columns, judge)
        assert recoding.levels.tolist() == list(one.levels)

    def test_no_time_is_a_limit_too(self):
        """Out of time at once: the top is looked at, and the bound is what is known without looking."""
        counted, _, judge, prepared, limit = large()
        found = beam.search(counted.classes, judge, prepared, limit=limit, most_seconds=0.0)
        assert found.checked == 1
        assert found.bound < found.score

    def test_local_recoding_needs_no_small_lattice(self):
        given = large()
        found = scheme.recode(*given)
        assert found.score <= found.full_domain.score
