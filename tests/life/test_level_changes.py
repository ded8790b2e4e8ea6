"""A level changes in a town of many points: it counts at once, and the notices follow, each once, whatever stops them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from test_collecting import Interrupted, keeper_of

from epilock.caretaker import Caretaker
from epilock.collect import issue, offline, reissue
from epilock.collect.record import Stored
from epilock.collect.writer import Writer
from epilock.errors import ConflictError, StaleNoticeError, TamperedError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.ledger.shards import all_of
from epilock.registry import emergency as emergencies
from epilock.standard.text import Text

FLU = ("city", "flu")
MANY = 2 * reissue.SLICE + 3


@pytest.fixture
def points(town):
    """The town with ``MANY`` points."""
    with town.parts.database.write() as tx:
        others = [
            issue.open_with_notice(
                tx, town.parts.press, org="garden", plan=town.plan(), now=town.clock()
            )
            for _ in range(MANY - 1)
        ]
    town.clock.forward(hours=1)
    return [town.point, *(p.point for p in others)]


def set_level(town, level, instrument="No. 2", end=None):
    with town.parts.database.write() as tx:
        return emergencies.change_level(
            tx, town.parts.log, standard_ref=town.parts.standard.ref, authority="city", emergency="flu",
            level=level, issuer="City", instrument=instrument, date_=town.clock().date(),
            expected_end=end, now=town.clock(),
        )  # fmt: skip


def go_on(town, **how):
    return reissue.go_on(town.parts.database, town.parts.press, now=town.clock, of=FLU, **how)


def left(town, of=FLU):
    with town.parts.database.read() as tx:
        return issue.to_be_issued(tx, now=town.clock(), of=of)


def levels_of(town, points):
    with town.parts.database.read() as tx:
        return [issue.in_force(tx, "garden", p)[1].notice.level for p in points]


def said(town, kind):
    with town.parts.database.read() as tx:
        found = [
            entry.decode(text)
            for log in all_of(town.parts.log)
            for text in log.entries(tx, 0, log.size(tx))
        ]
    return [each for each in found if isinstance(each, kind)]


class TestNoticesFollow:
    def test_each_point_has_one_of_the_new_level(self, town, points):
        set_level(town, "III")
        assert sorted(left(town)) == sorted(("garden", p) for p in points)
        assert go_on(town) == MANY
        assert set(levels_of(town, points)) == {"III"}
        assert (left(town), go_on(town)) == ([], 0)

    def test_the_level_stands_in_the_log_before_them(self, town, points):
        before = len(said(town, entry.Notice))
        set_level(town, "III")
        assert said(town, entry.Level)[-1].level == "III"
        assert len(said(town, entry.Notice)) == before
        go_on(town)
        assert len(said(town, entry.Notice)) == before + MANY

    def test_how_far_they_are_is_told_in_numbers(self, town, points):
        told = []
        set_level(town, "III")
        go_on(town, told=lambda *place: told.append(place))
        assert told[0] == ("notices", 0, MANY)
        assert told[-1] == ("notices", MANY, MANY)
        assert [done for _, done, _ in told] == [0, reissue.SLICE, 2 * reissue.SLICE, MANY]

    def test_what_stops_them_loses_none_and_issues_none_twice(self, town, points):
        """What was committed stays; whoever goes on issues what is missing."""

        def stop(_, done, of):
            if done == reissue.SLICE:
                raise KeyboardInterrupt

        set_level(town, "III")
        with pytest.raises(KeyboardInterrupt):
            go_on(town, told=stop)
        assert len(left(town)) == MANY - reissue.SLICE
        assert go_on(town) == MANY - reissue.SLICE
        issued = [(n.point, n.version) for n in said(town, entry.Notice)]
        assert len(issued) == len(set(issued)) == 2 * MANY

    def test_two_who_go_on_at_once_issue_none_twice(self, town, points):
        """The page's work and the clock, in one process or in two."""
        set_level(town, "III")
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(go_on, town) for _ in range(2)]
        assert sum(each.result() for each in both) == MANY
        issued = [(n.point, n.version) for n in said(town, entry.Notice)]
        assert len(issued) == len(set(issued)) == 2 * MANY

    def test_the_clock_goes_on_with_what_a_crash_left(self, town, points):
        set_level(town, "III")
        caretaker = Caretaker(town.parts, destroy=False)
        caretaker.round()
        assert left(town, of=None) == []

    def test_a_level_that_changes_meanwhile_is_the_one_that_is_told(self, town, points):
        def change(_, done, of):
            if done == reissue.SLICE:
                town.clock.forward(minutes=5)
                set_level(town, "IV")

        set_level(town, "III")
        go_on(town, told=change)
        assert set(levels_of(town, points)) == {"IV"}

    def test_another_emergencys_points_are_left_alone(self, town, points):
        set_level(town, "III")
        with town.parts.database.read() as tx:
            assert issue.to_be_issued(tx, now=town.clock(), of=("city", "flood")) == []


