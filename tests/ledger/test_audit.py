"""What the audit promises: an honest log has no findings, and each way to cheat is a finding of its own."""

from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import pytest
from msgspec import structs
from story import (
    BUCKET,
    DUE,
    HEAD,
    HIGH,
    LOW,
    MOVED,
    OPENING,
    POINT,
    RoundRules,
    account,
    aggregate,
    assessment,
    at,
    attested,
    audit,
    bucket,
    budget,
    certificate,
    collect,
    correct,
    decision,
    destroy,
    emergency,
    erased,
    erasure,
    event,
    freeze,
    freeze_lifted,
    glass,
    grant,
    hold,
    import_completed,
    import_told,
    imported,
    kinds,
    level,
    mandate,
    moved_bucket,
    noisy,
    notice,
    order,
    order_approved,
    organisation,
    page,
    point,
    release,
    review,
    search,
    study,
    tried,
)  # fmt: skip

from epilock.errors import InputError
from epilock.ledger import entry as e
from epilock.ledger.audit import READERS, Auditor, StandardRules
from epilock.ledger.finding import KINDS, Findings
from epilock.standard import clock, load
from epilock.standard.level import History, LevelChange


def gone(n, name="er-2"):
    """The erasure of what was moved or corrected."""
    return erasure(n, name=name), erased(n, name=name)


SOON = DUE - timedelta(days=1)
LATE = DUE + timedelta(days=2)
THREE = [collect(0), collect(1), collect(2, parts=[LOW])]


class TestHonest:
    def test_an_opening(self):
        assert kinds() == []

    def test_a_whole_life(self):
        """Collected, one erased, one corrected, one moved; destroyed on its day."""
        life = [
            *THREE, erasure(0), erased(0), collect(3), correct(1, 3), *gone(1), collect(4),
            moved_bucket(), event(4, 0), *gone(4), destroy(), certificate(5, 3),
            destroy(DUE + timedelta(days=6), destruction="d-2", bucket=MOVED, due=None),
            certificate(1, destruction="d-2", bucket=MOVED),
        ]  # fmt: skip
        assert audit(*life, now=LATE + timedelta(days=90)) == {}

    def test_a_step_down(self):
        """The higher part goes a week after the level fell, the lower one on its day."""
        fell = level("IV", 16)
        early = DUE - timedelta(days=5, hours=14)  # 23 March, 02:00 UTC
        life = [
            *THREE, fell, destroy(early, [HIGH], due=at(23, 2)), certificate(2, parts=[HIGH]),
            destroy(parts=[LOW], destruction="d-2"), certificate(3, parts=[LOW], destruction="d-2"),
        ]  # fmt: skip
        assert audit(*life, now=LATE) == {}

    def test_an_order(self):
        """It does not wait for the run, but for the day."""
        told = [*THREE, order(), order_approved(), destroy(), certificate(3)]
        assert audit(*told, now=LATE) == {}

    def test_a_hold(self):
        """What is held is not overdue; when the hold has ended it is."""
        assert kinds(*THREE, hold(), now=LATE) == []
        assert kinds(*THREE, hold(), now=DUE + timedelta(days=40)) == ["overdue"]
        released = e.HoldReleased(**HEAD, at=at(27), hold="h-1", by="s-2")
        assert kinds(*THREE, hold(), released, now=LATE) == ["overdue"]

    def test_openings_within_a_grant(self):
        assert kinds(*THREE, grant(), decision(0), decision(0, 1), decision(1)) == []
        assert kinds(*THREE, decision(0, grant=None, by="subject")) == []
        assert kinds(*THREE, decision(5, grant="g-9", verdict="refused")) == []


class TestOverdue:
    def test_not_yet(self):
        assert kinds(*THREE, now=DUE - timedelta(seconds=1)) == []

    def test_due_and_overdue(self):
        """A day is left to carry out what is due; it is listed meanwhile."""
        assert kinds(*THREE, now=DUE) == ["due"]
        assert kinds(*THREE, now=DUE + timedelta(days=1)) == ["overdue"]

    def test_it_names_part_rule_and_count(self):
        found = audit(*THREE, erasure(0), erased(0), now=LATE)
        assert found["overdue", f"{BUCKET} {LOW}"].detail.en == (
            "part 3-IV was due on 2026-03-28T16:00:00Z (retain/14) and has no certificate; "
            "the log has 2 records"
        )
        assert found["overdue", f"{BUCKET} {HIGH}"].detail.zh == (
            "部分 3-II 于 2026-03-28T16:00:00Z 到期（retain/14），没有销毁证明；日志中有 1 条"
        )

    def test_one_part_certified(self):
        found = audit(*THREE, destroy(parts=[HIGH]), certificate(2, parts=[HIGH]), now=LATE)
        assert list(found) == [("overdue", f"{BUCKET} {LOW}")]

    def test_an_incomplete_certificate_is_no_end(self):
        part = certificate(3, complete=False, leases=["l-1"])
        assert kinds(*THREE, destroy(), part, now=DUE + timedelta(hours=1)) == [
            "certificate-incomplete"
        ]
        told = [*THREE, destroy(), part, certificate(3)]
        assert kinds(*told, now=LATE) == []

    def test_an_intent_alone_is_no_end(self):
        assert kinds(*THREE, destroy(), now=LATE) == ["destroy-unfinished", "overdue"]

    def test_a_standard_that_is_not_at_hand(self):
        other = "2027.1+0123456789abcdef"
        told = [*OPENING[:-1], bucket(standard=other)]
        assert kinds(opening=told, now=LATE) == ["standard-unknown"]


