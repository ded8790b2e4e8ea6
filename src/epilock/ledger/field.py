r"""The kinds of values that ledger entries are made of: each with a pattern, a limit and a meaning.

Rules kept in this file:
  1. No kind can hold what a person typed about a person. Free text (``Words``) is for orders, names of
     organisations and the like, and is short; reasons are codes.
  2. Numbers are whole and below 2**53, so that any JSON reader reads them alike (RFC 8785).
  3. What happened has an hour and no more: a minute, beside a bucket of few records, would help to single
     out a person. The one exact instant (``Exact``) is what a public instrument set for everybody.
  4. A pattern ends in ``$(?!\n)``: in Python ``$`` alone would let a newline through.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

LARGEST_NUMBER = 16**6 - 1  # leaves of a bucket's key tree, less one
MOST_RECORDS = 150  # of one decision: what surely fits into an entry

_SLUG = "[a-z][a-z0-9-]{1,30}"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_HOUR = "T[0-9]{2}:00:00Z"
_TIME = "T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
_CODE = "[a-z0-9][a-z0-9./-]{0,79}"
_EVENT = "[a-z][a-z0-9-]{0,40}"


def _pattern(body: str, description: str, example: str) -> Meta:
    return Meta(pattern=f"^{body}$(?!\\n)", description=description, examples=[example])


Slug = Annotated[str, _pattern(_SLUG, "Organisation or emergency", "jn-cdc")]
MaybeSlug = Annotated[
    str, _pattern(f"({_SLUG})?", "Organisation, or empty for the installation", "jn-cdc")
]
StandardRef = Annotated[
    str,
    _pattern(
        r"[0-9A-Za-z.-]{1,20}\+[0-9a-f]{16}",
        "Version of the standard and the first 16 hex digits of its hash",
        "2026.1+0123456789abcdef",
    ),
]
StandardVersion = Annotated[
    str, _pattern("[0-9A-Za-z.-]{1,20}", "Version of the standard", "2026.1")
]
Code = Annotated[str, _pattern(_CODE, "A code, mostly of the standard", "residential-entry")]
Circumstance = Annotated[
    str, _pattern("[a-z][a-z0-9-]{1,40}", "Circumstance of the standard", "residential-entry")
]
Point = Annotated[str, _pattern(rf"{_SLUG}\.[a-z2-7]{{6}}", "Collection point", "jn-cdc.k3f7q2")]
Bucket = Annotated[
    str,
    _pattern(
        rf"{_SLUG}/{_SLUG}/[a-z][a-z0-9-]{{1,40}}/{_DAY}(\+{_EVENT})?",
        "Organisation, emergency, circumstance, day, and the event that starts its clock",
        "jn-cdc/outbreak-7/residential-entry/2026-03-14",
    ),
]
Part = Annotated[
    str,
    _pattern(
        "[1-4]-(N|IV|III|II|I)(-[a-z0-9-]{1,60})?",
        "Part of a record: grade, the level that allows it, and the retention where there are several",
        "3-IV",
    ),
]
Clock = Annotated[
    str, _pattern(_EVENT, "What starts the clock: ``collection`` or an event", "collection")
]
Id = Annotated[str, _pattern("[a-z][a-z0-9-]{1,63}", "Opaque identifier", "g-k3f7q2xw5mza")]
Actor = Annotated[
    str,
    _pattern(
        "(s-[a-z0-9]{1,20}|subject|guardian|system)",
        "Who acted: a member of staff by opaque id, the person concerned, a guardian, or the clock",
        "s-k3f7q2xw5mza",
    ),
]
Day = Annotated[str, _pattern(_DAY, "Calendar day in China", "2026-03-14")]
Stamp = Annotated[
    str,
    _pattern(
        _DAY + _HOUR,
        "Hour (UTC) in which it happened; the order within an hour is the index's",
        "2026-03-14T01:00:00Z",
    ),
]
Exact = Annotated[
    str,
    _pattern(
        _DAY + _TIME,
        "Instant (UTC) that a public instrument set: about no person, so in seconds",
        "2026-03-14T01:20:00Z",
    ),
]
When = Annotated[
    str,
    _pattern(
        f"{_DAY}({_HOUR})?",
        "Hour (UTC), or calendar day in China; an end lasts to the end of its hour or day",
        "2026-03-14",
    ),
]
Sha256 = Annotated[
    str, _pattern("[0-9a-f]{64}", "SHA-256 in hex", "e3b0c44298fc1c149afbf4c8996fb924" * 2)
]
Commitment = Annotated[
    str,
    _pattern(
        "[0-9a-f]{64}",
        "HMAC (SHA-256, or SM3 in the national suite) of the record under a subkey of its own keys, in hex: dies with them",
        "6e340b9cffb37a989ca544e6bb780a2c" * 2,
    ),
]
Keyed = Annotated[
    str,
    _pattern(
        "[0-9a-f]{64}",
        "Keyed hash of a file, in hex: only its organisation can compare",
        "6e340b9cffb37a989ca544e6bb780a2c" * 2,
    ),
]
Area = Annotated[str, _pattern("[0-9]{6}", "Area, GB/T 2260", "370100")]
Range = Annotated[str, _pattern("R[1-7]", "Circulation range", "R1")]
Language = Annotated[str, _pattern("[a-z]{2,3}(-[A-Za-z]{2,4})?", "Language", "zh")]
Level = Annotated[str, _pattern("(N|IV|III|II|I|E)", "Response level", "II")]
Opened = Annotated[str, _pattern("(opened|refused)", "What was decided", "opened")]
Reviewed = Annotated[str, _pattern("(justified|unjustified)", "What a review found", "justified")]
StudyStage = Annotated[
    str, _pattern("(opened|ending|destroyed)", "What became of a study", "opened")
]
HoldReason = Annotated[
    str, _pattern("(evidence|investigation)", "Why it must be kept (ERL 85)", "evidence")
]
Words = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="Public words, not about a person",
         examples=["鲁政发〔2026〕3号"]),
]  # fmt: skip
Key = Annotated[
    str, Meta(min_length=1, max_length=200, description="Public key", examples=["MCowBQYDK2VwAyEA"])
]
Rule = Annotated[
    str,
    Meta(min_length=1, max_length=200, description="Rule of the standard",
         examples=["retain/residential-entry/2-IV"]),
]  # fmt: skip
Count = Annotated[int, Meta(ge=0, le=2**53 - 1, description="Count", examples=[412])]
Number = Annotated[
    int,
    Meta(ge=0, le=LARGEST_NUMBER, description="Number of the record in its bucket", examples=[90]),
]
Bilingual = Annotated[
    Mapping[str, Words],
    Meta(
        description="In Chinese and English",
        examples=[{"en": "Jinan", "zh": "济南"}],
        extra_json_schema={
            "required": ["en", "zh"],
            "propertyNames": {"enum": ["en", "zh"]},
        },
    ),
]
Yes = Annotated[bool, Meta(description="Yes or no", examples=[True])]
Version = Annotated[int, Meta(ge=1, le=2**31, description="Version, from 1", examples=[3])]
Block = Annotated[int, Meta(ge=0, lt=4096, description="Block of 4,096 numbers", examples=[0])]
Codes = Annotated[Sequence[Code], Meta(max_length=200)]
Circumstances = Annotated[Sequence[Circumstance], Meta(max_length=100)]
Parts = Annotated[Sequence[Part], Meta(min_length=1, max_length=40)]
Languages = Annotated[Sequence[Language], Meta(min_length=1, max_length=20)]
Ids = Annotated[Sequence[Id], Meta(max_length=200)]
