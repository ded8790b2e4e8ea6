"""Collecting: what is refused stores nothing, what is answered is durable, once, and witnessed."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from epilock.collect import issue, point, tally
from epilock.collect.consent import GUARDIAN
from epilock.collect.form import ADULT, MAX_BODY, UNDER_14, UNDER_18, Submission, parse
from epilock.collect.point import Field, Plan
from epilock.collect.record import Keeper, Stored
from epilock.collect.writer import Writer
from epilock.db import metadata
from epilock.errors import (
    ClosedError,
    ConflictError,
    ConsentError,
    EpilockError,
    FieldsError,
    FileFormatError,
    InputError,
    IntegrityError,
    RefusedError,
    StaleNoticeError,
    StateError,
    TooLargeError,
)
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify
from epilock.registry import mandate
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import vault

PERSON = ("欧阳测试", "13912345678", "36.6", "西门岗亭")


def count(town, table):
    with town.parts.database.read() as tx:
        return tx.conn.execute(sa.select(sa.func.count()).select_from(table)).scalar()


def keeper_of(town, kind=Keeper, **change):
    """Another keeper beside the writer's, as another process has one."""
    parts = town.parts
    return kind(
        **{
            "database": parts.database, "keys": parts.keys, "log": parts.log, "holder": "another",
            "standard": parts.standard, "secret": bytes(32), **change,
        }
    )  # fmt: skip


def form_of(town, circumstance, **asked):
    """The form of a point of the town that asks for the categories ``asked``, by the ids of their fields."""
    fields = tuple(
        Field(id=id_, category=category, label=Text("项", "Item"), optional=True)
        for id_, category in asked.items()
    )
    today, parts = town.clock().date(), town.parts
    with parts.database.write() as tx:
        mandate.record_assessment(
            tx, parts.log, standard_ref=parts.standard.ref, org="garden", about=circumstance, now=town.clock(),
            date_=today, until=today + timedelta(days=365), sha256="0" * 64,
        )  # fmt: skip
        opened = issue.open_with_notice(
            tx, parts.press, org="garden", now=town.clock(),
            plan=town.plan(circumstance=circumstance, fields=fields, method="interview"),
        )  # fmt: skip
        return issue.form_of(parts.standard, *issue.in_force(tx, "garden", opened.point))


def accepted_by(town, form, *more, **fields):
    """What ``form`` makes of ``fields`` with every act that a grown person gives, and ``more``."""
    given = [act for act in form.acts.ids if act != GUARDIAN]
    sent = Submission(client=str(uuid4()), notice=form.notice, given=[*given, *more], fields=fields)
    return form.accept(sent, today=town.clock().date())


class TestPoint:
    def test_a_category_that_is_never_allowed_cannot_be_declared(self, town):
        face = Field(id="face", category="biometric.face", label=Text("脸", "Face"), optional=False)
        plan = town.plan()
        with town.parts.database.write() as tx, pytest.raises(RefusedError) as refused:
            issue.open_with_notice(
                tx, town.parts.press, org="garden", now=town.clock(),
                plan=replace(plan, fields=(*plan.fields, face)),
            )  # fmt: skip
        assert refused.value.rule == "never/residential-entry/biometric.*"
        assert refused.value.allowed

    def test_sensitive_categories_need_an_assessment_first(self, town):
        with town.parts.database.write() as tx, pytest.raises(RefusedError, match="assessment"):
            issue.open_with_notice(
                tx, town.parts.press, org="cdc", plan=town.plan(), now=town.clock()
            )

    def test_without_a_mandate_a_point_works_on_consent_only(self, town):
        with town.parts.database.read() as tx:
            assert point.load(tx, "garden", town.point).basis == "consent"
        with town.parts.database.write() as tx:
            mandate.record_mandate(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, org="garden",
                authority="city", emergency="flu", issuer="City", number="3", now=town.clock(),
                date_=date(2026, 3, 14), circumstances=("residential-entry",), until=None,
            )  # fmt: skip
            opened = issue.open_with_notice(
                tx, town.parts.press, org="garden", plan=town.plan(), now=town.clock()
            )
        assert opened.basis == "emergency"

    def test_a_change_of_level_issues_the_notice_anew(self, town):
        before = town.form()
        town.clock.forward(days=1)
        assert town.level("IV") == 1
        after = town.form()
        assert after.version == before.version + 1
        assert {f.id for f in before.fields} - {f.id for f in after.fields} == {"check_in"}

    def test_after_the_end_nothing_can_be_opened(self, town):
        town.clock.forward(days=1)
        town.level("E")
        with town.parts.database.write() as tx, pytest.raises(ClosedError):
            issue.open_with_notice(
                tx, town.parts.press, org="garden", plan=town.plan(), now=town.clock()
            )

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"point": {}},
            {"point": {"emergency": "a/b", "circumstance": "school", "name": {"zh": "a"}}, "field": []},
            {"point": 3, "field": []},
            {"point": {"emergency": "a/b", "circumstance": "c", "name": {"zh": "a", "en": "a"}, "x": 1},
             "field": []},
        ],
    )  # fmt: skip
    def test_a_description_that_is_not_one_is_an_input_error(self, document):
        with pytest.raises(InputError):
            point.parse(document)

    @pytest.mark.parametrize(
        "change",
        [
            {"circumstance": "no-such"}, {"languages": ("fr",)}, {"emergency": "flu"},
            {"fields": ()},
        ],
    )  # fmt: skip
    def test_a_plan_that_contradicts_itself_is_an_input_error(self, town, change):
        plan: Plan = town.plan(**change)
        with town.parts.database.write() as tx, pytest.raises(InputError):
            issue.open_with_notice(tx, town.parts.press, org="garden", plan=plan, now=town.clock())


