"""A form: what one notice version asks, compiled so that a submission is checked in microseconds.

Rules kept in this file:
  1. What the form does not ask is refused, not dropped: an unknown field is an error.
  2. An answer counts only with the act that its category needs; left empty it needs none.
  3. A refusal names fields and says what to do; it never repeats a value.
  4. Nothing here stores, logs or reads a clock; ``accept`` gives back what ``record`` seals.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

import msgspec

from epilock.collect.answer import EMPTY, Check, Problem, check_address
from epilock.collect.consent import GUARDIAN, Acts
from epilock.collect.identifier import CHECKS, YES_NO
from epilock.collect.point import Field, Point
from epilock.errors import (
    ConsentError,
    FieldProblem,
    FieldsError,
    FileFormatError,
    InputError,
    StaleNoticeError,
    TooLargeError,
)
from epilock.standard import Standard

MAX_BODY = 65_536  # bytes of one submission
ADULT, UNDER_14, UNDER_18 = 0, 1, 2  # records.minor

Plain = dict[str, dict[str, dict[str, str]]]  # part, category, field id, value

_PROBLEM_UNKNOWN = Problem(
    "unknown-field",
    "表单没有这一项，请不要填写。",
    "The form does not ask this; please leave it out.",
)
_PROBLEM_ONE_OF = Problem(
    "one-of", "以下几项请至少填写一项。", "Please fill in at least one of these fields."
)


class Submission(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What a person sends: the notice they read, what they authorised, what they filled in.

    Attributes:
        client: UUID of this filled form; the same one again gives the same receipt.
        notice: SHA-256 (hex) of the notice that was shown.
        language: ``zh`` or ``en``, as shown.
        given: Acts of authorisation, such as ``purpose:tracing``.
        fields: Field id to what was typed.
    """

    client: str
    notice: str
    given: list[str]
    fields: dict[str, str]
    language: str = "zh"


_DECODER = msgspec.json.Decoder(Submission)


