"""Whatever is wrong with what comes in: one clear line, exit code 2, no traceback, no value, no output."""

import os
import re
import resource

import pyarrow as pa
import pytest

from deidentify.releases import HEAD, ROWS, SETUP, csv_text, write_csv, write_parquet, write_xlsx
from epilock.cli import main
from epilock.deidentify import table
from epilock.deidentify.release import config as configuration
from epilock.deidentify.writing import written
from epilock.errors import InputError, TooLargeError

SECRET = "Zebedee"  # stands in a cell of every bad table, and in no message
GOOD = [HEAD, *ROWS, [SECRET, "33", "Jinan", "flu"]]
AGES = [str(age) for age in range(30, 90)]


def rows_with(row, column, value):
    changed = [list(each) for each in GOOD]
    changed[row][HEAD.index(column)] = value
    return changed


def hierarchy_file(rows):
    return csv_text([[a, f"{a[0]}0s", "*"] for a in AGES] if rows is None else rows, ";")


def with_file(rows, limit=0.2):
    """A configuration with a hierarchy file, and that file."""
    setup = SETUP.replace('{ rule = "interval", widths = [10, 20] }', '"age.csv"')
    return {"c.toml": setup.replace("0.2", str(limit)), "age.csv": hierarchy_file(rows)}


def by(old, new):
    return {"c.toml": SETUP.replace(old, new)}