class TestCertificate:
    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"collected": 4, "destroyed": 3}, ["certificate-counts"]),
            ({"collected": 2, "destroyed": 1}, ["certificate-counts"]),
            ({"erased": 0, "destroyed": 3}, ["certificate-counts"]),
            ({"destroyed": 3}, ["certificate-counts", "certificate-sum"]),
            ({"first": 1}, ["certificate-range"]),
            ({"last": 1}, ["certificate-range"]),
            ({"first": 2, "last": 0}, ["certificate-range"]),
            ({"destruction": "d-9"}, ["certificate-without-intent", "destroy-unfinished"]),
            ({"parts": [LOW]}, ["certificate-differs", "overdue"]),
            ({"parts": [LOW, HIGH, "4-I"]}, ["certificate-differs", "part-unknown"]),
            ({"leases": ["l-1"]}, ["certificate-leases"]),
        ],
    )
    def test_what_does_not_add_up(self, change, expected):
        life = [*THREE, erasure(0), erased(0), destroy()]
        honest = {"collected": 3, "erased": 1}
        assert kinds(*life, certificate(**honest), now=LATE) == []
        said = certificate(**honest | {k: v for k, v in change.items() if k in honest})
        values = {name: getattr(said, name) for name in said.__struct_fields__}
        honest_left = {"destroyed": values["collected"] - values["erased"]}
        assert kinds(*life, e.Certificate(**values | honest_left | change), now=LATE) == expected

    def test_erased_in_one_part_is_not_erased(self):
        """A record counts as erased when none of the certificate's parts of it was left."""
        life = [*THREE, erasure(0, [HIGH]), erased(0, [HIGH]), destroy()]
        assert kinds(*life, certificate(3, 0), now=LATE) == []
        assert kinds(*life, certificate(3, 1), now=LATE) == ["certificate-counts"]

    def test_without_any_record(self):
        assert kinds(destroy(), certificate(0, first=0, last=0), now=LATE) == []

    def test_twice(self):
        life = [*THREE, destroy(), certificate(3)]
        assert kinds(*life, destroy(), certificate(0), now=LATE) == ["certified-twice"]

    def test_its_numbers_are_named_in_both_languages(self):
        found = audit(*THREE, destroy(), certificate(2), now=LATE)
        detail = found["certificate-counts", "d-1 collected"].detail
        assert detail.en == "the certificate says 2 collected, the log has 3"
        assert detail.zh == "证明称收集 2 条，日志中为 3 条"


class TestDestroy:
    def test_early(self):
        early = destroy(DUE - timedelta(seconds=1))
        found = audit(*THREE, early, certificate(3))
        assert sorted(found) == [("destroy-early", f"{BUCKET} {p}") for p in (HIGH, LOW)]

    def test_an_order_shortens_nothing(self):
        told = [*THREE, order(), order_approved(), destroy(DUE - timedelta(days=7)), certificate(3)]
        assert kinds(*told) == ["destroy-early"]

    def test_after_the_emergencys_end_two_persons_may_decide(self):
        """They need not wait for the last of the 30 days (ERL 85)."""
        over, early = level("E", 20), destroy(datetime(2026, 3, 21, tzinfo=UTC), due=None)
        told = [*THREE, order(), order_approved(), over, early, certificate(3)]
        assert kinds(*told) == []
        assert kinds(*THREE, order(), over, early, certificate(3)) == ["destroy-early"]
        assert kinds(*told[:5], early, over, certificate(3)) == ["destroy-early"]
        soon = order(not_before="2026-03-22")
        assert kinds(*THREE, soon, order_approved(), over, early, certificate(3)) == [
            "destroy-early"
        ]

    def test_nobody_approves_their_own_order(self):
        assert kinds(*THREE, order(), order_approved("s-1")) == ["order-self-approved"]

    def test_of_two_parts_one_date_is_told(self):
        """The parts of one order may have been due on different days."""
        fell = level("IV", 16)
        assert kinds(*THREE, fell, destroy(), certificate(3), now=LATE) == []
        assert kinds(*THREE, fell, destroy(due=at(23, 2)), certificate(3), now=LATE) == []
        assert kinds(*THREE, fell, destroy(due=at(24)), certificate(3), now=LATE) == ["due-differs"]

    def test_under_a_hold(self):
        assert kinds(*THREE, hold(), destroy(), certificate(3), now=LATE) == ["destroy-held"]
        ended = hold("2026-03-28")  # the end of that day in China is the instant it is due
        assert kinds(*THREE, ended, destroy(), certificate(3), now=LATE) == []

    def test_a_due_date_that_is_not_the_standards(self):
        wrong = destroy(DUE + timedelta(days=1), due="2026-03-30")
        assert kinds(*THREE, wrong, certificate(3), now=LATE) == ["due-differs"]
        assert kinds(*THREE, destroy(due="2026-03-28"), certificate(3), now=LATE) == []

    def test_collected_after_it(self):
        life = [*THREE, destroy(), collect(7), certificate(4)]
        assert kinds(*life, now=LATE) == ["collect-while-dying"]
        assert kinds(*THREE, destroy(), certificate(3), collect(7), now=LATE) == [
            "collect-after-destruction"
        ]

    def test_a_level_recorded_later_changes_nothing_that_was_done(self):
        life = [*THREE, destroy(), certificate(3), level("I", 29)]
        assert kinds(*life, now=LATE) == []


