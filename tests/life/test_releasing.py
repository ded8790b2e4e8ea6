"""Releasing: asked, tried out, approved by another, handed out; and what is left when people have gone."""

import csv
import hashlib
import io
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from relief import DAY, FIELDS, Relief

from epilock import inventory
from epilock.beside import Works
from epilock.destroy.move import Mover
from epilock.errors import (
    ApprovalError,
    ErasedError,
    ForbiddenError,
    InputError,
    NotFoundError,
    StateError,
)
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.store import bucket as buckets
from epilock.store import lines, removal
from epilock.store.lines import Lines, release_lines
from epilock.use import search
from epilock.use.release import file, register
from epilock.use.release.file import REPORT, TABLE, release_files
from epilock.use.release.reading import open_records
from epilock.use.release.register import releases
from epilock.use.release.run import PATIENCE, Maker


@pytest.fixture
def relief(town):
    return Relief(town)


@pytest.fixture
def yesterday(town, relief):
    """Forty people of each of two streets, and the day is over."""
    places = relief.register(40), relief.register(40, "千佛山街道")
    town.clock.forward(days=1)
    return places


def text_of(relief, found, kind=TABLE):
    with relief.parts.database.read() as tx:
        return file.read(tx, relief.parts.keys, found.org, found.release, kind).decode()


def rows_of(relief, found):
    return list(csv.reader(io.StringIO(text_of(relief, found))))


def stored(relief, *tables):
    """Everything that the database holds in some tables, as one text."""
    with relief.parts.database.read() as tx:
        return str([list(tx.conn.execute(sa.select(table))) for table in tables])


def count(relief, table):
    with relief.parts.database.read() as tx:
        return tx.conn.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


class TestRelease:
    def test_from_question_to_file(self, relief, yesterday):
        found = relief.previewed()
        assert (found.stage, found.found["classes"], found.found["smallest"]) == (
            "previewed",
            4,
            20,
        )
        assert found.found["levels"] == {"contact.address": 1, "need.household-size": 0}
        left = relief.step(relief.judge(relief.request(found)))
        assert left.stage == "approved"
        header, *rows = rows_of(relief, left)
        assert header == list(FIELDS)
        assert rows == sorted(rows)
        assert len(rows) == 80
        assert {row[0] for row in rows} == {
            "山东省济南市历下区泉城路街道",
            "山东省济南市历下区千佛山街道",
        }
        (said,) = relief.said(entry.Release)
        assert said.sha256 == hashlib.sha256(text_of(relief, left).encode()).hexdigest()
        assert (said.rows, said.smallest, said.k, said.earlier) == (80, 20, 20, 0)
        assert said.sha256 in text_of(relief, left, REPORT)

    def test_nobody_stands_in_what_is_kept(self, relief, yesterday):
        """Neither in the register nor in the entries: who, where they live, what they lost."""
        relief.released()
        kept = stored(relief, releases, release_files, release_lines)
        kept += str(relief.said(entry.ReleaseDecision, entry.Release, entry.Approval))
        for known in ("欧阳", "139123", "370102199003070913", "泉城路", "roof"):
            assert known not in kept

    def test_who_withdrew_after_the_preview_is_not_in_it(self, relief, yesterday):
        """The approval is void: the table is previewed anew, and must be approved again."""
        found = relief.judge(relief.request(relief.previewed()))
        relief.erase(yesterday[1][0])
        again = relief.step(found)
        assert (again.stage, again.problem["kind"], again.approved_by) == (
            "previewed",
            "changed",
            None,
        )
        assert relief.said(entry.Release) == []
        with pytest.raises(NotFoundError):
            text_of(relief, again)

    def test_what_is_approved_is_what_was_read(self, relief, yesterday):
        """A form that lay open while the records changed approves nothing."""
        found = relief.request(relief.previewed())
        with pytest.raises(StateError, match="not what you read"):
            relief.judge(replace(found, sha256="0" * 64))

    def test_no_cell_is_computed_by_a_spreadsheet(self, relief, town):
        relief.register(30, loss="=1+1")
        town.clock.forward(days=1)
        rows = rows_of(relief, relief.released())
        assert {row[-1] for row in rows[1:]} == {"'=1+1"}

    def test_what_one_person_wrote_freely_is_hidden(self, relief, town):
        """Ten must have said the same before it is said; who did not give the purpose is not in it."""
        relief.register(30, loss="roof")
        relief.register(9, loss="my neighbour Zhao's house too")
        relief.register(12, loss="car", without=("purpose:governance",))
        town.clock.forward(days=1)
        left = relief.released(fields={**FIELDS, "need.household-size": "whole"}, suppressed=0)
        _, *rows = rows_of(relief, left)
        assert sorted({row[2] for row in rows}) == ["*", "roof"]
        assert len(rows) == 39