class TestWhatCannotBeIssued:
    """A point whose notice can't be issued stays closed, alone."""

    @pytest.fixture
    def bad(self, points, monkeypatch):
        """The first point, which fails once its notice was written."""

        def fail(tx, press, *, org, point, now):
            made = issue.issue(tx, press, org=org, point=point, now=now)
            if point == points[0]:
                raise TamperedError(f"points (org={org}, point={point}) was changed")
            return made

        monkeypatch.setattr(reissue, "issue", fail)
        return points[0]

    def test_it_keeps_no_other_closed(self, town, points, bad, caplog):
        set_level(town, "III")
        for _ in range(2):  # the next round begins with it again
            with pytest.raises(TamperedError):
                go_on(town)
            assert left(town) == [("garden", bad)]
        assert levels_of(town, points) == ["II", *["III"] * (MANY - 1)]
        issued = [n for n in said(town, entry.Notice) if n.level == "III"]
        assert len(issued) == MANY - 1  # nothing is left of what failed
        told = f"the notice of garden/{bad} was not issued anew: TamperedError"
        assert [r.getMessage() for r in caplog.records] == [told] * 2

    def test_the_caretakers_other_duties_are_done(self, town, bad):
        with town.parts.database.write() as tx:
            lease = offline.take(
                tx, town.parts.log, town.parts.keys, town.parts.standard, org="garden", point=bad,
                holder="s-anna", most=5, now=town.clock,
            )  # fmt: skip
        town.clock.forward(days=3)
        set_level(town, "III")
        with pytest.raises(TamperedError):
            Caretaker(town.parts, destroy=False).round()
        with town.parts.database.read() as tx:
            assert offline.load(tx, "garden", lease.lease).sealed is None

    def test_an_emergency_whose_levels_were_changed_keeps_no_other_waiting(self, town):
        parts, now, ref = town.parts, town.clock(), town.parts.standard.ref
        with parts.database.write() as tx:
            emergencies.declare(
                tx, parts.log, standard_ref=ref, authority="city", emergency="flood",
                area="370102", kind="natural-disaster", name=Text("水", "Flood"), now=now,
            )  # fmt: skip
            emergencies.change_level(
                tx, parts.log, standard_ref=ref, authority="city", emergency="flood", level="II",
                issuer="City", instrument="No. 7", date_=now.date(), expected_end=None, now=now,
            )  # fmt: skip
            plan = town.plan(emergency="city/flood")
            point = issue.open_with_notice(tx, parts.press, org="garden", plan=plan, now=now).point
        with parts.database.write() as tx:
            of = emergencies.levels.c.emergency == "flood"
            tx.conn.execute(sa.update(emergencies.levels).where(of).values(issuer="Somebody"))
        town.clock.forward(hours=1)
        set_level(town, "III")
        with pytest.raises(TamperedError):
            reissue.go_on(parts.database, parts.press, now=town.clock)
        assert left(town, of=None) == [("garden", point)]
        assert levels_of(town, [town.point]) == ["III"]