class TestErasure:
    def test_without_intent(self):
        assert kinds(*THREE, erased(0)) == ["erased-without-intent"]

    def test_never_finished(self):
        assert kinds(*THREE, erasure(0)) == ["erasure-unfinished"]

    @pytest.mark.parametrize("done", [erased(1), erased(0, [LOW, HIGH, "4-I"])])
    def test_something_else_than_announced(self, done):
        assert "elsewhere" in kinds(*THREE, erasure(0), done)

    def test_of_what_was_never_there(self):
        assert kinds(*THREE, erasure(9), erased(9)) == ["number-unknown"]
        assert kinds(*THREE, erasure(0, ["4-I"]), erased(0, ["4-I"])) == ["part-unknown"]


class TestRecords:
    def test_a_number_twice(self):
        found = audit(*THREE, collect(1), collect(1))
        (finding,) = found.values()
        assert (finding.kind, finding.index, finding.count) == ("number-repeated", 11, 2)

    def test_parts_that_the_bucket_does_not_have(self):
        assert kinds(collect(0, parts=["4-I"])) == ["part-unknown"]

    def test_in_another_organisations_bucket(self):
        assert kinds(collect(0, org="jinan")) == ["elsewhere"]
        other = bucket(circumstance="school", bucket=BUCKET.replace("residential-entry", "school"))
        assert kinds(other, collect(0, bucket=other.bucket)) == ["elsewhere"]

    def test_after_the_point_was_closed(self):
        closed = e.PointClosed(**HEAD, at=at(15), point=POINT, reason="ended")
        assert kinds(collect(0), closed, collect(1)) == ["point-closed"]
        assert kinds(collect(0), closed, collect(1), collect(2), correct(0, 2), *gone(0)) == [
            "point-closed"
        ]

    def test_a_correction_after_the_point_was_closed(self):
        """PIPL 46 does not end with the collection."""
        closed = e.PointClosed(**HEAD, at=at(15), point=POINT, reason="ended")
        assert kinds(*THREE, closed, collect(9), correct(0, 9), *gone(0)) == []
        assert kinds(*THREE, closed, correct(0, 9), collect(9), *gone(0)) == []

    def test_a_correction_in_another_bucket_is_kept_by_another_clock(self):
        later = bucket(bucket=BUCKET.replace("03-14", "03-15"), day="2026-03-15")
        moved = structs.replace(correct(0, 9), by_bucket=later.bucket)
        assert kinds(*THREE, later, collect(9, bucket=later.bucket), moved, *gone(0)) == [
            "elsewhere"
        ]

    def test_a_correction_by_nothing(self):
        assert kinds(*THREE, correct(0, 9), *gone(0)) == ["correction-missing"]
        assert kinds(*THREE, correct(9, 0)) == ["number-unknown"]

    def test_a_correction_before_or_after_what_corrects(self):
        assert kinds(*THREE, correct(0, 9), collect(9), *gone(0)) == []
        assert kinds(*THREE, collect(9), correct(0, 9), *gone(0)) == []

    def test_what_was_replaced_must_be_erased(self):
        """Until it is, its key lives in two places."""
        told = [*THREE, collect(9), correct(0, 9), moved_bucket(), event(1, 0)]
        assert kinds(*told, now=DUE - timedelta(days=10)) == ["replaced-unfinished"]
        assert kinds(*told, *gone(0, "er-3"), *gone(1)) == []
        half = (erasure(0, [LOW], "er-3"), erased(0, [LOW], "er-3"))
        assert kinds(*told, *half, *gone(1)) == ["replaced-unfinished"]
        assert kinds(*told, destroy(), certificate(4), now=LATE) == []

    def test_a_move_to_another_day(self):
        assert kinds(*THREE, moved_bucket(), event(0, 0, day="2026-03-21"), *gone(0)) == [
            "elsewhere"
        ]
        assert kinds(*THREE, event(0, 8, to_bucket=BUCKET), *gone(0)) == ["elsewhere"]

    def test_a_move_onto_another(self):
        told = [*THREE, moved_bucket(), event(0, 0), *gone(0), event(1, 0), *gone(1, "er-3")]
        assert kinds(*told) == ["number-repeated"]

    def test_what_moved_counts_where_it_is(self):
        found = audit(*THREE, moved_bucket(), event(0, 0), *gone(0), now=LATE)
        assert "1 records" in found["overdue", f"{BUCKET} {HIGH}"].detail.en


