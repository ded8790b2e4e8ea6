"""What was ended, bound or taken away after the backup is so again, and nothing else comes back by it."""

from datetime import timedelta

import pytest

import passwords
from epilock.accounts import session, sign_in, staff
from epilock.collect import issue
from epilock.collect import point as points
from epilock.collect.point import Field, Plan
from epilock.deidentify.noise.budget import Account, Book, allot, charge, declare
from epilock.deidentify.noise.budget import load as load_budget
from epilock.deidentify.noise.query import Count, Request
from epilock.deidentify.pseudonyms import study as studies
from epilock.demo import city, life
from epilock.demo.people import people
from epilock.destroy import freeze, hold, move, order
from epilock.errors import ErasedError, SignInError, StateError
from epilock.ledger import entry, regime, succession
from epilock.ledger.check import Damage
from epilock.registry import emergency, mandate
from epilock.standard.level import CHINA
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.use import grant

ORG = "sunny-garden"


@pytest.fixture
def hired(estate):
    """An account, its password, and a grant that another person approved."""
    with estate.parts.database.write() as tx:
        who, password = hire(estate, tx, "doctor", "analyst")
        boss, _ = hire(estate, tx, "boss", "approver")
        asked = grant.request(
            tx, estate.parts.standard, who, source=ORG, purpose="tracing",
            form="masked", circumstances=("residential-entry",), subjects=5, case="QH-1",
            reason="x", until=estate.clock() + timedelta(days=5), now=estate.clock(),
        )  # fmt: skip
        given = grant.decide(
            tx, estate.parts.log, estate.parts.keys, standard_ref=estate.parts.standard.ref, org=who.org,
            grant=asked.grant, by=boss, approve=True, now=estate.clock(),
        )  # fmt: skip
        session.begin(tx, who, now=estate.clock())
    return who, password, given


def hire(estate, tx, login, role):
    return staff.add_staff(
        tx, estate.parts.log, standard_ref=estate.parts.standard.ref, org="qinghe-cdc",
        login=login, roles=(role,), now=estate.clock(), once=passwords.once(),
    )  # fmt: skip


def enters(parts, who, password, now):
    with parts.database.write() as tx:
        found = sign_in.by_password(
            tx, secret=parts.session_secret, org=who.org, login=who.login, password=password,
            now=now,
        )  # fmt: skip
    return not isinstance(found, SignInError)


def again(estate):
    done = estate.restore(estate.publish())
    assert done.damage == []
    return done


def checkpoint(parts):
    with parts.database.read() as tx:
        return parts.log.checkpoint(tx)


def listing(parts):
    with parts.database.read() as tx:
        return points.listing(tx, ORG)


class TestAccess:
    def test_a_revoked_grant_stays_revoked(self, estate, hired):
        who, _, given = hired
        estate.backup()
        with estate.parts.database.write() as tx:
            grant.revoke(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, org=who.org,
                grant=given.grant, by=who.staff, now=estate.clock(),
            )  # fmt: skip
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert grant.load(tx, who.org, given.grant).stage == grant.REVOKED

    def test_who_was_dismissed_does_not_come_in(self, estate, hired):
        who, password, _ = hired
        estate.backup()
        with estate.parts.database.write() as tx:
            staff.set_roles(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, org=who.org,
                code=who.staff, roles=(), now=estate.clock(),
            )  # fmt: skip
        again(estate)
        with estate.restored() as parts:
            assert not enters(parts, who, password, estate.clock())

    def test_a_password_that_was_taken_away_stays_away(self, estate, hired):
        """The log shows a reset as an end and a beginning; the backup has the old password."""
        who, password, _ = hired
        assert enters(estate.parts, who, password, estate.clock())
        estate.backup()
        with estate.parts.database.write() as tx:
            staff.reset(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, org=who.org,
                code=who.staff, now=estate.clock(),
            )  # fmt: skip
        again(estate)
        with estate.restored() as parts:
            assert not enters(parts, who, password, estate.clock())

    def test_sessions_are_ended(self, estate, hired):
        who, _, _ = hired
        estate.backup()
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert session.listing(tx, who, now=estate.clock()) == []

    def test_an_account_that_came_after_is_named(self, estate):
        """It can't be made from the log, which has no password; everything else goes on."""
        estate.backup()
        with estate.parts.database.write() as tx:
            made, _ = hire(estate, tx, "nurse", "analyst")
        done = estate.restore(estate.publish())
        (missing,) = done.damage
        assert missing.row == f"staff (org=qinghe-cdc, staff={made.staff})"
        assert "is missing: ledger entry" in missing.problem