HIERARCHICAL = 't = 0.5\ndistance = "hierarchical"'
CASES = {
    # name: files beside good ones, what is said (and no more than one line)
    "value missing from a hierarchy": (
        {**with_file(None), "t.csv": csv_text(rows_with(3, "age", SECRET))},
        "row 3, column age: the value is missing from the hierarchy .* add a row for it",
    ),
    "nothing given, and that missing from a hierarchy": (
        {**with_file(None), "t.csv": csv_text(rows_with(3, "age", ""))},
        "row 3, column age: nothing is given",
    ),
    "value that a rule does not fit": (
        {"t.csv": csv_text(rows_with(5, "age", SECRET))},
        "row 5, column age: the rule interval does not fit .* whole number",
    ),
    "short row": (
        {"t.csv": csv_text([*GOOD[:4], [SECRET, "33"], *GOOD[4:]])},
        "t.csv, row 4: 2 cells where the header has 4 columns; give the row",
    ),
    "long row": (
        {"t.csv": csv_text([*GOOD, [SECRET, "33", "Jinan", "flu", SECRET]])},
        "t.csv, row 10: 5 cells where the header has 4",
    ),
    "quotation mark that is never closed": (
        {"t.csv": csv_text(rows_with(4, "name", f'"{SECRET}'))}, "a quotation mark opens a cell",
    ),
    "encoding": (
        {"t.csv": csv_text(GOOD).encode() + b"\xff\xfe\xff,\x80,\x81\n"},
        "neither UTF-8 nor GB18030 .* save it as CSV UTF-8",
    ),
    "UTF-16": ({"t.csv": csv_text(GOOD).encode("utf-16")}, "UTF-16; save it as CSV UTF-8"),
    "no text": ({"t.csv": b"\x89PNG\r\n\0\0" + SECRET.encode()}, "is no CSV, XLSX or Parquet"),
    "empty file": ({"t.csv": ""}, "t.csv is empty; a table has a header"),
    "only a header": ({"t.csv": csv_text([HEAD])}, "no rows below its header"),
    "blank lines": ({"t.csv": "\n\n"}, "has no header"),
    "missing column": (by('"town"]', '"city"]'), "the table has no column named city; see that its first row"),
    "column with blanks around it": (
        {"t.csv": csv_text([["name", "age", " town", "illness"], *GOOD[1:]])},
        "no column named town; column 3 has that name with blanks",
    ),
    "duplicate column": (
        {"t.csv": csv_text([["name", "age", "town", "age"], *GOOD[1:]])},
        "columns 2 and 4 have the same name; give each its own",
    ),
    "table without a header": ({"t.csv": csv_text([[SECRET, "1", "2", "3"], *GOOD[1:]])}, "no column named age"),
    "hierarchy that is not monotone": (
        with_file([["30", "a", "x"], ["31", "a", "y"]]), "age.csv, row 2, column 3: rows 1 and 2 are alike",
    ),
    "hierarchy with a value twice": (
        with_file([["30", "a", "*"], ["31", "a", "*"], ["30", "a", "*"]]), "age.csv, row 3: this value stands twice",
    ),
    "ragged hierarchy": (with_file([["30", "a", "*"], ["31", "a"]]), "age.csv, row 2: 2 columns where row 1 has 3"),
    "empty hierarchy": (with_file([]), "age.csv is empty"),
    "hierarchy that is not there": (by('{ rule = "interval", widths = [10, 20] }', '"no.csv"'), "no.csv can't be read"),
    "limit that can't be met": (by("k = 3", "k = 30"), "no generalisation keeps the models with 1 suppressed rows of 9"),
    "no TOML": ({"c.toml": "k = = 3"}, "c.toml is no TOML: .*line 1"),
    "configuration in another encoding": ({"c.toml": "# 中文".encode("gb18030")}, "c.toml is not UTF-8"),
    "unknown key": (by("suppression_limit", "supression_limit"), "supression_limit is no key .* quasi_identifiers"),
    "unknown key of a model": (by("k = 3", "kk = 3"), r"models\[1\].kk is no key .*there are k"),
    "missing key of a model": (by("k = 3", ""), r"models\[1\].k is missing; it must be a whole number"),
    "unknown kind": (by("k-anonymity", "k-anonimity"), r"models\[1\].kind must be one of k-anonymity"),
    "wrong type": (by("k = 3", 'k = "3"'), r"models\[1\].k must be a whole number, not '3'"),
    "truth for a number": (by("k = 3", "k = true"), r"models\[1\].k must be a whole number, not true"),
    "fraction for a whole number": (by("k = 3", "k = 3.0"), "must be a whole number, not 3.0"),
    "NaN": (by("= 0.2", "= nan"), "suppression_limit must be a number, not nan"),
    "infinity": ({"c.toml": SETUP.replace("distinct-l", "entropy-l").replace("l = 2", "l = inf")}, r"models\[2\].l must be a number, not inf"),
    "limit in per cent": (by("= 0.2", "= 20"), "a share of the rows, 0 to 1, not 20; 5 % is 0.05"),
    "parameter out of range": (by("k = 3", "k = 0"), r"models\[1\]: k-anonymity: k must be 1 or more"),
    "no models": ({"c.toml": SETUP.partition("[[models]]")[0]}, "models is missing: at least one"),
    "no quasi-identifiers": (by('["age", "town"]', "[]"), "quasi_identifiers must name 1 to 64"),
    "quasi-identifier twice": (by('"town"]', '"age"]'), "quasi_identifiers names age twice"),
    "quasi-identifier that is sensitive": (by('"town"]', '"town", "illness"]'), "a column is one of both"),
    "quasi-identifier that is kept": ({"c.toml": 'keep = ["town"]\n' + SETUP}, "keep names town, .*can't pass unchanged"),
    "unknown metric": ({"c.toml": 'metric = "beauty"\n' + SETUP}, "metric must be one of loss, .*'beauty'"),
    "weights of no quasi-identifier": ({"c.toml": "weights = { size = 2 }\n" + SETUP}, "weights name size"),
    "weights for a metric of classes": (
        {"c.toml": 'metric = "discernibility"\nweights = { age = 2 }\n' + SETUP}, "it takes no weights",
    ),
    "unknown search": ({"c.toml": 'search = "magic"\n' + SETUP}, "search must be one of optimal"),
    "population that is not given": (by("k-anonymity", "k-map"), "population is missing: k-map"),
    "population that is not there": (
        {"c.toml": 'population = "no.csv"\n' + SETUP.replace("k-anonymity", "k-map")}, "no.csv can't be read",
    ),
    "population without the table's rows": (
        {"c.toml": 'population = "p.csv"\n' + SETUP.replace("k-anonymity", "k-map"), "p.csv": csv_text(GOOD[:4])},
        "more frequent in the table than in the population",
    ),
    "population with a value that a rule does not fit": (
        {"c.toml": 'population = "p.csv"\n' + SETUP.replace("k-anonymity", "k-map"), "p.csv": csv_text([*GOOD, [SECRET, SECRET, "Jinan", "flu"]])},
        "^epilock: population, row 10, column age: the rule interval",
    ),
    "population with a value that its hierarchy lacks": (
        with_file(None) | {
            "c.toml": 'population = "p.csv"\n' + with_file(None)["c.toml"].replace("k-anonymity", "k-map"),
            "p.csv": csv_text([*GOOD, [SECRET, SECRET, "Jinan", "flu"]]),
        }, "^epilock: population, row 10, column age: the value is missing from the hierarchy",
    ),
    "only a header, without its line end": ({"t.csv": ",".join(HEAD)}, "no rows below its header"),
    "hierarchical distance without a hierarchy": (
        {"c.toml": SETUP.replace("distinct-l-diversity", "t-closeness").replace("l = 2", HIERARCHICAL)}, r"models\[2\]: the hierarchical distance needs a hierarchy of illness",
    ),
    "hierarchy of no attribute": (by("[hierarchies]", "[hierarchies]\nsize = 'a.csv'"), "hierarchies.size: it is no quasi"),
    "unknown rule": (by('"interval"', '"magic"'), "hierarchies.age.rule must be one of interval"),
    "unknown key of a rule": (by("widths", "width"), "hierarchies.age.width is no key"),
    "rule that makes no sense": (by("[10, 20]", "[10, 15]"), "hierarchies.age: widths must each be a multiple"),
    "hierarchies of another type": ({"c.toml": "hierarchies = 5\n" + SETUP.replace("[hierarchies]\nage", "#")}, "hierarchies must be a directory"),
}  # fmt: skip


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.toml").write_text(SETUP, encoding="utf-8")
    (tmp_path / "t.csv").write_text(csv_text(GOOD), encoding="utf-8")
    return tmp_path


