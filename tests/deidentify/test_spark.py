"""On a cluster the same is counted as here: a real Spark session on this machine says so."""

import os
import shutil
import sys

import pyarrow.parquet as pq
import pytest

from deidentify.tables import ATTRIBUTES, adult, adult_hierarchy
from epilock.deidentify.rows import counting, spark
from epilock.deidentify.rows.packing import Packing

pyspark = pytest.importorskip("pyspark.sql", reason="needs the extra `spark`")
pytestmark = pytest.mark.skipif(shutil.which("java") is None, reason="needs Java 17")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    os.environ["PYSPARK_PYTHON"] = sys.executable
    folder = tmp_path_factory.mktemp("spark")
    found = (
        pyspark.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.local.dir", str(folder))
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .getOrCreate()
    )
    yield found
    found.stop()


def test_adult_is_counted_alike(session, tmp_path):
    """Keys, counts and sensitive values from Spark are those from DuckDB, byte for byte."""
    quasi = [a for a in ATTRIBUTES if a != "occupation"]
    columns = counting.Columns(Packing.of([adult_hierarchy(a) for a in quasi]), ("occupation",))
    table = adult()
    pq.write_table(table, tmp_path / "adult.parquet", row_group_size=5000)
    there = spark.count(session.read.parquet(str(tmp_path / "adult.parquet")), columns)
    here = counting.count(table.to_batches(), columns)
    assert there.values == here.values
    assert [w.tolist() for w in there.classes.keys] == [w.tolist() for w in here.classes.keys]
    assert there.classes.counts.tolist() == here.classes.counts.tolist()
    for name in ("starts", "values", "rows"):
        one, two = (getattr(c.classes.histograms[0], name).tolist() for c in (there, here))
        assert one == two