class TestCollection:
    def test_a_closed_point_stays_closed(self, estate):
        estate.backup()
        with estate.parts.database.write() as tx:
            (point,) = points.listing(tx, ORG)
            points.close_point(
                tx, estate.parts.log, estate.parts.standard, org=ORG, point=point.point,
                reason="ended", now=estate.clock(),
            )  # fmt: skip
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert points.load(tx, ORG, point.point).closed is not None

    def test_a_level_holds_with_its_notices(self, estate):
        """They are made once more, byte for byte: a version is never issued with another text."""
        estate.backup()
        estate.clock.instant += timedelta(hours=1)
        assert life.set_level(estate.parts, "III", "2", estate.clock()) == 1
        again(estate)
        (point,) = (p.point for p in listing(estate.parts))
        with estate.restored() as parts, parts.database.read() as tx:
            history = emergency.history(tx, "qinghe", "outbreak-7")
            assert history.changes[-1].level == "III"
            found, issued = issue.in_force(tx, ORG, point)
        with estate.parts.database.read() as tx:
            was = issue.in_force(tx, ORG, point)[1]
        assert (found.version, issued.sha256, issued.signed) == (2, was.sha256, was.signed)

    def test_a_notice_that_can_not_be_made_again_is_named(self, estate):
        """It names an organisation's contact, or a mandate, that was lost with the registers."""
        estate.backup()
        with estate.parts.database.write() as tx:
            name = {"zh": "别的", "en": "Another"}
            (point,) = points.listing(tx, ORG)
            tx.update(points.points, {"org": ORG, "point": point.point}, name=name)
            issue.issue(tx, estate.parts.press, org=ORG, point=point.point, now=estate.clock())
        done = estate.restore(estate.publish())
        assert {d.row.split(" ")[0] for d in done.damage} == {"notices", "points"}

    def test_an_order_that_was_cancelled_is_not_carried_out(self, estate):
        stored, ref = estate.give(), estate.parts.standard.ref
        estate.clock.instant += timedelta(days=40)
        with estate.parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, ORG, stored.bucket)
            asked = order.propose(
                tx, estate.parts.log, estate.parts.standard, org=ORG, bucket=bucket.id,
                parts=bucket.parts, reason="due", by="s-1",
                cooling=timedelta(hours=24), now=estate.clock(),
            )  # fmt: skip
        estate.backup()
        with estate.parts.database.write() as tx:
            order.cancel(
                tx, estate.parts.log, standard_ref=ref, org=ORG, order=asked.order, by="s-2",
                now=estate.clock(),
            )  # fmt: skip
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert order.load(tx, ORG, asked.order).stage == order.CANCELLED


@pytest.fixture
def parcel(estate):
    """A record of a parcel that is to be delivered: its bucket and number."""
    parts, now, ref = estate.parts, estate.clock(), estate.parts.standard.ref
    today = now.astimezone(CHINA).date()
    fields = (
        Field(id="name", category="identity.name", label=Text("姓名", "Name"), optional=False),
        Field(id="need", category="need.supplies", label=Text("物资", "Needs"), optional=False),
    )
    plan = Plan(
        emergency="qinghe/outbreak-7", circumstance="supplies", name=Text("物资", "Supplies"),
        fields=fields,
    )  # fmt: skip
    with parts.database.write() as tx:
        mandate.record_mandate(
            tx, parts.log, standard_ref=ref, org=ORG, authority="qinghe", emergency="outbreak-7",
            issuer="x", number="2", date_=today, circumstances=("supplies",), until=None, now=now,
        )  # fmt: skip
        mandate.record_assessment(
            tx, parts.log, standard_ref=ref, org=ORG, about="supplies", date_=today,
            until=today + timedelta(days=90), sha256="cd" * 32, now=now,
        )  # fmt: skip
        point = issue.open_with_notice(tx, parts.press, org=ORG, plan=plan, now=now)
    form = city.form_in_force(parts, ORG, point.point)
    person = people(1, seed=3, today=today)[0]
    given = form.accept(city.fill(form, person, 1), today=today)
    (stored,) = parts.keeper.store([given], now=lambda: now)
    return stored