class TestForm:
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"given": []}, ConsentError),
            ({"given": ["purpose:marketing"]}, InputError),
            ({"notice": "0" * 64}, StaleNoticeError),
            ({"client": "me"}, InputError),
            ({"language": "fr"}, InputError),
            ({"fields": {}}, FieldsError),
            ({"fields": dict(zip(("name", "mobile", "temperature", "check_in"), PERSON, strict=True))
              | {"face": "x"}}, FieldsError),
            ({"fields": {"name": "欧阳测试", "mobile": "139", "temperature": "99", "check_in": "西门"}},
             FieldsError),
        ],
    )  # fmt: skip
    def test_what_is_refused_is_named_without_a_value(self, town, change, error):
        with pytest.raises(error) as caught:
            town.accepted(**change)
        for value in (*PERSON, "marketing", "fr "):
            assert value not in str(caught.value)
        assert count(town, vault.records) == 0

    @pytest.mark.parametrize(
        ("band", "group"),
        [("0-5", UNDER_14), ("6-13", UNDER_14), ("10-19", UNDER_14), ("13", UNDER_14),
         ("14-17", UNDER_18), ("18-29", ADULT), ("80+", ADULT)],
    )  # fmt: skip
    def test_a_child_is_one_by_an_age_band_too(self, town, band, group):
        """Below 14 a guardian agrees (PIPL 31), and the record is a minor's; a band may tell it as a birthday does."""
        form = form_of(town, "evacuation-shelter", name="identity.name", band="identity.age-band")
        if group == UNDER_14:
            with pytest.raises(ConsentError) as caught:
                accepted_by(town, form, band=band)
            assert caught.value.missing == (GUARDIAN,)
        more = [GUARDIAN] if group == UNDER_14 else []
        assert accepted_by(town, form, *more, band=band).minor == group

    def test_an_exact_age_outweighs_a_band(self, town):
        form = form_of(
            town, "casualties-missing", number="identity.resident-id", band="identity.age-band"
        )
        number = "11010119900307" + "7491"
        assert accepted_by(town, form, number=number, band="10-19").minor == ADULT

    def test_every_field_at_fault_is_named_at_once(self, town):
        with pytest.raises(FieldsError) as caught:
            town.accepted(
                fields={"name": "", "mobile": "1", "temperature": "99", "check_in": "西门"}
            )
        assert [p.field for p in caught.value.problems] == ["name", "mobile", "temperature"]
        assert all(p.zh and p.en for p in caught.value.problems)

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{", b'{"client":1}', b"\xff\xfe", b'{"secret-name":"x"}']
    )
    def test_a_body_of_another_shape_is_one_clear_error(self, body):
        with pytest.raises(FileFormatError) as caught:
            parse(body)
        assert "secret-name" not in str(caught.value)

    def test_a_large_body_is_refused_unread(self):
        with pytest.raises(TooLargeError):
            parse(b" " * (MAX_BODY + 1))