class TestUndeclared:
    @pytest.mark.parametrize(
        ("missing", "about"),
        [
            (organisation, "organisation jn-cdc"),
            (emergency, "emergency jinan/outbreak-7"),
            (assessment, "assessment as-1"),
            (mandate, "mandate m-1"),
            (point, f"point {POINT}"),
            (notice, f"notice {'0' * 64}"),
            (bucket, f"bucket {BUCKET}"),
        ],
    )
    def test_what_is_referred_to_and_was_left_out(self, missing, about):
        opening = [each for each in OPENING if each != missing()]
        assert ("undeclared", about) in audit(collect(0), opening=opening)

    @pytest.mark.parametrize(
        "said",
        [
            order(bucket=MOVED), hold(), order_approved(), erasure(0), destroy(), certificate(0),
            e.HoldReleased(**HEAD, at=at(15), hold="h-9", by="s-1"),
            e.GrantRevoked(**HEAD, at=at(15), grant="g-9", by="s-1"),
            e.OrderCancelled(**HEAD, at=at(15), order="o-9", by="s-1"),
            e.PointClosed(**HEAD, at=at(15), point="jn-cdc.zzzzzz", reason="ended"),
            e.Lease(**HEAD, at=at(15), lease="l-1", bucket=MOVED, block=0, until=at(16)),
            e.Request(**HEAD, at=at(15), request="r-1", kind="see", bucket=MOVED, n=0),
            imported(point="jn-cdc.zzzzzz"), imported(notice="f" * 64),
            e.ImportCompleted(**HEAD, at=at(15), import_id="i-9", stored=1, refused=0),
            e.ImportNotices(**HEAD, at=at(15), import_id="i-9", records=1, by="s-1"),
            e.ImportTold(**HEAD, at=at(15), import_id="i-9", records=1, way="letter", by="s-1"),
            e.NoticeCounts(**HEAD, at=at(15), point=POINT, notice="f" * 64, since=at(14),
                           until=at(15), shown=1, given=0, refused=0, left=1),
            decision(0), aggregate(), release(), search(), review(), correct(0, 1), event(0, 1),
        ],
        ids=e.kind,
    )  # fmt: skip
    def test_each_type_that_refers(self, said):
        opening = [each for each in OPENING if not isinstance(each, e.Bucket | e.Assessment)]
        assert "undeclared" in kinds(said, opening=opening)

    def test_declared_twice(self):
        assert kinds(point()) == ["declared-twice"]
        assert kinds(bucket()) == []
        assert kinds(bucket(parts=[LOW])) == ["declared-twice"]

    def test_parts_that_the_standard_does_not_know(self):
        assert kinds(opening=[*OPENING[:-1], bucket(parts=["4-I"])]) == ["part-unknown"]


class TestImports:
    """Who was not asked before is told afterwards, and only where the law lets it be so (PIPL 18)."""

    ENDED = level("E", 20)

    def test_people_are_told_promptly_after_the_end(self):
        told = (imported(), import_completed(3), import_told(2), self.ENDED)
        assert "untold" not in kinds(*told, now=datetime.fromisoformat(at(27)))
        found = audit(*told, now=datetime.fromisoformat(at(28)))
        assert "1 of the 3 persons" in found["untold", "i-1"].detail.en
        assert "untold" not in kinds(*told, import_told(1), now=datetime.fromisoformat(at(28)))

    def test_who_had_been_told_before_is_not_waited_for(self):
        told = (imported(afterwards=False), import_completed(3), self.ENDED)
        assert "untold" not in kinds(*told, now=datetime.fromisoformat(at(28)))

    def test_on_consent_nobody_is_told_afterwards(self):
        opening = [point(basis="consent", mandate=None) if p == point() else p for p in OPENING]
        assert kinds(imported(), opening=opening) == ["import-without-notice"]
        assert kinds(imported(afterwards=False), opening=opening) == []

    def test_more_were_told_than_came_in(self):
        assert kinds(imported(), import_completed(3), import_told(2), import_told(2)) == [
            "import-counts"
        ]

    def test_begun_or_ended_twice(self):
        assert kinds(imported(), imported()) == ["declared-twice"]
        assert kinds(imported(), import_completed(3), import_completed(4)) == ["declared-twice"]


