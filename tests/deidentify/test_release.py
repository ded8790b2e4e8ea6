"""A file goes in and a release comes out, as the terminal does it; checked by a group-by of its own."""

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deidentify.releases import (
    HEAD,
    ROWS,
    SETUP,
    class_sizes,
    csv_text,
    rows_of,
    write_csv,
    write_parquet,
    write_xlsx,
)
from deidentify.tables import ADULT, cases_of_arx
from epilock.cli import main
from epilock.deidentify.release import config as configuration
from epilock.deidentify.release.run import deidentify
from epilock.deidentify.table import InMemory
from epilock.errors import InputError

FIRST = (
    "optimum", "score", "suppressed", "classes", "lattice", "checked", "search_seconds", "total_seconds",
)  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text(SETUP)
    return tmp_path


def released(*words):
    """Run the command; return its exit code."""
    with pytest.raises(SystemExit) as ended:
        main(["deidentify", *map(str, words)])
    return ended.value.code or 0


class TestAdult:
    @pytest.mark.parametrize(
        "case",
        [c for c in cases_of_arx() if c["suppression"] == 0.05],
        ids=lambda c: f"{c['metric']}-{c['extra']}-{len(c['optimum'])}",
    )
    def test_numbers_of_arx_and_classes_counted_apart(self, case, here, capsys):
        """The command prints ARX's numbers, and its file keeps k when plain Python counts it."""
        attributes = list(case["optimum"])
        metric = {"non-uniform entropy": "entropy", "AECS": "average-class-size"}.get(
            case["metric"], case["metric"]
        )
        extra = ""
        if case["extra"] and "diversity" in case["extra"]:
            extra = '[[models]]\nkind = "distinct-l-diversity"\nattribute = "occupation"\nl = 3\n'
        elif case["extra"]:
            extra = '[[models]]\nkind = "t-closeness"\nattribute = "occupation"\nt = 0.2\n'
        (here / "c.toml").write_text(
            f'quasi_identifiers = {json.dumps(attributes)}\nhierarchies = "{ADULT}"\n'
            f'suppression_limit = 0.05\nmetric = "{metric}"\n'
            f'[[models]]\nkind = "k-anonymity"\nk = {case["k"]}\n{extra}'
        )
        out = here / "out.csv"

        released(ADULT / "adult.csv", "--config", "c.toml", "--out", out, "--json")

        found = json.loads(capsys.readouterr().out)
        assert found["score"] == pytest.approx(case["score"], rel=1e-6)
        assert (found["optimum"], found["suppressed"], found["classes"]) == (
            case["optimum"], case["suppressed"], case["classes"],
        )  # fmt: skip
        sizes = class_sizes(out, attributes)
        assert min(sizes.values()) >= case["k"]
        assert len(sizes) == case["classes"]
        assert sum(sizes.values()) == found["rows"] - found["suppressed"]
        if "diversity" in extra:
            head, rows = rows_of(out)
            values = {}
            for row in rows:
                key = tuple(row[head.index(a)] for a in attributes)
                values.setdefault(key, set()).add(row[head.index("occupation")])
            assert min(map(len, values.values())) >= 3