def parse(body: bytes) -> Submission:
    """Return the submission in a JSON ``body`` of at most 64 KiB.

    Raises:
        TooLargeError: The body is larger.
        FileFormatError: It is not JSON of this shape; the message names the place.
    """
    if len(body) > MAX_BODY:
        raise TooLargeError(f"a submission is at most {MAX_BODY} bytes")
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise FileFormatError(f"the submission: {_without_values(error)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise FileFormatError("the submission is not JSON in UTF-8") from None


def _without_values(error: msgspec.ValidationError) -> str:
    """Return msgspec's message, which names types and our own keys; a key of the sender's is cut."""
    text = str(error)
    return text if "unknown field" not in text else "it has a field that is not asked"


class Leased(NamedTuple):
    """Under which lease, and on which day, a form was filled in without a network, and the box it was in (``offline``).

    Attributes:
        lease: Code of the lease.
        day: The day it was filled in.
        box: SHA-256 of the sealed box, 32 bytes.
    """

    lease: str
    day: date
    box: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    """A submission that may be stored.

    Attributes:
        form: The form it was accepted by.
        client: 16 bytes; of a form that was filled in without a network, its receipt id.
        given: Bit i stands for ``form.acts.ids[i]``.
        language: ``zh`` or ``en``.
        plain: The normalised answers.
        parts: Part name to its plaintext: the canonical JSON of its answers.
        minor: ``ADULT``, ``UNDER_14`` or ``UNDER_18``.
        leased: Set if it was filled in without a network.
    """

    form: "Form"
    client: bytes
    given: int
    language: str
    plain: Plain
    parts: dict[str, bytes]
    minor: int
    leased: Leased | None = None


class _Step(NamedTuple):
    id: str
    category: str
    check: Check
    part: str
    act: str
    bit: int
    optional: bool
    age: "Callable[[str, date], int] | None"


class Form:
    """The compiled form of one notice version of one point.

    Attributes:
        point: The point as it was when the notice was issued.
        version: The notice's version.
        notice: The notice's SHA-256, hex.
        guards_all: Whether it is about children alone, so that a guardian always agrees.
        level: Response level it was issued at.
        fields: What is asked, in order.
        acts: The acts of authorisation of the notice.
        consented: Ids of those that are consent and no mere acknowledgement.
        needed: Ids of the fields that must be filled in.
    """

    def __init__(
        self,
        standard: Standard,
        point: Point,
        *,
        level: str,
        version: int,
        notice: str,
        acts: Acts,
    ) -> None:
        self.point = point
        self.level = level
        self.version = version
        self.notice = notice
        self.acts = acts
        self.fields = point.active(standard, level)
        self.by_id = {f.id: f for f in self.fields}
        self._bits = {act: 1 << i for i, act in enumerate(acts.ids)}
        self._required = sum(self._bits[act] for act in acts.required)
        part_of = {f.id: standard.part_of(point.circumstance, f.category).name for f in self.fields}
        self._steps = tuple(self._step(f, part_of[f.id]) for f in self.fields)
        self._one_of = _one_of(standard, point.circumstance, self.fields)
        self.consented = frozenset(act.id for act in acts.items if act.consent)
        self.needed = frozenset(
            f.id for f in self.fields if not f.optional and f.id not in self._one_of
        )
        self._acknowledged = sum(self._bits[act.id] for act in acts.items if not act.consent)
        self.guards_all = any(f.category == "family.guardian" for f in self.fields)

    def accept(self, submission: Submission, *, today: date) -> Accepted:
        """Return what may be stored of ``submission``; ``today`` is the calendar day in China.

        Raises:
            StaleNoticeError: Another version of the notice was read.
            FieldsError: Fields are unknown, missing or not as they should be.
            ConsentError: An act is missing.
            InputError: The client id or language is not one.
        """
        if submission.notice != self.notice:
            raise StaleNoticeError(
                f"the notice has changed (version {self.version} is in force): "
                "please read it and authorise again"
            )
        client = client_id(submission.client)
        if submission.language not in self.point.languages:
            raise InputError(f"language must be one of {', '.join(self.point.languages)}")
        bits = self._given(submission.given)
        plain, minor = self._check(submission.fields, bits, today)
        if minor == UNDER_14 and not bits & self._bits.get(GUARDIAN, bits):
            raise ConsentError([GUARDIAN])
        return self._accepted(client, bits, submission.language, plain, minor)

    def check_row(
        self, answers: dict[str, str], given: Collection[str], *, afterwards: bool, today: date
    ) -> tuple[Plain, int, int]:
        """Return normalised answers, age group and bits of acts of one row of an import.

        Args:
            answers: Field id to cell.
            given: The acts that the list says were given.
            afterwards: The persons will be told (PIPL 18): what is only acknowledged is not claimed.
            today: The calendar day in China.

        Raises:
            FieldsError: Fields are unknown, missing or not as they should be.
            ConsentError: An act is missing.
        """
        bits = sum(self._bits[act] for act in given)
        claimed = bits | self._acknowledged
        if not afterwards:
            bits = claimed
            if bits & self._required != self._required:
                raise ConsentError(
                    [a for a in self.acts.ids if self._bits[a] & self._required & ~bits]
                )
        plain, minor = self._check(answers, claimed, today)
        if minor == UNDER_14 and not afterwards and not bits & self._bits.get(GUARDIAN, bits):
            raise ConsentError([GUARDIAN])
        return plain, minor, bits

    def _accepted(
        self, client: bytes, given: int, language: str, plain: Plain, minor: int
    ) -> Accepted:
        encode = msgspec.json.encode
        parts = {part: encode(answers, order="sorted") for part, answers in plain.items()}
        return Accepted(self, client, given, language, plain, parts, minor)

    def given_acts(self, bits: int) -> tuple[str, ...]:
        """Return the acts that the bit mask of a record stands for."""
        return tuple(act for act, bit in self._bits.items() if bits & bit)

    def _given(self, given: list[str]) -> int:
        bits = 0
        for act in given:
            bit = self._bits.get(act)
            if bit is None:
                raise InputError("an authorisation was given that this notice does not ask for")
            bits |= bit
        if bits & self._required != self._required:
            raise ConsentError([a for a in self.acts.ids if self._bits[a] & self._required & ~bits])
        return bits

    def _step(self, field: Field, part: str) -> "_Step":
        act = self.acts.by_category.get(field.category, "")
        return _Step(
            field.id, field.category, check_address if field.words else CHECKS[field.category], part, act,
            self._bits.get(act, 0), field.optional, None if field.words else _AGES.get(field.category),
        )  # fmt: skip

    def _check(self, answers: dict[str, str], bits: int, today: date) -> tuple[Plain, int]:
        problems: list[FieldProblem] = []
        if not answers.keys() <= self.by_id.keys():
            problems.append(_PROBLEM_UNKNOWN.at("-"))
        plain: Plain = {}
        missing: list[str] = []
        ages: dict[bool, int] = {}  # by whether a day of birth tells it
        for step in self._steps:
            typed = answers.get(step.id)
            if not typed or typed.isspace():
                if not (step.optional or step.id in self._one_of):
                    problems.append(EMPTY.at(step.id))
                continue
            if bits & step.bit != step.bit:
                missing.append(step.act)
            value = step.check(typed, today=today)
            if isinstance(value, Problem):
                problems.append(value.at(step.id))
                continue
            plain.setdefault(step.part, {}).setdefault(step.category, {})[step.id] = value
            if step.age is not None:
                exact, age = step.age in _EXACT, step.age(value, today)
                ages[exact] = min(age, ages.get(exact, ADULT), key=_YOUNGEST.index)
        self._check_one_of(plain, problems)
        if problems:
            raise FieldsError(problems)
        if missing:
            raise ConsentError(list(dict.fromkeys(missing)))
        default = UNDER_14 if self.guards_all else ADULT
        return plain, ages.get(True, ages.get(False, default))

    def _check_one_of(self, plain: Plain, problems: list[FieldProblem]) -> None:
        if not self._one_of:
            return
        named = {p.field for p in problems}
        answered = {i for part in plain.values() for ids in part.values() for i in ids}
        problems.extend(
            _PROBLEM_ONE_OF.at(min(group))
            for group in set(self._one_of.values())
            if not group & answered and not group & named
        )


def _one_of(
    standard: Standard, circumstance: str, fields: tuple[Field, ...]
) -> dict[str, frozenset[str]]:
    """Return, for each field of a group of which one answer is enough, the ids of its group."""
    found: dict[str, frozenset[str]] = {}
    for group in standard.circumstances[circumstance].one_of:
        ids = frozenset(f.id for f in fields if f.category in group)
        if len({f.category for f in fields if f.id in ids}) > 1:
            found.update(dict.fromkeys(ids, ids))
    return found


def client_id(text: str) -> bytes:
    """Return the 16 bytes of the id that a client chose.

    Raises:
        InputError: It is no UUID.
    """
    try:
        return UUID(text).bytes
    except ValueError:
        raise InputError("client must be a UUID, new for each filled form") from None


def _minor(birth: date, today: date) -> int:
    age = today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))
    if age < 14:  # noqa: PLR2004 - PIPL 31
        return UNDER_14
    return UNDER_18 if age < 18 else ADULT  # noqa: PLR2004 - Minors Protection Law 2


def _minor_by_id(value: str, today: date) -> int:
    return _minor(date(int(value[6:10]), int(value[10:12]), int(value[12:14])), today)


def _minor_by_date(value: str, today: date) -> int:
    return _minor(date.fromisoformat(value), today)


def _minor_by_band(value: str, today: date) -> int:
    """Tell the age group of a band: one that reaches below an age may be of somebody below it."""
    del today
    low = int(value.partition("-")[0].removesuffix("+"))
    if low < 14:  # noqa: PLR2004 - PIPL 31
        return UNDER_14
    return UNDER_18 if low < 18 else ADULT  # noqa: PLR2004 - Minors Protection Law 2


_YES = YES_NO[0].code
_YOUNGEST = (UNDER_14, UNDER_18, ADULT)
_EXACT = frozenset({_minor_by_id, _minor_by_date})
_AGES: Mapping[str, Callable[[str, date], int]] = {
    "identity.resident-id": _minor_by_id,
    "identity.birth-date": _minor_by_date,
    "identity.age-band": _minor_by_band,
    "identity.minor-under-14": lambda value, _: UNDER_14 if value == _YES else ADULT,
    "identity.minor-14-17": lambda value, _: UNDER_18 if value == _YES else ADULT,
}