class TestLevels:
    def test_out_of_order(self):
        assert kinds(level("I", 5), level("IV", 4)) == ["level-order"]
        assert kinds(level("I", 1)) == ["level-order"]

    def test_recorded_long_after_it_took_effect(self):
        """Else a level could be made up to excuse what is overdue."""
        found = audit(level("I", 13, at=at(20)))
        assert found["level-backdated", "jinan/outbreak-7"].detail.en == (
            "a level was recorded 10020 minutes after it took effect"
        )

    def test_recorded_before_it_takes_effect(self):
        assert kinds(level("I", 25, at=at(20))) == []

    def test_of_two_emergencies(self):
        other = e.Emergency(
            org="jinan", standard=e.decode(e.encode(emergency())).standard, at=at(1),
            emergency="flood-1", kind="natural-disaster", area="370100", name={"zh": "汛", "en": "flood"},
        )  # fmt: skip
        assert kinds(level("I", 5), other, level("IV", 4, emergency="flood-1")) == []


class TestPoints:
    def test_a_category_that_the_standard_refuses(self):
        opening = [
            each if not isinstance(each, e.Point) else point(optional=["biometric.face"])
            for each in OPENING
        ]
        assert list(audit(opening=opening)) == [("refused", f"{POINT} biometric.face")]

    def test_a_point_without_any_level(self):
        opening = [each for each in OPENING if not isinstance(each, e.Level)]
        assert kinds(opening=opening) == ["refused"]


COUNTING = {"purpose": "situation-monitoring", "form": "aggregate"}


class TestGrants:
    @pytest.mark.parametrize(
        ("told", "why"),
        [
            ([grant(), decision(0, 1, 2)], "was used up"),
            ([grant(), decision(0, 1), decision(2)], "was used up"),
            ([grant(), decision(0, day=17)], "had ended"),
            ([grant(), decision(0, by="s-9")], "is another's"),
            ([grant(), e.GrantRevoked(**HEAD, at=at(15), grant="g-1", by="s-2"), decision(0)], "was revoked"),
        ],
    )  # fmt: skip
    def test_an_opening_that_a_grant_does_not_cover(self, told, why):
        (finding,) = audit(*THREE, *told).values()
        assert (finding.kind, finding.about) == ("grant-misused", f"g-1: {why}")

    @pytest.mark.parametrize(
        ("told", "why"),
        [
            ([grant(**COUNTING), *[aggregate()] * 3], "was used up"),
            ([grant(**COUNTING), aggregate(day=17)], "had ended"),
            ([grant(**COUNTING), aggregate(by="s-9")], "is another's"),
            ([grant(), aggregate()], "is for something else"),
            ([grant(**COUNTING), decision(0)], "is for something else"),
            ([grant(), decision(0, purpose="governance")], "is for something else"),
            ([grant(), *[search()] * 7], "was used up"),
            ([grant(), search(by="s-9")], "is another's"),
        ],
    )
    def test_what_is_counted_or_searched_beyond_a_grant(self, told, why):
        (finding,) = audit(*THREE, *told).values()
        assert (finding.kind, finding.about) == ("grant-misused", f"g-1: {why}")

    def test_what_a_grant_covers(self):
        told = [grant(**COUNTING), aggregate(), aggregate(), aggregate(verdict="refused")]
        assert kinds(*THREE, *told) == []
        assert kinds(*THREE, grant(), *[search()] * 6, decision(0, 1)) == []

    def test_nothing_is_counted_without_one(self):
        assert kinds(*THREE, aggregate(grant=None)) == ["no-grant"]
        assert kinds(*THREE, aggregate(grant=None, verdict="refused")) == []