class TestStore:
    def test_the_receipt_proves_itself_to_a_stranger(self, town):
        (stored,) = town.store()
        assert isinstance(stored, Stored)
        found = verify(stored.proof, [Verifier.from_vkey(town.parts.log.signer.vkey)])
        said = entry.decode(found.entry)
        assert (said.bucket, said.n) == (stored.bucket, stored.n)

    def test_a_repetition_is_given_the_same_receipt(self, town):
        once = town.accepted()
        (first,) = town.store(once)
        (again,) = town.store(once)
        assert again.repeated
        assert (again.code, again.n, again.index) == (first.code, first.n, first.index)
        assert count(town, vault.records) == 1

    def test_a_repetition_after_midnight_too(self, town):
        town.clock.instant = town.clock.instant.replace(hour=15, minute=59)  # 23:59 in China
        once = town.accepted()
        (first,) = town.store(once)
        town.clock.forward(minutes=2)
        (again,) = town.store(once)
        assert (again.repeated, again.code) == (True, first.code)

    def test_twice_in_one_batch_is_stored_once(self, town):
        once = town.accepted()
        first, again = town.store(once, once)
        assert (first.repeated, again.repeated) == (False, True)
        assert again.code == first.code
        assert count(town, vault.records) == 1

    def test_other_answers_under_one_client_id_are_a_conflict(self, town):
        submission = town.submission()
        form, today = town.form(), town.clock().date()
        town.store(form.accept(submission, today=today))
        other = {**submission.fields, "temperature": "39.0"}
        changed = form.accept(
            type(submission)(
                client=submission.client, notice=submission.notice, given=submission.given,
                fields=other,
            ),
            today=today,
        )  # fmt: skip
        (answer,) = town.store(changed)
        assert isinstance(answer, ConflictError)

    def test_one_that_is_refused_harms_no_other(self, town):
        """A form of an old notice in the batch is refused alone."""
        old = town.accepted()
        town.clock.forward(hours=1)
        town.level("I")
        answers = town.store(old, town.accepted(), town.accepted())
        assert isinstance(answers[0], StaleNoticeError)
        assert [a.n for a in answers[1:]] == [0, 1]

    def test_a_closed_point_takes_nothing(self, town):
        late = town.accepted()
        with town.parts.database.write() as tx:
            point.close_point(
                tx, town.parts.log, town.parts.standard, org="garden", point=town.point,
                reason="moved", now=town.clock(),
            )  # fmt: skip
        (answer,) = town.store(late)
        assert isinstance(answer, ClosedError)
        assert count(town, vault.records) == 0

    def test_no_value_stands_anywhere_in_the_clear(self, town):
        """Not in a row of any table, not in an entry, not in the proof."""
        (stored,) = town.store()
        with town.parts.database.read() as tx:
            for table in metadata.sorted_tables:
                if not table.name.startswith("test_"):
                    rows = repr(tx.conn.execute(sa.select(table)).all())
                    assert not any(value in rows for value in PERSON), table.name
            entries = tx.conn.execute(sa.text("SELECT entry FROM ledger_entries")).scalars()
            assert not any(v.encode() in bytes(e) for e in entries for v in PERSON)
        assert not any(value in stored.proof for value in PERSON)

    def test_the_record_opens_to_what_was_given(self, town):
        (stored,) = town.store()
        with town.parts.database.read() as tx:
            bucket = buckets.load_by_name(tx, "garden", stored.bucket)
            plain = b"".join(
                vault.open_record(tx, town.parts.keys, "garden", bucket.id, stored.n).values()
            ).decode()
        assert all(value in plain for value in PERSON)


class Flaky(Keeper):
    """A keeper whose log fails: before it appended, or after."""

    fail = ""

    def _keep(self, *args):
        if self.fail == "before":
            raise RuntimeError("the disk is full")
        super()._keep(*args)
        if self.fail == "after":
            raise RuntimeError("the disk is full")


class Unspoken(list):
    """Answers that there is no memory to read."""

    def __iter__(self):
        raise MemoryError