class TestDecision:
    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"until": DAY + timedelta(days=1)}, "release/day-not-over"),
            ({"since": DAY - timedelta(days=9), "until": DAY - timedelta(days=1)}, "release/too-few"),
            ({"source": "street"}, "grant/other-purpose"),
            ({"circumstance": "supplies", "fields": {"need.supplies": "whole"}}, "grant/other-circumstance"),
        ],
    )  # fmt: skip
    def test_a_refusal_is_an_entry_too(self, relief, yesterday, change, rule):
        found = relief.ask(**change)
        assert (found.verdict, found.rule, found.stage, found.number) == (
            "refused",
            rule,
            "refused",
            0,
        )
        (said,) = relief.said(entry.ReleaseDecision)
        assert (said.verdict, said.rule, said.records) == ("refused", rule, 0)
        with relief.parts.database.read() as tx, pytest.raises(ForbiddenError):
            open_records(relief.parts.gate, tx, found)

    @pytest.mark.parametrize(
        "fields",
        [
            {"identity.name": "sensitive"},
            {"contact.mobile": "whole"},
            {"finance.bank-account": "sensitive"},
            {"contact.address": "whole"},
            {"relief.loss": "sensitive"},
            {"day": "date"},
        ],
    )
    def test_what_tells_who_can_not_be_asked_for(self, relief, fields):
        with pytest.raises(InputError):
            relief.ask(fields=fields)
        assert relief.said(entry.ReleaseDecision) == []

    def test_nothing_opens_before_it_is_committed(self, relief, yesterday, town):
        decided = []

        def crash():
            with relief.parts.database.write() as tx:
                decided.append(
                    register.decide(
                        relief.parts.gate, tx, relief.analyst, question=relief.question(),
                        grant=relief.grant.grant, now=town.clock(),
                    )
                )  # fmt: skip
                raise RuntimeError

        with pytest.raises(RuntimeError):
            crash()
        with relief.parts.database.read() as tx, pytest.raises(NotFoundError):
            open_records(relief.parts.gate, tx, decided[0])

    def test_a_grant_tries_so_many_and_opens_no_record(self, relief, yesterday, town):
        leave = relief.leave(
            relief.analyst, relief.approver, purpose="governance", form="deidentified", subjects=1,
            circumstances=("relief-compensation",),
        )  # fmt: skip
        first = relief.ask(grant=leave)
        assert relief.ask(grant=leave) == first  # it is being made: asking again is no second try
        relief.step(first)
        assert relief.ask(grant=leave).rule == "grant/used-up"
        with relief.parts.database.write() as tx, pytest.raises(ForbiddenError):
            search.search(
                relief.parts.gate, tx, relief.analyst, source="garden", emergency="flu",
                category="contact.mobile", value="13912345678", grant=leave.grant, now=town.clock(),
            )  # fmt: skip
        with pytest.raises(InputError, match="1 to 10 releases"):
            relief.leave(
                relief.analyst, relief.approver, purpose="governance", form="deidentified",
                subjects=11, circumstances=("relief-compensation",),
            )  # fmt: skip


class TestTwoPersons:
    def test_who_asks_never_approves(self, relief, yesterday):
        both = relief.hire("city", "both", "analyst", "approver")
        leave = relief.leave(
            both, relief.approver, purpose="governance", form="deidentified", subjects=1,
            circumstances=("relief-compensation",),
        )  # fmt: skip
        found = relief.step(relief.ask(both, leave))
        with relief.parts.database.write() as tx:
            found = register.request(tx, found, both, now=relief.town.clock())
        with pytest.raises(ApprovalError):
            relief.judge(found, by=both)
        for org, role in (("garden", "approver"), ("city", "custodian")):
            with pytest.raises(ForbiddenError):
                relief.judge(found, by=relief.hire(org, f"x-{role}", role))
        refused = relief.judge(found, approve=False)
        assert refused.stage == "refused"
        assert [(e.kind, e.verdict) for e in relief.said(entry.Approval)][-1] == (
            "release",
            "refused",
        )

    def test_another_can_not_request_what_was_previewed(self, relief, yesterday):
        found = relief.previewed()
        with relief.parts.database.write() as tx, pytest.raises(ForbiddenError):
            register.request(tx, found, relief.approver, now=relief.town.clock())