class TestEnds:
    def test_a_record_that_moved_with_its_event_does_not_come_back(self, estate, parcel):
        """Its content was sealed anew in the event's bucket, after the backup: it is lost, by that number."""
        estate.backup()
        parts, today = estate.parts, estate.clock().astimezone(CHINA).date()
        with parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, ORG, parcel.bucket)
            move.Mover(parts.log, parts.keys, parts.standard).start_clock(
                tx, bucket=bucket, n=parcel.n, event="delivery", day=today, now=estate.clock()
            )
        done = again(estate)
        assert done.replayed.lost == [(f"{parcel.bucket}+delivery", 0)]
        with estate.restored() as parts:
            with parts.database.read() as tx, pytest.raises(StateError, match="was moved"):
                vault.open_record(tx, parts.keys, ORG, bucket.id, parcel.n)
            assert estate.findings(parts, "again") == []

    @pytest.mark.parametrize("released", [False, True])
    def test_a_hold_binds_until_it_is_released(self, estate, released):
        stored, ref, now = estate.give(), estate.parts.standard.ref, estate.clock()
        today = now.astimezone(CHINA).date()
        with estate.parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, ORG, stored.bucket)
            named = mandate.record_assessment(
                tx, estate.parts.log, standard_ref=ref, org=ORG, about="hold", date_=today,
                until=today + timedelta(days=90), sha256="ab" * 32, now=now,
            )  # fmt: skip
        estate.backup()
        with estate.parts.database.write() as tx:
            held = hold.place(
                tx, estate.parts.log, standard_ref=ref, org=ORG, bucket=bucket.id,
                assessment=named, reason="investigation",
                last_day=today + timedelta(days=60), by="s-1", now=now,
            )  # fmt: skip
            if released:
                hold.release(
                    tx, estate.parts.log, standard_ref=ref, org=ORG, hold=held.hold, by="s-2",
                    now=now,
                )  # fmt: skip
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert hold.is_held(tx, ORG, bucket.id, now) is not released

    @pytest.mark.parametrize("lifted", [False, True])
    def test_a_freeze_lasts_until_it_is_lifted(self, estate, lifted):
        """What was found would else be forgotten, and destruction go on."""
        ref, now = estate.parts.standard.ref, estate.clock()
        estate.backup()
        with estate.parts.database.write() as tx:
            freeze.begin(
                tx, estate.parts.log, [Damage("grants (org=a)", "x")], standard_ref=ref, now=now
            )
            if lifted:
                who = {"by_org": "qinghe", "now": now}
                freeze.ask(tx, by="s-1", roles=["supervisor"], reason="exercise", **who)
                freeze.lift(
                    tx, estate.parts.log, standard_ref=ref, by="s-2", roles=["custodian"], **who
                )
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert (freeze.current(tx) is None) is lifted
            assert freeze.listing(tx)[0].count == 1

    def test_a_corrected_record_does_not_come_back(self, estate):
        """Its content is dead by the log; the one that took its place is lost, and named."""
        old = estate.give()
        estate.backup()
        parts = estate.parts
        with parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, ORG, old.bucket)
            move.Mover(parts.log, parts.keys, parts.standard).correct(
                tx, bucket=bucket, n=old.n, minor=2, now=estate.clock(),
                given=vault.find_record(tx, ORG, bucket.id, old.n).given,
                parts=vault.open_record(tx, parts.keys, ORG, bucket.id, old.n),
            )  # fmt: skip
            _, n = vault.find_receipt(tx, ORG, vault.handle_of(old.receipt_id))
            by = vault.find_record(tx, ORG, bucket.id, n)
        done = again(estate)
        assert done.replayed.lost == [(old.bucket, by.n)]
        with estate.restored() as parts:
            with parts.database.read() as tx, pytest.raises(StateError, match="was moved"):
                vault.open_record(tx, parts.keys, ORG, bucket.id, old.n)
            for part in by.parts:
                with pytest.raises(ErasedError):
                    parts.keys.leaf(ORG, bucket.name, part, old.n)
            assert estate.findings(parts, "again") == []

    def test_a_destroyed_study_stays_destroyed(self, estate):
        book = Book(log=estate.parts.log, standard_ref=estate.parts.standard.ref)
        told = {"org": ORG, "study": "flu-2026"}
        with estate.parts.database.write() as tx:
            studies.begin(
                tx, estate.parts.keys, book, **told, purpose="research", by="s-1",
                now=estate.clock(),
            )  # fmt: skip
            studies.ask_end(tx, **told, by="s-1", now=estate.clock())
        estate.backup()
        estate.clock.instant += timedelta(days=1)
        studies.end(
            estate.parts.database, estate.parts.keys, book, **told, by="s-2", now=estate.clock()
        )
        again(estate)
        with estate.restored() as parts:
            with pytest.raises(ErasedError):
                parts.keys.leaf(ORG, *studies.key_place("flu-2026"), 0)
            with parts.database.read() as tx:
                assert studies.load(tx, ORG, "flu-2026").destroyed is not None

    def test_a_spent_budget_stays_spent(self, estate):
        book = Book(log=estate.parts.log, standard_ref=estate.parts.standard.ref)
        account = Account(org=ORG, dataset="gate", purpose="research", recipient="school")
        request = Request(query=Count(), epsilon=300_000)
        with estate.parts.database.write() as tx:
            declare(
                tx, book, org=ORG, dataset="gate", ceiling=2_000_000, by="s-1", now=estate.clock()
            )
        estate.backup()
        with estate.parts.database.write() as tx:
            allot(tx, book, account, 1_000_000, by="s-1", now=estate.clock())
            charge(tx, book, account, release="r-1", request=request, by="s-1", now=estate.clock())
        done = estate.restore(estate.publish())
        assert [each.row for each in done.damage] == [f"noisy_releases (org={ORG}, release=r-1)"]
        with estate.restored() as parts, parts.database.read() as tx:
            found = load_budget(tx, account)
            assert (found.allotted, found.spent) == (1_000_000, 300_000)


