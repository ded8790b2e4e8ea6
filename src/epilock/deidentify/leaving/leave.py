"""How a release leaves: reviewed while it is written, announced before its file has its name, completed after.

The order, and what a crash leaves:
  1. ``leaving`` locks the data set in the register, where there is one.
  2. Batches pass ``watch`` on their way to a file that has no name yet. A crash leaves nothing.
  3. ``passed`` reviews. Who is refused gets no file; else the release is announced.
  4. The file gets its name. A crash before or here leaves an announced release that perhaps never left.
  5. ``left`` notes the hash of the file.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from epilock.deidentify.criteria.model import DistinctLDiversity, KAnonymity, Model
from epilock.deidentify.leaving import register as registers
from epilock.deidentify.leaving.register import Registered, Shelf
from epilock.deidentify.leaving.review import Review, Reviewed, Rule
from epilock.errors import InputError


class Leave:
    """One release on its way out; see the order above.

    Attributes:
        review: What counts it.
        rule: By which it is judged, or None.
        reviewed: What the review found, once it passed one.
    """

    def __init__(
        self, review: Review, rule: Rule | None, record: str | None, shelf: Shelf | None
    ) -> None:
        self.review, self.rule = review, rule
        self.reviewed: Reviewed | None = None
        self._record, self._shelf = record, shelf
        self._announced: Registered | None = None

    def schema(self, released: pa.Schema) -> pa.Schema:
        """Return the columns of the file: those ``released`` but for the records' ids."""
        return pa.schema([each for each in released if each.name != self._record])

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield what may be written of ``batches``; see ``review.Review.watch``."""
        return self.review.watch(batches)

    def passed(
        self, *, levels: Mapping[str, int] | None, suppressed: int, now: datetime
    ) -> Reviewed | None:
        """Return what the review found, None without a rule; call it when all is written, before the name.

        Raises:
            RefusedError: It may not leave.
        """
        if self.rule is None:
            return None
        self.reviewed = self.review.conclude(
            self.rule, () if self._shelf is None else self._shelf.earlier()
        )
        if self._shelf is not None:
            self._announced = self._shelf.announce(
                self.reviewed, self.review.assignment(), quasi=self.review.quasi, levels=levels,
                suppressed=suppressed, now=now,
            )  # fmt: skip
        return self.reviewed

    def left(self, out: Path) -> str:
        """Return the SHA-256 of the file ``out``, which has its name now, and note it in the register."""
        sha256 = registers.sha256_of(out)
        if self._shelf is not None and self._announced is not None:
            self._shelf.complete(self._announced.number, sha256)
        return sha256


@contextmanager
def leaving(
    quasi: Sequence[str],
    *,
    rule: Rule | None = None,
    register: Path | None = None,
    dataset: str | None = None,
    record: str | None = None,
) -> Iterator[Leave]:
    """Give what a release with the quasi-identifiers ``quasi`` leaves by.

    Args:
        quasi: Its quasi-identifiers.
        rule: What it is held to; a register needs one (``rule_of_models`` makes one of what was asked).
        register: Directory of the register of releases.
        dataset: Name of the data set there.
        record: Column of the records' ids, which the recoding passes on and the file never gets.

    Raises:
        InputError: A register is named without a rule, a data set or a column of ids.
    """
    if register is None:
        yield Leave(Review(quasi, record=record), rule, record, None)
        return
    if rule is None or dataset is None or record is None:
        raise InputError(
            "a register holds releases of one data set against each other by the records' ids: name dataset"
            " and record in the configuration, and a rule"
        )
    with registers.opened(register, dataset) as shelf:
        yield Leave(Review(quasi, record=record, key=shelf.key), rule, record, shelf)


def rule_of_models(models: Sequence[Model]) -> Rule:
    """Return the rule that ``models`` come to by themselves: their k, and their l.

    Raises:
        InputError: None is k-anonymity, so that nothing bounds what several releases tell apart.
    """
    ks = [each.k for each in models if isinstance(each, KAnonymity)]
    if not ks:
        raise InputError(
            "releases are held against each other by the k of k-anonymity, and no model has one: add"
            ' [[models]] kind = "k-anonymity", or name the rule of a circumstance'
        )
    return Rule(
        k=max(ks), l=max([1, *(each.l for each in models if isinstance(each, DistinctLDiversity))])
    )