class Speechless:
    """A keeper that stores, and whose answers cannot be read."""

    def __init__(self, keeper):
        self._keeper = keeper

    def store(self, batch, *, now):
        return Unspoken(self._keeper.store(batch, now=now))


class TestFaults:
    @pytest.mark.parametrize("moment", ["before", "after"])
    def test_a_batch_that_fails_leaves_nothing_and_the_next_one_works(self, town, moment):
        """Not done, and done but reported failed: the transaction takes everything back."""
        parts = town.parts
        keeper = keeper_of(town, Flaky)
        once = town.accepted()
        keeper.fail = moment
        with pytest.raises(RuntimeError):
            keeper.store([once], now=town.clock)
        assert count(town, vault.records) == 0
        keeper.fail = ""
        (stored,) = keeper.store([once], now=town.clock)
        assert not stored.repeated
        verify(stored.proof, [Verifier.from_vkey(parts.log.signer.vkey)])

    def test_the_writer_tells_each_client_and_goes_on(self, town):
        keeper = keeper_of(town, Flaky)
        keeper.fail = "after"
        writer = Writer(keeper, now=town.clock)
        with pytest.raises(RuntimeError, match="disk"):
            writer.submit(town.accepted()).result(timeout=20)
        keeper.fail = ""
        assert writer.submit(town.accepted()).result(timeout=20).n >= 0
        writer.stop()
        with pytest.raises(StateError):
            writer.submit(town.accepted())

    def test_the_writer_goes_on_where_a_batch_cannot_be_answered_together(self, town):
        """Stored, and then no memory for the answers: each is told alone, and who asks again is answered."""
        once = town.accepted()
        keeper = keeper_of(town)
        writer = Writer(Speechless(keeper), now=town.clock)
        for _ in range(2):
            with pytest.raises(MemoryError):
                writer.submit(once).result(timeout=20)
        assert writer.alive
        writer.keeper = keeper
        assert writer.submit(once).result(timeout=20).repeated
        writer.stop()


class TestPartThatIsBeingDestroyed:
    def test_it_is_closed_to_its_own_submissions_alone(self, town):
        """Ordered for today's bucket of one gate: what others hand in at this moment is stored."""
        with town.parts.database.write() as tx:
            mandate.record_assessment(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, org="cdc",
                about="residential-entry", now=town.clock(), date_=date(2026, 3, 14),
                until=date(2029, 3, 14), sha256="0" * 64,
            )  # fmt: skip
            other = issue.open_with_notice(
                tx, town.parts.press, org="cdc", plan=town.plan(), now=town.clock()
            )
        keeper = keeper_of(town)
        (first,) = keeper.store([town.accepted()], now=town.clock)
        with town.parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, "garden", first.bucket)
            buckets.retire_parts(tx, bucket, ["3-II"], buckets.DYING, now=town.clock())
        with town.parts.database.read() as tx:
            form = issue.form_of(town.parts.standard, *issue.in_force(tx, "cdc", other.point))
        theirs = form.accept(town.submission(form), today=town.clock().date())
        ours, stored = keeper.store([town.accepted(), theirs], now=town.clock)
        assert isinstance(ours, ClosedError)
        assert isinstance(stored, Stored)
        assert stored.bucket.startswith("cdc/")