class TestSecond:
    def test_the_same_again_and_then_without_one_person(self, relief, yesterday):
        """Who withdrew is the difference of two tables, although nothing of them is left to compare."""
        assert relief.released().stage == "approved"
        assert relief.released().found["earlier"] == 1
        relief.erase(yesterday[0][0])
        third = relief.released()
        assert (third.stage, third.problem["kind"]) == ("failed", "refused")
        assert "1 where 20 are asked" in third.problem["detail"]

    def test_one_person_less_when_a_whole_class_has_died_too(self, relief, yesterday, town):
        """What is left of the dead is how many they were: a class that is gone as a whole tells of nobody."""
        relief.register(40, "大明湖街道")
        relief.released()
        relief.erase(*yesterday[0])
        second = relief.released()
        assert (second.stage, second.found["smallest"]) == ("approved", 20)
        relief.erase(yesterday[1][0])
        assert relief.released().problem["kind"] == "refused"

    def test_one_person_more(self, relief, yesterday, town):
        relief.released()
        relief.register(1)
        town.clock.forward(days=1)
        both = {"until": DAY + timedelta(days=1)}
        assert relief.released(**both).problem["kind"] == "refused"
        assert relief.released(since=DAY, until=DAY).stage == "approved"

    def test_when_all_records_of_the_first_are_destroyed(self, relief, yesterday, town):
        relief.released()
        relief.erase(*yesterday[0], *yesterday[1])
        relief.register(25)
        town.clock.forward(days=1)
        second = relief.released(until=DAY + timedelta(days=1))
        assert (second.stage, second.found["earlier"]) == ("approved", 1)


class TestLines:
    def line(self, relief, place):
        with relief.parts.database.read() as tx:
            bucket = buckets.load(tx, "garden", place[0])
            return bucket, lines.of_bucket(tx, bucket, self.found.release).get(place[1])

    def test_the_line_of_who_is_erased_opens_with_no_key(self, relief, yesterday):
        self.found = relief.released()
        assert count(relief, release_lines) == 80
        place = yesterday[0][0]
        bucket, kept = self.line(relief, place)
        desk = Lines(relief.parts.keys, bucket, self.found.release, self.found.parts)
        assert len(desk.open(place[1], *kept)) == 4
        relief.erase(place)
        assert self.line(relief, place)[1] is None
        desk = Lines(relief.parts.keys, bucket, self.found.release, self.found.parts)
        with pytest.raises(ErasedError):
            desk.open(place[1], *kept)

    def test_when_a_part_died_the_days_are_not_released_again(self, relief, yesterday, town):
        relief.released()
        bucket_id, n = yesterday[0][0]
        with relief.parts.database.write() as tx:
            bucket = buckets.load(tx, "garden", bucket_id)
            removal.erase(tx, "garden", bucket_id, n, ["2-N"])
        relief.parts.keys.destroy("garden", punctures=[(bucket.name, "2-N", n)])
        second = relief.previewed()
        assert second.problem["kind"] == "refused"
        assert "has been destroyed since" in second.problem["detail"]
        relief.register(40)
        town.clock.forward(days=1)
        later = DAY + timedelta(days=1)
        assert relief.released(since=later, until=later).stage == "approved"

    def test_who_was_moved_since_is_not_released_again(self, relief, yesterday, town):
        """The event's day is another bucket, where nothing says as what the record left before."""
        assert relief.released().stage == "approved"
        later, now = DAY + timedelta(days=1), town.clock()
        bucket, n = yesterday[0][0]
        mover = Mover(relief.parts.log, relief.parts.keys, relief.parts.standard)
        with relief.parts.database.write() as tx:
            at = buckets.load(tx, "garden", bucket)
            mover.start_clock(tx, bucket=at, n=n, event="case-closed", day=later, now=now)
        relief.register(40)
        town.clock.forward(days=1)
        found = relief.previewed(since=later, until=later)
        assert found.problem["kind"] == "refused"
        assert "its event came" in found.problem["detail"]