class TestRelease:
    def test_keys_of_json_in_their_order(self, here, capsys):
        released(write_csv(here / "t.csv"), "--config", "c.toml", "--out", "out.csv", "--json")
        found = json.loads(capsys.readouterr().out)
        assert tuple(found)[: len(FIRST)] == FIRST
        assert found["optimum"] == {"age": 1, "town": 0}
        assert found["left_out"] == ["name"]
        assert [m["value"] for m in found["models"]] == [3, 2]

    @pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "xlsx"])
    @pytest.mark.parametrize("make", [write_csv, write_parquet, write_xlsx])
    def test_every_format_into_every_other(self, make, suffix, here):
        """The same rows come out, whatever they came in as and go out as."""
        kind = make.__name__.removeprefix("write_")
        out = here / f"out.{suffix}"
        released(make(here / f"t.{kind}"), "--config", "c.toml", "--out", out)
        head, rows = rows_of(out)
        assert head == ["age", "town", "illness"]
        assert rows[0] == ["30-39", "Jinan", "flu"]
        assert [row[2] for row in rows] == [row[3] for row in ROWS[:-1]]

    def test_what_is_kept_passes_as_it_was(self, here):
        """Blanks, quotes, delimiters and line ends of a kept column are the same octets."""
        odd = [" two  ", 'a"b', "a;b", "a\nb", "", "=1+1", "中", "x"]
        rows = [[o, *row[1:]] for o, row in zip(odd, ROWS, strict=True)]
        pq.write_table(
            pa.Table.from_arrays([pa.array([r[i] for r in rows]) for i in range(4)], HEAD),
            "t.parquet",
        )
        (here / "c.toml").write_text('keep = ["name"]\n' + SETUP)
        released("t.parquet", "--config", "c.toml", "--out", "a.csv")
        with (here / "a.csv").open(newline="", encoding="utf-8") as stream:
            assert [row[0] for row in csv.reader(stream)][1:] == odd[:-1]
        released("t.parquet", "--config", "c.toml", "--out", "b.xlsx")
        assert [row[0] for row in rows_of(here / "b.xlsx")[1]] == odd[:-1]

    def test_a_type_of_parquet_passes_too(self, here):
        """A kept number of Parquet is a number in the release."""
        table = pa.table(
            {"age": ["31"] * 4, "town": ["J"] * 4, "illness": list("abab"), "n": [1, 2, 3, None]}
        )
        pq.write_table(table, "t.parquet")
        (here / "c.toml").write_text('keep = ["n"]\n' + SETUP)
        released("t.parquet", "--config", "c.toml", "--out", "out.parquet")
        assert pq.read_table("out.parquet")["n"].to_pylist() == [1, 2, 3, None]

    @pytest.mark.parametrize(
        ("delimiter", "encoding", "mark"),
        [
            (",", "utf-8", b""),
            (";", "utf-8-sig", b"\xef\xbb\xbf"),
            ("\t", "gb18030", b"\xef\xbb\xbf"),
        ],
    )
    def test_csv_as_spreadsheets_write_it(self, delimiter, encoding, mark, here):
        rows = [[cell.replace("Jinan", "济南") for cell in row] for row in [HEAD, *ROWS]]
        write_csv(here / "t.csv", rows, delimiter=delimiter, encoding=encoding)
        released("t.csv", "--config", "c.toml", "--out", "out.csv")
        found = (here / "out.csv").read_bytes()
        assert found.startswith(mark + b"age")
        assert f"30-39{delimiter}济南{delimiter}flu\n".encode() in found

    def test_an_output_is_replaced_only_when_told(self, here):
        write_csv(here / "t.csv")
        (here / "out.csv").write_text("mine")
        assert released("t.csv", "--config", "c.toml", "--out", "out.csv") == 1
        assert (here / "out.csv").read_text() == "mine"
        released("t.csv", "--config", "c.toml", "--out", "out.csv", "--replace")
        assert (here / "out.csv").read_text().startswith("age,town,illness\n30-39")

    def test_a_table_that_changes_between_two_readings(self):
        """What was not measured does not leave."""

        class Changing(InMemory):
            def batches(self, names):
                yield from super().batches(names)
                if len(readings) == 2:  # values and rows were counted
                    yield from super().batches(names)
                readings.append(names)

        readings = []
        table = pa.Table.from_arrays([pa.array([r[i] for r in ROWS]) for i in range(4)], HEAD)
        wanted = configuration.parse(
            {
                "quasi_identifiers": ["age", "town"], "suppression_limit": 1,
                "models": [{"kind": "k-anonymity", "k": 1}, {"kind": "distinct-l-diversity", "attribute": "illness", "l": 1}],
            },
            None,
        )  # fmt: skip
        with pytest.raises(InputError, match="changed while it was read"):
            deidentify(Changing(table), wanted).table()

    @pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
    def test_an_interruption_leaves_nothing(self, sent, here):
        """Whenever it is stopped: no output, and no part of one."""
        many = here / "t.csv"
        many.write_text(csv_text([HEAD]) + csv_text(ROWS) * 200_000)
        process = subprocess.Popen(
            [sys.executable, "-m", "epilock", "deidentify", many, "--config", "c.toml", "--out", "out.csv"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        until = time.monotonic() + 120
        while not list(here.glob(".out.csv.*")) and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(sent)
        ended = process.wait(60)
        left = {path.name for path in here.iterdir()} - {"c.toml", "t.csv"}
        if left:  # it was done before it was told
            assert left == {"out.csv"}
            assert sum(1 for _ in (here / "out.csv").open()) == 1_400_001
        else:
            assert ended != 0


def test_a_terminal_sees_how_far_it_is(here):
    """Progress goes to standard error where that is a terminal; standard output stays as it is."""
    write_csv(here / "t.csv", [HEAD, *ROWS * 20_000])
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "epilock", "deidentify", "t.csv", "--config", "c.toml", "--out", "o.csv", "--json"],
        stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while chunk := os.read(ours, 4096):
            shown += chunk
    os.close(ours)
    printed, _ = process.communicate()
    assert process.returncode == 0
    assert json.loads(printed)["rows"] == 160_000
    assert b"rows counted" in shown
    assert b"rows recoded" in shown


STARTED = """
import sys
from epilock.cli import main
try:
    main(["deidentify", "--help"])
except SystemExit:
    roots = {name.partition(".")[0] for name in sys.modules}
    print(*sorted(roots & {"sqlalchemy", "fastapi", "fpdf", "openpyxl"}), file=sys.stderr)
"""


def test_it_starts_without_the_platform():
    """Neither the database nor the web is imported, so that it starts at once."""
    told = subprocess.run(
        [
            sys.executable, "-c",
            STARTED,
        ],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert told.stderr.strip() == ""
