"""What leaving promises: nothing has a name before it passed, and what left is registered."""

from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from epilock.deidentify.criteria.model import DistinctLDiversity, KAnonymity, StrictRisk
from epilock.deidentify.leaving import register
from epilock.deidentify.leaving.leave import leaving, rule_of_models
from epilock.deidentify.leaving.review import Rule
from epilock.errors import InputError, RefusedError
from epilock.standard.load import load

NOW = datetime(2026, 3, 14, 1, tzinfo=UTC)
ROWS = pa.table({"id": list("1234"), "age": ["30", "30", "40", "40"], "ill": list("abab")})


def released(folder, rows=ROWS, *, k=2, crash=False, **how):
    """What a command does: write, review, name, note."""
    out = folder / "out.parquet"
    with leaving(["age"], rule=Rule(k=k), record="id", **how) as leave:
        part = folder / "part"
        try:
            with pq.ParquetWriter(part, leave.schema(rows.schema)) as writer:
                for batch in leave.watch(rows.to_batches()):
                    writer.write_batch(batch)
            leave.passed(levels={"age": 1}, suppressed=0, now=NOW)
            if crash:
                raise KeyboardInterrupt
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
        return leave.left(out)


class TestLeave:
    def test_the_file_has_no_ids_and_its_hash_is_noted(self, tmp_path):
        how = {"register": tmp_path / "register", "dataset": "clinic"}
        sha256 = released(tmp_path, **how)
        assert pq.read_table(tmp_path / "out.parquet").column_names == ["age", "ill"]
        with register.opened(tmp_path / "register", "clinic") as shelf:
            (said,) = shelf.releases()
        assert said.sha256 == sha256 == register.sha256_of(tmp_path / "out.parquet")

    def test_who_is_refused_leaves_nothing(self, tmp_path):
        with pytest.raises(RefusedError):
            released(tmp_path, k=3, register=tmp_path / "register", dataset="clinic")
        assert [p.name for p in tmp_path.iterdir()] == ["register"]
        assert not list((tmp_path / "register/clinic").glob("[0-9]*"))

    def test_a_second_release_that_tells_more_leaves_nothing(self, tmp_path):
        how = {"register": tmp_path / "register", "dataset": "clinic"}
        released(tmp_path, **how)
        (tmp_path / "out.parquet").unlink()
        with pytest.raises(RefusedError, match="beside release 1"):
            released(tmp_path, ROWS.set_column(1, "age", [["30", "40", "30", "40"]]), **how)
        assert not (tmp_path / "out.parquet").exists()

    def test_a_crash_before_the_name(self, tmp_path):
        """No file, and an announcement that the next release is held against."""
        how = {"register": tmp_path / "register", "dataset": "clinic"}
        with pytest.raises(KeyboardInterrupt):
            released(tmp_path, crash=True, **how)
        assert not (tmp_path / "out.parquet").exists()
        with register.opened(tmp_path / "register", "clinic") as shelf:
            assert [each.sha256 for each in shelf.releases()] == [None]

    def test_without_a_rule_it_is_only_counted(self):
        with leaving(["age"]) as leave:
            list(leave.watch(ROWS.to_batches()))
            assert leave.passed(levels=None, suppressed=0, now=NOW) is None
            assert leave.review.measures().smallest == 2

    @pytest.mark.parametrize("missing", ["rule", "dataset", "record"])
    def test_a_register_needs_to_know(self, missing, tmp_path):
        how = {"rule": Rule(k=2), "dataset": "clinic", "record": "id"} | {missing: None}
        with (
            pytest.raises(InputError, match="name dataset"),
            leaving(["age"], register=tmp_path, **how),
        ):
            pass


class TestRules:
    def test_of_models(self):
        models = [KAnonymity(5), KAnonymity(7), DistinctLDiversity("ill", 3)]
        assert rule_of_models(models) == Rule(k=7, l=3)
        with pytest.raises(InputError, match="no model has one"):
            rule_of_models([StrictRisk(0.1)])

    def test_of_the_standard(self):
        """Twenty at least; fifty, and three values, for the tracing of cases."""
        circumstances = load().circumstances
        rules = {code: Rule.of(each.release) for code, each in circumstances.items()}
        assert all(rule.k >= 20 and rule.source for rule in rules.values())
        told = rules["epi-investigation"]
        assert (told.k, told.l, told.rule) == (50, 3, "release/epi-investigation")