class TestLog:
    def test_a_key_that_the_backup_lacks_is_not_made_again(self, estate):
        """Another one would sign what nobody who trusts the log can verify."""
        estate.backup()
        with estate.parts.database.write() as tx:
            new = succession.rotate(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, now=estate.clock()
            )
        with pytest.raises(Exception, match="does not have"):
            estate.restore(estate.publish())
        assert new.startswith(estate.parts.log.origin)

    def test_a_new_key_goes_on_signing(self, estate):
        """It was announced after the main database was copied, and is in the copy of the keys."""
        estate.parts.log.new_key(2)
        estate.backup()
        with estate.parts.database.write() as tx:
            new = succession.rotate(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, now=estate.clock()
            )
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert [key.signer.vkey for key in parts.log.ring(tx)][1:] == [new]
            assert parts.log.checkpoint(tx) == checkpoint(estate.parts)

    def test_a_policy_is_in_force_again(self, estate):
        """It was announced after the backup; the source has it."""
        estate.backup()
        text = f"log {estate.parts.log.signer.vkey}\nquorum none\n".encode()
        today = estate.clock().astimezone(CHINA).date()
        with estate.parts.database.write() as tx:
            regime.announce(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, text=text,
                since=today, now=estate.clock(),
            )  # fmt: skip
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            assert regime.in_force(tx, parts.log, today).text == text

    def test_a_sealed_log_is_not_opened_again(self, estate):
        estate.backup()
        with estate.parts.database.write() as tx:
            succession.seal(
                tx, estate.parts.log, standard_ref=estate.parts.standard.ref, now=estate.clock()
            )
        with pytest.raises(StateError, match="was sealed after the backup"):
            estate.restore(estate.publish())

    def test_a_lost_record_has_one_reason(self, estate):
        estate.backup()
        stored = estate.give()
        again(estate)
        with estate.restored() as parts, parts.database.read() as tx:
            said = [entry.decode(each) for each in parts.log.entries(tx, 0, 1000)]
        lost = [e for e in said if isinstance(e, entry.Erasure)]
        assert [(e.bucket, e.n, e.reason) for e in lost] == [(stored.bucket, stored.n, "lost")]
