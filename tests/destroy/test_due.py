"""What the calendar promises: each living part has its day, the next to go first, and nobody goes early."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from estate import CLINIC, DAY, GATE, ORG, OTHER, VACCINE, midnight_after, noon

from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.errors import HeldError, InputError, NotDueError
from epilock.ledger.audit import GRACE
from epilock.store import bucket as buckets

DUE = midnight_after(DAY + timedelta(days=28))


def calendar(estate, now=noon(DAY), **how):  # noqa: B008 - an instant, made once
    with estate.database.read() as tx:
        return dues.calendar(tx, estate.standard, now=now, **how)


def asked(estate, until):
    """How many statements the calendar up to an instant takes."""
    seen, engine = [], estate.database.engine

    def note(*what) -> None:
        seen.append(what)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert calendar(estate, until=until)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    return len(seen)


def hold(estate, bucket, days):
    with estate.database.write() as tx:
        return holds.place(
            tx, estate.log, standard_ref=estate.ref, org=bucket.org, bucket=bucket.id,
            assessment=estate.held_by, reason="evidence", last_day=DAY + timedelta(days=days),
            by="s-anna", now=noon(DAY),
        )  # fmt: skip


class TestCalendar:
    def test_every_living_part_the_next_to_go_first(self, estate):
        late = estate.bucket(day=DAY + timedelta(days=2))
        soon = estate.bucket(day=DAY)
        found = calendar(estate)
        assert [d.bucket for d in found] == [soon] * len(soon.parts) + [late] * len(late.parts)
        assert [d.part for d in found] == [*soon.parts, *late.parts]
        assert {d.due.at for d in found} == {DUE, DUE + timedelta(days=2)}

    def test_a_bucket_in_it_is_the_bucket_of_the_store(self, estate):
        """It is read in one query; the store would read it row by row."""
        bucket = estate.bucket()
        estate.level("III", noon(DAY))
        estate.run(midnight_after(DAY + timedelta(days=7)))
        (found,) = {d.bucket for d in calendar(estate)}
        with estate.database.read() as tx:
            assert found == buckets.load(tx, ORG, bucket.id)
        assert set(found.live) < set(found.parts)

    def test_of_one_organisation(self, estate):
        estate.bucket()
        theirs = estate.bucket(org=OTHER)
        assert {d.bucket for d in calendar(estate, org=OTHER)} == {theirs}

    def test_what_falls_due_in_the_next_days(self, estate):
        estate.bucket(day=DAY)
        estate.bucket(day=DAY + timedelta(days=2))
        found = calendar(estate, until=DUE + timedelta(days=1))
        assert {d.due.at for d in found} == {DUE}

    @pytest.mark.parametrize("org", [None, ORG, OTHER])
    def test_up_to_any_instant_it_is_the_beginning_of_the_whole_one(self, estate, org):
        """Though what is not due by then is not read."""
        for n, where in enumerate((GATE, CLINIC, VACCINE, "fever-clinic", "accommodation")):
            estate.bucket(
                1, circumstance=where, day=DAY + timedelta(days=n), org=(ORG, OTHER)[n % 2]
            )
        estate.level("IV", noon(DAY + timedelta(days=3)))
        whole = [d for d in calendar(estate, org=org) if d.due.at is not None]
        assert len(whole) > 4
        for at in sorted({d.due.at for d in whole}):
            for until in (at, at + timedelta(seconds=1)):
                assert calendar(estate, org=org, until=until) == [
                    d for d in whole if d.due.at < until
                ]

    def test_what_falls_due_takes_the_same_statements_for_any_number_of_buckets(self, estate):
        estate.bucket(1)
        few = asked(estate, DUE + timedelta(days=99))
        for n in range(12):
            estate.bucket(1, day=DAY + timedelta(days=n), org=(ORG, OTHER)[n % 2])
        assert asked(estate, DUE + timedelta(days=99)) == few

    def test_what_has_no_day_yet_comes_last(self, estate):
        estate.bucket()
        estate.bucket(circumstance="fever-clinic")
        found = calendar(estate)
        assert found[-1].due.at is None
        assert found[-1].bucket.circumstance == "fever-clinic"
        assert not found[-1].is_due(DUE + timedelta(days=9999))

    def test_a_hold_is_shown_and_keeps_it(self, estate):
        estate.held_by = estate.assess()
        placed = hold(estate, estate.bucket(), 40)
        found = calendar(estate, DUE)
        assert {d.hold for d in found} == {placed}
        assert not any(d.is_due(DUE) for d in found)

    def test_overdue_is_later_than_the_monitors_grace(self, estate):
        estate.bucket()
        (first, *_) = calendar(estate, DUE)
        assert first.is_due(DUE)
        assert not first.is_overdue(DUE + GRACE - timedelta(seconds=1))
        assert first.is_overdue(DUE + GRACE)

    def test_a_part_that_the_standard_does_not_know_is_listed_and_never_due(self, estate):
        """Another version of the standard made it: a person must look at it."""
        bucket = estate.bucket()
        with estate.database.write() as tx:
            tx.insert(
                buckets.bucket_parts, org=ORG, bucket=bucket.id, part="4-N-old", state="live",
                changed=noon(DAY),
            )  # fmt: skip
        (found,) = [d for d in calendar(estate) if d.part == "4-N-old"]
        assert (found.due.at, found.due.rule) == (None, f"not-in-standard/{GATE}/4-N-old")
        estate.run(DUE)
        assert estate.states(bucket)["4-N-old"] == "live"
        with pytest.raises(InputError), estate.database.read() as tx:
            dues.check_due(tx, estate.standard, bucket, "4-N-old", now=DUE)

    def test_the_log_alone_gives_the_same_days(self, estate):
        """A stranger who has the log and the standard knows every day that the calendar knows."""
        for where in (GATE, CLINIC, VACCINE, "fever-clinic", "accommodation"):
            estate.bucket(1, circumstance=where)
        estate.level("IV", noon(DAY))
        known = [d for d in calendar(estate) if d.due.at is not None]
        assert {d.bucket.circumstance for d in known} >= {GATE, CLINIC, VACCINE}
        for d in known:
            about = f"{d.bucket.name} {d.part}"
            before = estate.findings(d.due.at - timedelta(seconds=1))
            assert ("due", about) not in before
            assert ("overdue", about) not in before
            assert ("due", about) in estate.findings(d.due.at)


class TestCheckDue:
    def check(self, estate, bucket, now):
        with estate.database.read() as tx:
            return dues.check_due(tx, estate.standard, bucket, bucket.parts[0], now=now)

    def test_before_its_day_the_rule_and_the_day_are_named(self, estate):
        bucket = estate.bucket()
        with pytest.raises(NotDueError, match="kept until 2026-04-11") as refused:
            self.check(estate, bucket, DUE - timedelta(seconds=1))
        assert refused.value.rule == f"retain/{GATE}/standard/I"
        assert refused.value.source == ("ERL-85", "PIPL-47")
        assert "their own record" in refused.value.allowed

    def test_on_its_day(self, estate):
        assert self.check(estate, estate.bucket(), DUE).at == DUE

    def test_what_lasts_as_long_as_the_emergency(self, estate):
        bucket = estate.bucket(circumstance="fever-clinic")
        with pytest.raises(NotDueError, match="30 days after the emergency's end"):
            self.check(estate, bucket, DUE)

    def test_under_a_hold(self, estate):
        estate.held_by = estate.assess()
        bucket = estate.bucket()
        hold(estate, bucket, 40)
        with pytest.raises(HeldError):
            self.check(estate, bucket, DUE)
