"""Made-up submissions of the measured form, and an installation filled with them the way imports are.

Filling goes past HTTP but not past anything else: each record is checked, sealed, tagged, entered and
committed by the functions that serve.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

from epilock.assemble import Parts
from epilock.collect.form import Form, Submission
from epilock.standard.level import CHINA

BATCH = 512


def answers(n: int) -> dict[str, str]:
    """Return what the person number ``n`` writes into the form."""
    return {
        "name": f"张{chr(0x4E00 + n % 5000)}{chr(0x4E00 + n // 5000 % 5000)}",
        "mobile": f"138{n % 10**8:08d}", "temperature": f"36.{n % 10}", "check_in": "东门",
    }  # fmt: skip


def submissions(form: Form, first: int = 0) -> Iterator[Submission]:
    """Yield submissions of different persons without end, each with a client id of its own."""
    acts = list(form.acts.ids)
    while True:
        client = str(UUID(int=first, version=4))
        yield Submission(
            client=client, notice=form.notice, language="zh", given=acts, fields=answers(first)
        )
        first += 1


def fill(parts: Parts, form: Form, count: int, *, now: datetime) -> None:
    """Store ``count`` records of the day of ``now``.

    Raises:
        Exception: One of them was refused.
    """
    today = now.astimezone(CHINA).date()
    coming = submissions(form)
    for start in range(0, count, BATCH):
        some = islice(coming, min(BATCH, count - start))
        batch = [form.accept(each, today=today) for each in some]
        for stored in parts.keeper.store(batch, now=now):
            if isinstance(stored, Exception):
                raise stored
