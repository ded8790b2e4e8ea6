"""The judge of a table: all models together, at one node after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria import kernels, model
from epilock.deidentify.criteria.metric import Facts
from epilock.deidentify.criteria.model import ClassModel, Model, ReleaseModel, Sensitive
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Counted
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Judge:
    """Models bound to the sensitive attributes of one table.

    Attributes:
        class_models: Each with its sensitive attribute.
        release_models: Those that the kept classes satisfy together.
        least: Rows that a class needs at least to be kept.
        by_size: Whether a class fails by its number of rows alone.
    """

    class_models: tuple[tuple[ClassModel, Sensitive | None], ...]
    release_models: tuple[ReleaseModel, ...]
    least: int
    by_size: bool

    @classmethod
    def of(
        cls,
        models: Sequence[Model],
        counted: Counted,
        sensitive: Sequence[str] = (),
        hierarchies: Mapping[str, Hierarchy] | None = None,
    ) -> "Judge":
        """Return the judge of ``models`` for what was ``counted`` with these ``sensitive`` columns.

        Raises:
            InputError: No model, a model's attribute was not counted, or its hierarchy does not fit.
        """
        if not models:
            raise InputError("a release needs at least one privacy model, such as k-anonymity")
        known = {
            name: model.sensitive_of(
                i, name, counted.values[i], counted.classes.histograms[i].table(),
                (hierarchies or {}).get(name),
            )
            for i, name in enumerate(sensitive)
        }  # fmt: skip
        bound: list[tuple[ClassModel, Sensitive | None]] = []
        release: list[ReleaseModel] = []
        for each in models:
            if isinstance(each, ReleaseModel):
                release.append(each)
                continue
            if each.attribute is not None and each.attribute not in known:
                raise InputError(
                    f"{each.kind}: {each.attribute} is no sensitive column of this table"
                )
            bound.append((each, None if each.attribute is None else known[each.attribute]))
        least = max([1, *(each.least for each, _ in bound)])
        by_size = not release and all(
            isinstance(each, model.KAnonymity)
            or (isinstance(each, model.StrictRisk) and each.adversary == "prosecutor")
            for each, _ in bound
        )
        return cls(tuple(bound), tuple(release), least, by_size)

    def judge(self, classes: Classes) -> tuple[npt.NDArray[np.bool_], Facts]:
        """Return which ``classes`` are suppressed, and what that comes to."""
        fails = np.zeros(len(classes), np.bool_)
        must = np.zeros(len(classes), np.int64)
        for each, sensitive in self.class_models:
            each.judge(classes, sensitive, fails, must)
        if self.release_models:
            model.judge_release(self.release_models, classes, fails)
        return fails, Facts(*kernels.facts(classes.counts, fails, must, self.least))