class TestReleases:
    """A table that was to keep its rule is held to the rule as the monitor's own standard has it."""

    LEAVE = grant(purpose="research", form="deidentified")

    def test_at_the_rule(self):
        assert kinds(self.LEAVE, release(), release(fewest=None)) == []

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"smallest": 19}, "k = 19, below the 20"),
            ({"smallest": 19, "k": 10}, "k = 19, below the 20"),
            ({"fewest": 1}, "l = 1, below the 2"),
        ],
    )
    def test_below_the_rule(self, change, says):
        """Also where the entry says that less was asked."""
        found = audit(self.LEAVE, release(**change))
        assert says in found["release-below", "r-1"].detail.en

    def test_who_asked_approved(self):
        assert kinds(self.LEAVE, release(approved_by="s-1")) == ["release-self"]

    def test_another_standard_or_circumstance(self):
        assert kinds(self.LEAVE, release(standard="2027.1+" + "0" * 16)) == ["standard-unknown"]
        assert kinds(self.LEAVE, release(circumstance="school")) == ["elsewhere"]

    @pytest.mark.parametrize(
        ("told", "why"),
        [
            ([LEAVE, *[release()] * 3], "was used up"),
            ([LEAVE, *[tried()] * 3], "was used up"),
            ([LEAVE, tried(by="s-9")], "is another's"),
            ([LEAVE, release(day=17)], "had ended"),
            ([LEAVE, release(by="s-9")], "is another's"),
            ([grant(), release()], "is for something else"),
        ],
    )
    def test_beyond_a_grant(self, told, why):
        (finding,) = audit(*told).values()
        assert (finding.kind, finding.about) == ("grant-misused", f"g-1: {why}")

    def test_without_a_grant(self):
        assert kinds(release()) == ["undeclared"]
        assert kinds(tried()) == ["undeclared"]
        assert kinds(tried(verdict="refused")) == []


class TestBudgets:
    def test_within_the_budget(self):
        assert kinds(budget(), account(), noisy(), noisy(), account(1000), noisy(400)) == []

    def test_an_account_that_gave_too_much(self):
        (finding,) = audit(budget(), account(), noisy(), noisy(301)).values()
        assert (finding.kind, finding.about) == ("budget-exceeded", "cases")

    def test_accounts_that_got_too_much_together(self):
        """Each alone is within the whole; who puts the answers side by side has more."""
        assert kinds(budget(), account(), account(401, "public")) == ["budget-exceeded"]

    @pytest.mark.parametrize(
        "told", [[account()], [noisy()], [budget(), account(), noisy(org="x2")]]
    )
    def test_a_budget_that_was_never_declared(self, told):
        assert kinds(*told) == ["undeclared"]

    def test_a_ceiling_is_said_once(self):
        assert kinds(budget(), budget(2000)) == ["declared-twice"]


class TestStudies:
    def test_a_study_and_its_end(self):
        assert kinds(study(), study("ending"), study("destroyed")) == []

    def test_an_end_that_never_came(self):
        told = [study(), study("ending")]
        assert kinds(*told, now=datetime(2026, 3, 15, 6, tzinfo=UTC)) == []
        assert kinds(*told, now=datetime(2026, 3, 16, 6, tzinfo=UTC)) == ["study-unfinished"]

    @pytest.mark.parametrize(
        "told", [[study("ending"), study("destroyed")], [study(), study("destroyed")]]
    )
    def test_what_was_never_announced(self, told):
        assert kinds(*told) == ["undeclared"]

    def test_a_code_that_is_used_again(self):
        assert kinds(study(), study()) == ["declared-twice"]


class TestRequests:
    ASKED: ClassVar = e.Request(
        **HEAD, at=at(15, 5), request="q-1", kind="objection", bucket=BUCKET, n=0
    )
    ANSWERED: ClassVar = e.RequestClosed(
        **HEAD, at=at(16, 5), request="q-1", verdict="still-needed", by="s-1"
    )
    LAST = datetime(2026, 3, 30, 6, tzinfo=UTC)  # 15 days after the end of its hour

    def told(self, *more, now=LAST):
        return [
            kind for kind in kinds(collect(0), *more, now=now) if kind not in {"due", "overdue"}
        ]

    def test_an_answer_that_never_came(self):
        assert self.told(self.ASKED) == ["unanswered"]
        assert self.told(self.ASKED, now=self.LAST - timedelta(seconds=1)) == []

    def test_an_answer_in_time(self):
        assert self.told(self.ASKED, self.ANSWERED) == []

    def test_an_answer_to_what_nobody_asked(self):
        assert self.told(self.ANSWERED) == ["undeclared"]


class TestFreezes:
    def test_it_is_told_until_it_is_lifted(self):
        assert kinds(freeze()) == ["frozen"]
        assert kinds(freeze(), freeze_lifted()) == []

    def test_one_person_alone(self):
        assert kinds(freeze(), freeze_lifted(approved_by="s-1")) == ["freeze-self-lifted"]

    def test_one_that_never_was(self):
        assert kinds(freeze_lifted()) == ["undeclared"]