class TestCrash:
    def test_nothing_is_half_done_wherever_it_stops(self, relief, yesterday, town):
        """The clock is asked before each effect: a process that dies there leaves all as it was."""
        found = relief.judge(relief.request(relief.previewed()))
        for calls in range(3):
            maker = Maker(
                relief.parts.gate, relief.parts.database, _dying(town.clock, calls), Works()
            )
            try:
                maker.step(found.org, found.release)
            except RuntimeError:
                pass
            else:
                break
            assert count(relief, release_lines) == 0
            assert relief.said(entry.Release) == []
            with pytest.raises(NotFoundError):
                text_of(relief, found)
        assert calls == 2
        assert count(relief, release_lines) == 80
        assert len(relief.said(entry.Release)) == 1

    def test_what_fails_in_the_last_transaction_takes_all_of_it_back(self, relief, yesterday, town):
        """The entry is written last: lines and file that stood before it are not there when it fails."""
        found = relief.judge(relief.request(relief.previewed()))
        gate = replace(relief.parts.gate, log=_Failing(relief.parts.log))
        with pytest.raises(OSError, match="no space"):
            Maker(gate, relief.parts.database, town.clock, Works()).step(found.org, found.release)
        assert count(relief, release_lines) == 0
        with pytest.raises(NotFoundError):
            text_of(relief, found)
        assert relief.step(found).stage == "approved"

    def test_what_waits_is_taken_up(self, relief, yesterday, town):
        found = relief.ask()
        relief.maker.complete()  # somebody may be at it
        town.clock.forward(seconds=PATIENCE.total_seconds())
        relief.maker.complete()
        with relief.parts.database.read() as tx:
            assert register.load(tx, found.org, found.release).stage == "previewed"


class TestEnd:
    def test_with_the_grant_the_files_are_gone(self, relief, yesterday, town):
        left, waiting = relief.released(), relief.previewed()
        relief.maker.sweep()
        assert text_of(relief, left)
        with relief.parts.database.read() as tx:
            kept = list(tx.conn.execute(sa.select(release_files)))
        town.clock.forward(days=21)
        file.destroy(relief.parts.database, relief.parts.keys, left.org, left.release)
        relief.maker.sweep()  # also where the last one stopped
        with relief.parts.database.read() as tx:
            stages = [register.load(tx, r.org, r.release).stage for r in (left, waiting)]
        assert stages == ["gone", "withdrawn"]
        assert count(relief, release_files) == 0
        with relief.parts.database.write() as tx:  # an old copy of the rows opens no more
            tx.bulk(release_files, [tuple(row) for row in kept])
        with pytest.raises(ErasedError):
            text_of(relief, left)


class TestWitness:
    def test_the_check_names_what_is_missing_and_what_nobody_witnessed(
        self, relief, yesterday, town
    ):
        parts, left = relief.parts, relief.released()
        auditor = Auditor(StandardRules([parts.standard]))
        for index, each in enumerate(relief.said(entry.Entry)):
            auditor.read(index, each)
        assert auditor.conclude(town.clock()).all() == []
        assert list(inventory.check(parts.database, parts.log)) == []
        with parts.database.write() as tx:
            row = tx.get(releases, org=left.org, release=left.release)
            tx.insert(releases, **{**row, "release": "r-made-up"})
            tx.delete(releases, org=left.org, release=left.release)
        named = {
            (f.row.partition("release=")[2], f.problem)
            for f in inventory.check(parts.database, parts.log)
        }
        assert {row for row, _ in named if row} == {f"{left.release})", "r-made-up)"}


class _Failing:
    """A log whose disk is full when a release is to be written."""

    def __init__(self, log):
        self._log = log

    def __getattr__(self, name):
        return getattr(self._log, name)

    def append(self, tx, entries, *, now):
        if any(isinstance(entry.decode(each), entry.Release) for each in entries):
            raise OSError("no space left")
        return self._log.append(tx, entries, now=now)


def _dying(clock, calls):
    left = [calls]

    def now():
        if left[0] == 0:
            raise RuntimeError
        left[0] -= 1
        return clock()

    return now
