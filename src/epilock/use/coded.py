"""Codes for display: who a record is about, as a code of a study (form ``pseudonymous``). Pure.

Rules kept in this file:
  1. What a person is found by is shown as the study's code (``deidentify.pseudonym``), the same wherever the
     person appears in that study; another kind of identifier has another code.
  2. What else tells who somebody is, their day of birth and what speaks of others are masked, and grade 4 too;
     all else is shown.
"""

import pyarrow as pa

from epilock.deidentify.pseudonyms.pseudonym import KINDS, pseudonyms
from epilock.standard import Standard
from epilock.store.tags import SUBJECTS
from epilock.use.mask import mask, tells_who

_GRADE_4 = 4
_OF_OTHERS = frozenset({"tracing.exposure"})  # texts that name whom somebody met


def coded(standard: Standard, category: str, value: str, key: bytes) -> str:
    """Return ``value`` as it is displayed under a study's ``key``."""
    kind = SUBJECTS.get(category)
    if kind is not None:
        codes = pseudonyms(key, kind, pa.array([value], pa.string()), form=KINDS[kind])
        return codes[0].as_py() or ""
    known = standard.categories[category]
    hidden = (
        tells_who(standard, category)
        or category in _OF_OTHERS
        or known.mask == "date"
        or known.grade == _GRADE_4
    )
    return mask(standard, category, value) if hidden else value
