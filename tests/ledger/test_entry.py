"""What an entry promises: one type, one spelling, nothing about a person."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import ClassVar, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgers import STANDARD, collect

from epilock.errors import EntryError
from epilock.ledger import entry, reference
from epilock.ledger import field as f

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests/vectors/ledger/entries.jsonl"


def canonical(value):
    """RFC 8785 for values without floats, by another implementation."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def level(**change):
    values = {
        "org": "jinan", "standard": STANDARD, "at": "2026-03-14T01:00:00Z",
        "emergency": "outbreak-7", "level": "II", "effective": "2026-03-14T01:00:00Z",
        "issuer": "济南市人民政府", "instrument": "济政发〔2026〕3号", "date": "2026-03-14",
        "expected_end": None,
    }  # fmt: skip
    return entry.Level(**values | change)


def bucket(**change):
    values = {
        "org": "jn-cdc", "standard": STANDARD, "at": "2026-03-14T01:00:00Z",
        "bucket": "jn-cdc/outbreak-7/residential-entry/2026-03-14", "authority": "jinan",
        "emergency": "outbreak-7", "circumstance": "residential-entry", "day": "2026-03-14",
        "clock": "collection", "parts": ["3-IV"],
    }  # fmt: skip
    return entry.Bucket(**values | change)


class TestGolden:
    """One line of each type. Change one, and every entry already witnessed stops being read."""

    LINES = GOLDEN.read_bytes().splitlines()

    def test_every_type_has_one(self):
        assert [json.loads(line)["type"] for line in self.LINES] == list(entry.TYPES)

    @pytest.mark.parametrize("line", LINES, ids=lambda line: json.loads(line)["type"])
    def test_it_is_read_and_written_alike(self, line):
        said = entry.decode(line)
        assert entry.kind(said) == json.loads(line)["type"]
        assert entry.encode(said) == line == canonical(json.loads(line))


class TestCanonical:
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda b: b" " + b,
            lambda b: b + b"\n",
            lambda b: b.replace(b'"n":5', b'"n": 5'),
            lambda b: b.replace(b'"n":5', b'"n":5.0'),
            lambda b: b.replace(b'"n":5', b'"n":5,"n":5'),
            lambda b: b.replace(b"jn-cdc/", b"jn\\u002dcdc/"),
            lambda b: canonical(dict(reversed(json.loads(b).items()))).replace(b'{"', b'{ "'),
            lambda b: json.dumps(dict(reversed(json.loads(b).items()))).encode(),
            lambda b: b"\xef\xbb\xbf" + b,
            lambda b: b.decode().encode("utf-16"),
            lambda b: b[:-1],
            lambda b: b.replace(b'"n":5', b'"n":5,"name":"x"'),
            lambda b: b.replace(b'"n":5,', b""),
            lambda b: b.replace(b'"collect"', b'"kollect"'),
        ],
    )
    def test_another_spelling_is_no_entry(self, spoil):
        data = entry.encode(collect(5))
        with pytest.raises(EntryError):
            entry.decode(spoil(data))

    @pytest.mark.parametrize("data", [b"[" * 10_000, b"null", b"", b"{}", b'{"type":1}'])
    def test_what_is_no_entry_at_all(self, data):
        with pytest.raises(EntryError, match="not an entry of a known type"):
            entry.decode(data)

    @given(st.text(min_size=1, max_size=200))
    def test_any_text_is_spelled_as_rfc_8785_says(self, words):
        if any("\ud800" <= c <= "\udfff" for c in words):
            with pytest.raises(EntryError):
                entry.encode(level(issuer=words))
            return
        data = entry.encode(level(issuer=words))
        assert data == canonical(json.loads(data))

    @given(st.binary(max_size=400))
    def test_rubbish_is_named(self, data):
        with pytest.raises(EntryError):
            entry.decode(data)

    def test_the_limit(self):
        with pytest.raises(EntryError, match="at most 16384 bytes, not 16385"):
            entry.decode(b"{" * 16385)


