"""The loader: a standard that contradicts itself is refused with file, line and reason."""

import shutil
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epilock.errors import StandardFileError, TooLargeError
from epilock.standard import files, load
from epilock.standard.load import FOLDER, VERSION

SOURCE = FOLDER / VERSION


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(SOURCE, tmp_path / "standard")


def change(folder, name, old, new):
    path = folder / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


class TestLoad:
    def test_the_packaged_standard_loads_and_is_named_by_its_hash(self):
        standard = load()
        assert standard.version == VERSION
        assert standard.hash == files.digest(SOURCE)
        assert standard.ref == f"{VERSION}+{standard.hash[:16]}"

    def test_a_changed_byte_is_another_standard(self, folder):
        change(folder, "version", "end_days = 30", "end_days = 29")
        assert load(folder).hash != load().hash

    @pytest.mark.parametrize(
        ("name", "old", "new", "reason"),
        [
            ("categories", 'mask = "name"', 'mask = "mirror"', "mask must be one of"),
            ("categories", "grade = 2", "grade = 5", "grade must be 1, 2, 3 or 4"),
            ("categories", 'zh = "姓名", ', "", "name needs a text in zh and in en"),
            ("categories", 'source = ["PIPL-6"', 'source = ["PIPL-999"', "'PIPL-999' is not known"),
            ("circumstances", '"health.temperature"]', '"health.mood"]', "'health.mood' is no category"),
            ("circumstances", '"identity.ethnicity", "online.*"', '"identity.name"', "listed and forbidden"),
            ("circumstances", "k = 50", "k = 19", "release: k is a number of 20 or more"),
            ("circumstances", "l = 3 }", "m = 3 }", "release is a table of k and l"),
            ("circumstances", 'end = "destroy"', 'end = "de-identify"', "end must be destroy or anonymise"),
            ("circumstances", "days = 14", "days = 0", "must be a number of days"),
            ("circumstances", 'basis = ["emergency"]', 'basis = ["whim"]', "'whim' is not known"),
            ("circumstances", "note = {", "nota = {", "unknown key 'nota'"),
            ("circumstances", 'ask.II = ["location.check-in"]', 'ask.V = ["location.check-in"]', "no level"),
            ("circumstances", 'ask.II = ["location.check-in"]', 'ask.II = ["identity.name"]', "at two levels"),
            ("purposes", 'forms = ["aggregate"]', "forms = []", "needs a form"),
            ("purposes", 'ranges = ["R3", "R4", "R7"]', 'ranges = ["R9"]', "'R9' is not known"),
            ("circumstances", '"[contact.address]"]', '"[contact.address"]', "is no category"),
            ("circumstances", 'source = ["IDPL-13", "MED", "PIPL-13.3"]\nverified = false',
             'source = ["IDPL-13", "MED", "PIPL-13.3"]\nverified = true', "rests on MED, which is unverified"),
            ("categories", 'source = ["MPL-2", "MINOR-36"]', 'source = ["GBT-45574"]', "which is unverified"),
            ("scales", 'source = ["ERL-3"]', 'source = ["GBT-35561"]', "which is unverified"),
            ("circumstances", 'purposes = ["tracing", "personnel"]', 'purposes = ["personnel"]',
             "range_needs: R3 or tracing is not of this circumstance"),
            ("circumstances", 'purposes = ["tracing"]\nnever = ["identity.*"',
             'purposes = ["tracing", "governance"]\nnever = ["identity.*"', "nobody here may have it for governance"),
            ("circumstances", 'media = ["vault", "paper"]', 'media = ["vault"]', "paper must be both"),
            ("circumstances", 'ranges = ["R1", "R3", "R6"]', 'ranges = ["R1", "R3"]', "third party needs range R6"),
            ("circumstances", '["health.sample-id", "health.test-result"] }',
             '["health.sample-id", "identity.resident-id"] }', "may not hold identity.resident-id of grade 4"),
            ("circumstances", '["health.sample-id", "health.test-result"] }', '["health.diagnosis"] }', "is not asked here"),
            ("purposes", 'forms = ["status"]', 'forms = ["status"', "not TOML"),
            ("sources", 'periods" }\nverified = false', 'periods" }\nverified = 0', "must be true or false"),
        ],
    )  # fmt: skip
    def test_an_inconsistency_names_file_line_and_reason(self, folder, name, old, new, reason):
        line = change(folder, name, old, new)
        with pytest.raises(StandardFileError, match=reason) as caught:
            load(folder)
        place = str(caught.value).split(": ")[0]
        assert place.startswith(f"{name}.toml:")
        assert abs(int(place.rpartition(":")[2]) - line) <= 3

    def test_a_missing_file_is_named(self, folder):
        (folder / "purposes.toml").unlink()
        with pytest.raises(StandardFileError, match=r"purposes\.toml: missing"):
            load(folder)

    def test_a_file_that_is_no_text_is_named(self, folder):
        (folder / "sources.toml").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(StandardFileError, match=r"sources\.toml"):
            load(folder)

    def test_a_huge_file_is_refused(self, folder):
        (folder / "sources.toml").write_bytes(b"#" * (files.MOST_BYTES + 1))
        with pytest.raises(TooLargeError):
            load(folder)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(files.NAMES), st.integers(0, 40_000), st.binary(max_size=4))
def test_any_mutation_gives_a_standard_or_one_named_error(folder, name, at, new):
    """Whatever bytes a file gets, nothing but our own error leaves the loader."""
    path = folder / f"{name}.toml"
    content = (SOURCE / f"{name}.toml").read_bytes()
    at %= len(content)
    path.write_bytes(content[:at] + new + content[at + len(new) :])
    with suppress(StandardFileError, TooLargeError):
        load(folder)
    path.write_bytes(content)