class TestUntilThen:
    def test_a_point_takes_nothing_under_a_notice_of_another_level(self, town):
        """A level that fell forbids at once, however long the notices take."""
        late = town.accepted()
        town.clock.forward(hours=1)
        set_level(town, "IV")
        (answer,) = town.store(late)
        assert isinstance(answer, StaleNoticeError)
        go_on(town)
        (stored,) = town.store()
        assert isinstance(stored, Stored)

    def test_nobody_takes_it_along(self, town):
        town.clock.forward(hours=1)
        set_level(town, "III")
        with pytest.raises(StaleNoticeError), town.parts.database.write() as tx:
            offline.take(
                tx, town.parts.log, town.parts.keys, town.parts.standard, org="garden",
                point=town.point, holder="s-anna", most=5, now=town.clock,
            )  # fmt: skip

    def test_a_level_that_comes_by_the_clock_counts_from_its_instant(self, town):
        with town.parts.database.write() as tx:
            emergencies.change_level(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, authority="city",
                emergency="flu", level="IV", issuer="City", instrument="No. 3",
                date_=town.clock().date(), expected_end=None, now=town.clock(),
                effective=town.clock() + timedelta(hours=1),
            )  # fmt: skip
        (stored,) = town.store()
        assert isinstance(stored, Stored)
        town.clock.forward(hours=1)
        (answer,) = town.store()
        assert isinstance(answer, StaleNoticeError)


class Queue:
    """A database for whose write lock somebody waits while another has it, who does what ``before`` says."""

    def __init__(self, database, before):
        self._database, self._before = database, before

    @contextmanager
    def write(self):
        before, self._before = self._before, None
        if before is not None:
            before()
        with self._database.write() as tx:
            yield tx


class Head(Log):
    """A log for whose head somebody waits while another has it, who does what ``before`` says."""

    before = None

    def append(self, tx, entries, *, now):
        before, self.before = self.before, None
        if before is not None:
            before()
        return super().append(tx, entries, now=now)


class TestWhoWaitsForTheirTurn:
    """What counts is the level when the turn has come, not when somebody began to wait for it."""

    @staticmethod
    def change(town):
        town.clock.forward(seconds=2)
        set_level(town, "IV")

    def hand_in(self, town, keeper):
        writer = Writer(keeper, now=town.clock)
        late = writer.submit(town.accepted())
        with pytest.raises(StaleNoticeError, match="level has changed"):
            late.result(timeout=20)
        writer.stop()
        kinds = [type(each) for each in said(town, entry.Level | entry.Collect)]
        assert kinds[-1] is entry.Level  # nothing came after it

    def test_a_record_that_waited_for_the_write_lock_is_refused(self, town):
        town.clock.forward(hours=1)
        queue = Queue(town.parts.database, lambda: self.change(town))
        self.hand_in(town, keeper_of(town, database=queue))

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_a_record_that_waited_for_the_head_is_refused(self, town):
        keeper = keeper_of(town, Interrupted)
        keeper.store([town.accepted()], now=town.clock)
        town.clock.forward(hours=1)
        keeper.between = lambda: self.change(town)
        self.hand_in(town, keeper)

    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_who_waited_for_the_head_takes_nothing_along(self, town):
        log = Head(town.parts.log.origin, lambda _: town.parts.log.signer)
        log.before = lambda: self.change(town)
        town.clock.forward(hours=1)
        with pytest.raises(StaleNoticeError), town.parts.database.write() as tx:
            offline.take(
                tx, log, town.parts.keys, town.parts.standard, org="garden", point=town.point,
                holder="s-anna", most=5, now=town.clock,
            )  # fmt: skip


def test_what_was_set_last_is_not_set_once_more(town):
    """A form that is sent twice is one change; an order that names another expected end renews the level."""
    town.clock.forward(hours=1)
    first = set_level(town, "III")
    town.clock.forward(minutes=1)
    assert set_level(town, "III") == first
    with pytest.raises(ConflictError, match="renews"):
        set_level(town, "III", instrument="No. 9")
    later = town.clock().date() + timedelta(days=30)
    assert set_level(town, "III", instrument="No. 9", end=later) != first
    assert [s.level for s in said(town, entry.Level)] == ["II", "III", "III"]