class TestValues:
    @pytest.mark.parametrize(
        "change",
        [
            {"n": -1}, {"n": 16**6}, {"n": True}, {"n": "5"}, {"org": "张三"}, {"org": "jn-cdc\n"},
            {"point": "jn-cdc.k3f7q"}, {"bucket": "jn-cdc/2026-03-14"}, {"notice": "0" * 63},
            {"notice": "A" * 64}, {"parts": []}, {"parts": ["5-IV"]}, {"parts": ["3-E"]},
            {"commitment": ""}, {"standard": "2026.1"},
        ],
    )  # fmt: skip
    def test_each_is_of_its_kind(self, change):
        with pytest.raises(EntryError):
            entry.encode(collect(**change))

    @pytest.mark.parametrize(
        "change",
        [
            {"date": "2026-02-30"}, {"date": "2026-13-01"}, {"date": "20260314"},
            {"at": "2026-03-14T24:00:01Z"}, {"at": "2026-03-14T01:00:00+08:00"},
            {"at": "2026-03-14"}, {"at": "2026-03-14T01:20:00Z"}, {"at": "2026-03-14T01:00:20Z"},
            {"effective": "2026-03-14T01:60:00Z"}, {"effective": None}, {"level": "V"}, {"issuer": ""},
            {"issuer": "x" * 201}, {"expected_end": "2026-02-29"},
        ],
    )  # fmt: skip
    def test_dates_are_of_the_calendar(self, change):
        with pytest.raises(EntryError):
            entry.encode(level(**change))

    def test_a_bucket_is_named_by_what_it_says(self):
        entry.encode(bucket())
        moved = "jn-cdc/outbreak-7/residential-entry/2026-03-14+delivery"
        entry.encode(bucket(bucket=moved, clock="delivery"))
        for change in ({"day": "2026-03-15"}, {"clock": "delivery"}, {"org": "jinan"}):
            with pytest.raises(EntryError, match="named org/emergency"):
                entry.encode(bucket(**change))

    def test_a_name_is_given_in_both_languages(self):
        said = entry.decode(TestGolden.LINES[list(entry.TYPES).index("emergency")])
        values = {name: getattr(said, name) for name in said.__struct_fields__}
        for name in ({"zh": "济南"}, {"zh": "济南", "fr": "Jinan"}, {}):
            with pytest.raises(EntryError, match="`zh` and in `en`"):
                entry.encode(entry.Emergency(**values | {"name": name}))

    def test_reasons_are_codes(self):
        """Free text by staff could name a person; a public log must not hold it for ever."""
        with pytest.raises(EntryError):
            entry.encode(
                entry.PointClosed(
                    org="jn-cdc", standard=STANDARD, at="2026-03-14T01:00:00Z",
                    point="jn-cdc.k3f7q2", reason="张三要求关闭",
                )
            )  # fmt: skip

    def test_who_acted_is_an_opaque_id(self):
        with pytest.raises(EntryError):
            entry.encode(
                entry.HoldReleased(
                    org="jn-cdc", standard=STANDARD, at="2026-03-14T01:00:00Z", hold="h-1",
                    by="zhang-san",
                )
            )  # fmt: skip


class TestCollecting:
    def test_it_writes_what_encode_would(self):
        known = {
            k: getattr(collect(), k)
            for k in ("org", "standard", "point", "bucket", "notice", "parts")
        }
        write = entry.collecting(**known)
        for n, commitment in ((0, "0" * 64), (16**6 - 1, "f" * 64), (10, "a1" * 32)):
            assert write(n, commitment) == entry.encode(collect(n, commitment=commitment))

    def test_it_checks_what_it_is_given(self):
        with pytest.raises(EntryError):
            entry.collecting(
                org="jn-cdc", standard=STANDARD, point="?", bucket="?", notice="?", parts=[]
            )


class TestStamp:
    INSTANT = datetime(2026, 3, 14, 9, 59, 59, 999999, timezone(timedelta(hours=8)))

    def test_the_hour_of_what_happened(self):
        assert entry.stamp(self.INSTANT) == "2026-03-14T01:00:00Z"

    def test_whole_seconds_of_what_a_public_instrument_set(self):
        assert entry.exact(self.INSTANT) == "2026-03-14T01:59:59Z"

    def test_an_instant_without_an_offset(self):
        with pytest.raises(ValueError, match="offset"):
            entry.stamp(datetime(2026, 3, 14, tzinfo=UTC).replace(tzinfo=None))


class TestHours:
    """A minute, beside a bucket of few records, would help to single out a person."""

    TIME = re.compile(rb"T[0-9]{2}:[0-9]{2}:[0-9]{2}")
    DATED: ClassVar = [
        (line, name)
        for line in TestGolden.LINES
        for name, value in json.loads(line).items()
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?", value)
    ]

    @given(st.sampled_from(DATED), st.times())
    def test_no_entry_tells_a_minute(self, dated, time):
        """Whatever is put where a time may stand: what ``encode`` returns has whole hours only."""
        line, name = dated
        said = entry.decode(line)
        values = {each: getattr(said, each) for each in said.__struct_fields__}
        try:
            data = entry.encode(type(said)(**values | {name: f"2026-03-14T{time:%H:%M:%S}Z"}))
        except EntryError:
            assert name != "effective"
            return
        found = json.loads(data)
        exact = found.pop("effective", None)
        assert exact is None or found["type"] == "level"
        assert all(each.endswith(b":00:00") for each in self.TIME.findall(canonical(found)))

    def test_what_happened_to_a_record_has_no_exact_kind(self):
        """``Exact`` is for levels alone: what a public instrument set for everybody."""
        hints = {
            (name, field)
            for name, kind in entry.TYPES.items()
            for field, hint in get_type_hints(kind, include_extras=True).items()
            if hint == f.Exact
        }
        assert hints == {("level", "effective")}


class TestReference:
    def test_the_page_is_that_of_the_code(self):
        """Made anew by ``python -m epilock.ledger.reference``."""
        stored = (ROOT / "docs/reference/ledger-entries.md").read_text()
        assert stored == reference.page()

    def test_schemas_are_closed(self):
        for name, schema in entry.schemas().items():
            assert schema["additionalProperties"] is False, name
            assert schema["properties"]["type"] == {"enum": [name]}