class TestPaper:
    """What is on paper no log can see; it shows who answers for its end, and when."""

    ON_PAPER: ClassVar = [
        *OPENING[:5],
        point(method="paper", media=["paper", "vault"]),
        *OPENING[6:],
    ]
    AT_DUE = datetime(2026, 3, 22, 16, tzinfo=UTC)  # the end of that day in China

    def kinds(self, *told, **how):
        return kinds(*told, opening=self.ON_PAPER, **how)

    def test_a_page_that_is_keyed_in_and_gone_in_time(self):
        assert self.kinds(page(), attested(), now=self.AT_DUE) == []
        assert self.kinds(page(), now=self.AT_DUE - timedelta(seconds=1)) == []

    @pytest.mark.parametrize("told", [[page()], [page(), attested(day=23)]])
    def test_a_page_that_nobody_answered_for_by_its_day(self, told):
        assert self.kinds(*told, now=self.AT_DUE) == ["paper-overdue"]

    def test_the_last_hour_in_which_it_is_keyed_in(self):
        """The page of the 14th, until the end of the 15th in China: 16:00 UTC."""
        assert self.kinds(page(at=at(15, 15)), attested()) == []
        assert self.kinds(page(at=at(15, 16), due="2026-03-22"), attested()) == ["paper-late"]

    def test_a_day_that_is_too_far(self):
        assert self.kinds(page(due="2026-03-23"), attested()) == ["paper-due"]

    def test_what_was_never_declared(self):
        assert self.kinds(attested()) == ["undeclared"]
        assert self.kinds(page(), attested(org="x2"), now=DUE - timedelta(days=9)) == ["undeclared"]
        assert self.kinds(page(point="jn-cdc.aaaaaa"), attested()) == ["undeclared"]

    def test_a_page_that_is_said_twice(self):
        assert self.kinds(page(), page(), attested()) == ["declared-twice"]

    def test_a_point_that_writes_on_no_paper(self):
        assert kinds(page(), attested()) == ["elsewhere"]

    def test_a_standard_that_is_not_at_hand(self):
        assert self.kinds(page(standard="2025.9+0123456789abcdef"), attested()) == [
            "standard-unknown"
        ]


class TestReviews:
    """What was opened without a grant was for treatment, of one, and another looked at it in time."""

    SOON, LATER = datetime.fromisoformat(at(17)), datetime.fromisoformat(at(18, 6))

    def test_in_time(self):
        assert kinds(*THREE, glass(), now=self.SOON) == []
        assert kinds(*THREE, glass(), now=self.LATER) == ["unreviewed"]
        assert kinds(*THREE, glass(), review(), now=self.LATER) == []

    def test_of_oneself_is_none(self):
        told = (*THREE, glass(), review(by="s-1"))
        assert kinds(*told, now=self.SOON) == ["review-self"]
        assert kinds(*told, now=self.LATER) == ["review-self", "unreviewed"]

    def test_twice(self):
        assert kinds(*THREE, glass(), review(), review(by="s-3")) == ["declared-twice"]

    @pytest.mark.parametrize(
        "said", [glass(purpose="tracing"), decision(0, 1, grant=None, purpose="treatment")]
    )
    def test_of_another_purpose_or_of_many_there_should_be_none_to_review(self, said):
        assert kinds(*THREE, said, now=self.SOON) == ["no-grant"]

    def test_who_opens_their_own_is_reviewed_by_nobody(self):
        told = glass(purpose="subject-access", by="subject")
        assert kinds(*THREE, told, now=self.LATER) == []


class ByLevel(RoundRules):
    """Names may be asked for at level I only."""

    def refuses(self, _point, category, level):
        return category == "identity.name" and level != "I"


