"""Questions to records: whose, of which days, counted by what; and, where the standard wants noise, at what price. Pure.

For a purpose that needs a budget a question is answered with noise (``deidentify.noise``). Its dataset is the
organisation's records of one circumstance in one emergency; its account, that of who asks, by organisation.

Rules kept in this file:
  1. Values that are to be counted apart are named by who asks, never read from the records: one that stands
     in a table only where somebody has it would tell of that person. Days are named by the range.
  2. A person is protected with one record a day: a question about n days lets one person change n rows, and
     has n times the noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from epilock.deidentify.noise.answer import Answer, answer
from epilock.deidentify.noise.budget import Account
from epilock.deidentify.noise.query import Histogram, Request

DAY = "day"
COLUMN = "counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be counted.

    Attributes:
        source: Organisation that collected the records.
        emergency, circumstance: Of its records.
        since, until: First and last day (China), both counted.
        counted: The category whose values are counted, or ``day``.
    """

    source: str
    emergency: str
    circumstance: str
    since: date
    until: date
    counted: str

    @property
    def days(self) -> int:
        """How many days it is about."""
        return (self.until - self.since).days + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How a question is to be answered with noise.

    Attributes:
        epsilon: Its price, in micro-epsilon.
        values: The values that are counted apart; all others, and none, are ``others``. Of days none.
    """

    epsilon: int
    values: tuple[str, ...] = ()


def account_of(question: Question, purpose: str, recipient: str) -> Account:
    """Return whose budget pays for the answer."""
    return Account(
        org=question.source, dataset=dataset_of(question.circumstance, question.emergency),
        purpose=purpose, recipient=recipient,
    )  # fmt: skip


def dataset_of(circumstance: str, emergency: str) -> str:
    """Return the code of a dataset of records, such as ``sampling--outbreak-7``."""
    return f"{circumstance}--{emergency}"


def request_of(question: Question, noise: Noise) -> Request:
    """Return the question as the noise takes it.

    Raises:
        InputError: A value is named twice, or none is; or the price is none.
    """
    range_ = [(question.since + timedelta(days=n)).isoformat() for n in range(question.days)]
    values = range_ if question.counted == DAY else noise.values
    return Request(
        query=Histogram(column=COLUMN, categories=sorted(values)), epsilon=noise.epsilon,
        contributions=question.days,
    )  # fmt: skip


def draw(request: Request, counts: Mapping[str, int]) -> Answer:
    """Return a new answer to ``request`` about exact ``counts``, which must not leave."""
    values = pa.array(list(counts), pa.string())
    places = np.repeat(np.arange(len(counts), dtype=np.int32), list(counts.values()))
    rows = pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), values)
    return answer(request, pa.table({COLUMN: rows}))