def refused(capsys, *words):
    """Run the command; return exit code and what it said, which holds no value and no traceback."""
    before = sorted(path.name for path in os.scandir())
    with pytest.raises(SystemExit) as ended:
        main(["deidentify", *map(str, words)])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert said.err.startswith("epilock: ")
    assert not any(row[0] in said.err for row in GOOD[1:])
    assert sorted(path.name for path in os.scandir()) == before
    return ended.value.code, said.err


@pytest.mark.parametrize(("files", "why"), CASES.values(), ids=CASES)
def test_bad_input(files, why, here, capsys):
    for name, content in files.items():
        data = content if isinstance(content, bytes) else content.encode()
        (here / name).write_bytes(data)
    code, said = refused(capsys, "t.csv", "--config", "c.toml", "--out", "out.csv")
    assert code == 2
    assert re.search(why, said), said


class TestFiles:
    def test_a_table_that_is_not_there(self, here, capsys):
        code, said = refused(capsys, "no.csv", "--config", "c.toml", "--out", "out.csv")
        assert (code, said) == (2, "epilock: no.csv can't be read: No such file or directory\n")

    def test_a_configuration_that_is_not_there(self, here, capsys):
        _, said = refused(capsys, "t.csv", "--config", "no.toml", "--out", "out.csv")
        assert "the configuration no.toml can't be read" in said

    @pytest.mark.parametrize("make", [write_parquet, write_xlsx])
    @pytest.mark.parametrize("cut", [0.3, 0.7, 0.98])
    def test_half_a_file(self, make, cut, here, capsys):
        """A file that was cut off is called corrupt."""
        kind = make.__name__.removeprefix("write_")
        path = make(here / f"t.{kind}", GOOD[1:])
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
        code, said = refused(capsys, path, "--config", "c.toml", "--out", "out.csv")
        assert code == 2
        assert "corrupt" in said

    @pytest.mark.parametrize("make", [write_parquet, write_xlsx])
    def test_a_file_with_wrong_octets_within(self, make, here, capsys):
        """Broken data is no traceback either, wherever it is broken."""
        kind = make.__name__.removeprefix("write_")
        path = make(here / f"t.{kind}", GOOD[1:])
        good = path.read_bytes()
        for place in range(4, len(good) - 8, max(1, len(good) // 40)):
            path.write_bytes(good[:place] + bytes(8) + good[place + 8 :])
            with pytest.raises(SystemExit) as ended:
                main(
                    ["deidentify", str(path), "--config", "c.toml", "--out", "out.csv", "--replace"]
                )
            assert ended.value.code in {0, 2, None}
            assert "Traceback" not in capsys.readouterr().err

    def test_a_file_that_only_says_it_is_parquet(self, here, capsys):
        write_csv(here / "t.parquet")
        _, said = refused(capsys, "t.parquet", "--config", "c.toml", "--out", "out.csv")
        assert "t.parquet is corrupt Parquet" in said

    def test_a_sheet_with_a_cell_beyond_its_header(self, here, capsys):
        write_xlsx(here / "t.xlsx", [*ROWS[:2], [*ROWS[2], SECRET]])
        _, said = refused(capsys, "t.xlsx", "--config", "c.toml", "--out", "out.csv")
        assert "row 3: a cell in column 5, and the header has 4 columns" in said

    def test_a_file_that_is_too_large(self, here, capsys):
        """64 GiB and an octet of nothing, which takes no room on the disk."""
        with (here / "t.csv").open("wb") as stream:
            stream.truncate(table.MOST_BYTES + 1)
        code, said = refused(capsys, "t.csv", "--config", "c.toml", "--out", "out.csv")
        assert (code, said) == (2, "epilock: t.csv is larger than 64 GiB; divide it\n")

    def test_a_pipe(self, here, capsys):
        """What can be read only once would be read wrongly: it is refused, not waited for."""
        os.mkfifo("pipe")
        _, said = refused(capsys, "pipe", "--config", "c.toml", "--out", "out.csv")
        assert "pipe is no file that can be read twice" in said

    def test_too_many_columns(self, here):
        (here / "t.csv").write_text(",".join(f"c{i}" for i in range(1001)) + "\n")
        with pytest.raises(TooLargeError, match="1001 columns; at most 1000"):
            table.open_table(here / "t.csv")


class TestOutput:
    @pytest.mark.parametrize(
        ("out", "code", "why"),
        [
            ("there.csv", 1, "there.csv is there already; name a new file, or say --replace"),
            ("t.csv", 1, "t.csv is the input; name another file"),
            ("no/out.csv", 2, "no: there is no such directory; make it first"),
            ("out.doc", 2, "the suffix says the format, one of .csv"),
            ("out", 2, "the suffix says the format"),
        ],
    )
    def test_it_is_told_before_the_table_is_read(self, out, code, why, here, capsys):
        (here / "there.csv").write_text("mine")
        found, said = refused(capsys, "t.csv", "--config", "c.toml", "--out", out)
        assert found == code
        assert why in said
        assert (here / "there.csv").read_text() == "mine"

    @pytest.mark.parametrize("suffix", ["csv", "parquet", "xlsx"])
    def test_a_disk_that_is_full(self, suffix, here):
        """Played by a limit of the size of files; nothing is left, and the output is named."""
        made = pa.table({"a": [str(i * i) for i in range(200_000)]})
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        try:
            with (
                pytest.raises(
                    InputError, match=f"out.{suffix} can't be written: .*; nothing is left"
                ),
                written(
                    here / f"out.{suffix}", made.schema, table.InMemory(made), replace=False
                ) as writer,
            ):
                writer.write(made.to_batches()[0])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert not list(here.glob("*out*"))

    def test_a_character_that_no_sheet_holds(self, here, capsys):
        """Even an error in the last moment leaves nothing."""
        (here / "t.csv").write_text(csv_text(rows_with(1, "illness", "a\x01")))
        (here / "c.toml").write_text(SETUP.replace("k = 3", "k = 1").replace("l = 2", "l = 1"))
        _, said = refused(capsys, "t.csv", "--config", "c.toml", "--out", "out.xlsx")
        assert "row 1 of the release has a cell with a control character" in said


class TestDirectory:
    @pytest.mark.parametrize(
        ("names", "why"),
        [
            (["x_age.csv"], r"has no file town.csv or …_town.csv; add it"),
            (["x_age.csv", "age.csv", "town.csv"], "age.csv, x_age.csv all fit age"),
        ],
    )
    def test_missing_or_ambiguous(self, names, why, here):
        (here / "h").mkdir()
        for name in names:
            (here / "h" / name).write_text("a;*\n")
        wanted = {
            "quasi_identifiers": ["age", "town"], "hierarchies": "h",
            "models": [{"kind": "k-anonymity", "k": 2}],
        }  # fmt: skip
        with pytest.raises(InputError, match=why):
            configuration.parse(wanted, here)

    def test_no_directory(self, here):
        wanted = {
            "quasi_identifiers": ["age"],
            "hierarchies": "no",
            "models": [{"kind": "k-anonymity", "k": 2}],
        }
        with pytest.raises(InputError, match=r"directory .* can't be read"):
            configuration.parse(wanted, here)