class Interrupted(Keeper):
    """A keeper beside which another process commits something, between its look and its entry."""

    between = None

    def _seal(self, *args):
        between, self.between = self.between, None
        if between is not None:
            between()
        return super()._seal(*args)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestTwoProcesses:
    """On SQLite the write lock lets nobody in between; on PostgreSQL the log's head row does, from the entry on."""

    def test_a_notice_that_changes_meanwhile_is_no_longer_in_force(self, town):
        keeper = keeper_of(town, Interrupted)
        keeper.store([town.accepted()], now=town.clock)
        late = town.accepted()
        town.clock.forward(hours=1)
        keeper.between = lambda: town.level("I")
        (answer,) = keeper.store([late], now=town.clock)
        assert isinstance(answer, StaleNoticeError)
        assert count(town, vault.records) == 1

    def test_a_point_that_closes_meanwhile_takes_nothing(self, town):
        keeper = keeper_of(town, Interrupted)
        keeper.store([town.accepted()], now=town.clock)

        def close():
            with town.parts.database.write() as tx:
                point.close_point(
                    tx, town.parts.log, town.parts.standard, org="garden", point=town.point,
                    reason="moved", now=town.clock(),
                )  # fmt: skip

        keeper.between = close
        (answer,) = keeper.store([town.accepted()], now=town.clock)
        assert isinstance(answer, ClosedError)
        assert count(town, vault.records) == 1

    def test_a_part_whose_destruction_is_announced_meanwhile_takes_nothing(self, town):
        keeper = keeper_of(town, Interrupted)
        (first,) = keeper.store([town.accepted()], now=town.clock)

        def announce():
            with town.parts.database.write() as tx:
                bucket = buckets.load_by_name(tx, "garden", first.bucket)
                buckets.retire_parts(tx, bucket, ["3-II"], buckets.DYING, now=town.clock())

        keeper.between = announce
        (answer,) = keeper.store([town.accepted()], now=town.clock)
        assert isinstance(answer, ClosedError)
        assert count(town, vault.records) == 1


class FullDisk(Log):
    """A log that fails once it is to write that a bucket was made."""

    def append(self, tx, entries, *, now):
        if any(b'"type":"bucket"' in each for each in entries):
            raise IntegrityError("ledger_tiles (level=0, n=0) is missing or cut off")
        return super().append(tx, entries, now=now)


class TestBucket:
    def test_one_without_its_entry_is_not_there(self, town):
        """No change of state without its ledger entry, also if the batch goes on without this submission."""
        log = town.parts.log
        keeper = keeper_of(town, log=FullDisk(log.origin, lambda _: log.signer))
        (answer,) = keeper.store([town.accepted()], now=town.clock)
        assert isinstance(answer, IntegrityError)
        assert count(town, buckets.buckets) == 0


class TestTally:
    def test_counts_are_witnessed_without_anyone_in_them(self, town):
        key = ("garden", town.point, town.form().notice)
        for kind, times in (("shown", 7), ("given", 3), ("refused", 1)):
            town.parts.tally.count(key, kind, times)
        with town.parts.database.write() as tx:
            tally.keep(tx, town.parts.tally.take(), now=town.clock())
            said = tally.commit_counts(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, now=town.clock()
            )
            size = town.parts.log.size(tx)
            found = entry.decode(town.parts.log.entry(tx, size - 1))
        assert said == 1
        assert (found.shown, found.given, found.refused, found.left) == (7, 3, 1, 3)

    def test_what_is_given_is_counted_where_it_is_stored_and_once(self, town):
        accepted = town.accepted()
        for _ in range(2):  # the second is the first again
            keeper_of(town).store([accepted], now=town.clock)
        with town.parts.database.read() as tx:
            (row,) = tx.all(tally.tallies)
        assert (row["notice"], row["given"], row["shown"]) == (town.form().notice, 1, 0)

    def test_days_add_up_for_each_notice(self, town):
        """What did people see: the sum of all that the ledger says of a notice."""
        key = ("garden", town.point, town.form().notice)
        for shown in (7, 2):
            town.parts.tally.count(key, "shown", shown)
            with town.parts.database.write() as tx:
                tally.keep(tx, town.parts.tally.take(), now=town.clock())
                tally.commit_counts(
                    tx, town.parts.log, standard_ref=town.parts.standard.ref, now=town.clock()
                )
                size = town.parts.log.size(tx)
        with town.parts.database.read() as tx:
            row = tally.totals(tx, "garden", town.point)[key[2]]
        assert (row["shown"], row["left"], row["given"]) == (9, 9, 0)
        assert row["entry_index"] == size - 1

    def test_what_could_not_be_kept_is_counted_again(self, town):
        town.parts.tally.count(("a", "b", "c"), "shown")
        taken = town.parts.tally.take()
        town.parts.tally.give_back(taken)
        assert town.parts.tally.take() == taken


def test_errors_of_this_room_are_ours(town):
    """Whatever a submission is, what is raised is one of the tree."""
    for change in ({"given": ["x" * 100]}, {"fields": {"name": "\x00"}}, {"client": ""}):
        with pytest.raises(EpilockError):
            town.accepted(**change)