class TestHours:
    """Entries tell hours: an honest installation has no finding for it, a dishonest one gains an hour."""

    def found(self, *told, now=LATE, opening=OPENING, rules=RoundRules):
        auditor = Auditor(rules())
        for index, each in enumerate([*opening, *told]):
            auditor.read(index, e.decode(e.encode(each)))
        return sorted({kind for kind, _ in auditor.conclude(now).by_key})

    def test_ten_minutes_after_its_date_a_part_is_destroyed(self):
        done = (destroy(DUE + timedelta(minutes=10)), certificate(3))
        assert self.found(*THREE, *done) == []
        assert self.found(*THREE, destroy(DUE - timedelta(minutes=1)), certificate(3)) == [
            "destroy-early"
        ]

    def test_in_the_hour_of_the_emergencys_end(self):
        """It ended at 20 past, an order was carried out at 40 past; the hour before is too early."""
        over = level("E", 20, at=at(20, 2), effective="2026-03-20T02:20:00Z")
        told = (*THREE, order(), order_approved(), over)
        ended = datetime(2026, 3, 20, 2, 20, tzinfo=UTC)
        assert (
            self.found(*told, destroy(ended + timedelta(minutes=20), due=None), certificate(3))
            == []
        )
        assert self.found(
            *told, destroy(ended - timedelta(minutes=21), due=None), certificate(3)
        ) == ["destroy-early"]

    @pytest.mark.parametrize(
        ("opened", "expected"), [((1, 2), []), ((1, 3), []), ((1, 1), ["refused"])]
    )
    def test_a_point_in_the_hour_of_a_new_level(self, opened, expected):
        """Level I from 20 past two: a point opened in that hour may ask what it allows."""
        changed = level("I", at=at(1, 1), effective="2026-03-01T02:20:00Z")
        opening = [
            organisation(), emergency(), level("IV", at=at(1), effective=at(1)), changed,
            assessment(), mandate(), point(at=at(*opened)), notice(), bucket(),
        ]  # fmt: skip
        assert self.found(opening=opening, now=SOON, rules=ByLevel) == expected

    def test_a_level_entered_when_it_takes_effect(self):
        """Recorded five minutes before, in the hour, or some minutes after it, in the next hour."""
        for when, effective in ((10, "10:20:00"), (10, "10:59:59"), (11, "10:57:00")):
            said = level("I", 5, at=at(5, when), effective=f"2026-03-05T{effective}Z")
            assert self.found(said, now=SOON) == []
        late = level("I", 5, at=at(5, 12), effective="2026-03-05T10:59:00Z")
        assert self.found(late, now=SOON) == ["level-backdated"]

    @pytest.mark.parametrize(("hour", "expected"), [(5, []), (6, ["grant-misused"])])
    def test_an_opening_in_the_last_hour_of_a_grant(self, hour, expected):
        """The grant ends at some minute of the hour that it names."""
        told = (grant(until=at(15, 5)), decision(0, at=at(15, hour)))
        assert self.found(*THREE, *told, now=SOON) == expected

    @pytest.mark.parametrize(
        ("said", "kind"),
        [(erasure(0), "erasure-unfinished"), (destroy(), "destroy-unfinished"),
         (correct(0, 1), "replaced-unfinished"), (glass(), "unreviewed")],
    )  # fmt: skip
    def test_a_delay_begins_when_the_hour_is_over(self, said, kind):
        given = timedelta(days=3 if kind == "unreviewed" else 1)
        whole = datetime.fromisoformat(said.at) + timedelta(hours=1) + given
        assert kind not in self.found(*THREE, said, now=whole - timedelta(seconds=1))
        assert kind in self.found(*THREE, said, now=whole)


class TestStandardRules:
    """The real standard and its real clock, asked as the monitor asks them."""

    RULES = StandardRules([load()])
    HISTORY = History((LevelChange(datetime(2026, 3, 1, tzinfo=UTC), "II"),))

    def test_a_due_date_is_that_of_the_clock(self):
        for part in (LOW, HIGH):
            expected = clock.due(
                load(), circumstance="residential-entry", part=part, day=date(2026, 3, 14),
                clock="collection", history=self.HISTORY,
            )  # fmt: skip
            assert self.RULES.due(bucket(), part, self.HISTORY) == expected

    def test_what_it_does_not_know(self):
        with pytest.raises(InputError):
            self.RULES.due(bucket(), "4-I", self.HISTORY)
        other = bucket(standard="2027.1+0123456789abcdef")
        assert self.RULES.due(other, LOW, self.HISTORY) is None

    def test_what_a_point_may_ask(self):
        assert self.RULES.refuses(point(), "biometric.face", "I")
        assert not self.RULES.refuses(point(), "identity.name", "II")
        assert not self.RULES.refuses(
            point(standard="2027.1+0123456789abcdef"), "biometric.face", "I"
        )


class TestTables:
    def test_every_kind_is_in_both_languages_with_the_same_places(self):
        places = [{part.split("}")[0] for part in text.split("{")[1:]} for kind in KINDS.values()
                  for text in (kind.zh, kind.en)]  # fmt: skip
        assert places[::2] == places[1::2]

    def test_types_that_the_audit_passes_over_are_known(self):
        """A new type of entry must be thought about here."""
        passed = {name for name, kind in e.TYPES.items() if kind not in READERS}
        assert passed == {
            "standard", "agreement", "role", "approval", "tags-remade",
            "log-continues",  # the auditor itself looks at where it stands
        }  # fmt: skip

    def test_the_gravest_first(self):
        findings = Findings()
        findings.add("shrunk", "x", old=2, new=1)
        findings.add("root", "y", size=2)
        assert [each.kind for each in findings.all()] == ["root", "shrunk"]

    def test_two_who_read_the_same_find_the_same(self):
        assert audit(*THREE, erased(0), now=LATE) == audit(*THREE, erased(0), now=LATE)

    def test_a_conclusion_changes_nothing(self):
        auditor = Auditor(RoundRules())
        for index, each in enumerate([*OPENING, *THREE]):
            auditor.read(index, each)
        assert auditor.conclude(LATE).by_key == auditor.conclude(LATE).by_key
        assert auditor.conclude(DUE - timedelta(days=1)).by_key == {}
