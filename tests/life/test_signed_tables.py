"""Tables and releases are made under a grant that an approver's passkey signed: as many whole parts as it says."""

import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from relief import Relief
from sampled import Clinic
from test_split import Split

from epilock import assemble, settings
from epilock.demo.drill.device import ORIGIN, Device
from epilock.errors import ApprovalError, ConflictError, ForbiddenError, InputError, RateError
from epilock.standard.level import CHINA
from epilock.store import approval
from epilock.store import bucket as buckets
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice import granted
from epilock.store.keyservice.client import RemoteKeys
from epilock.store.keyservice.desk import Limits, sealing
from epilock.use import aggregate, grant
from epilock.use.question import Question
from epilock.use.release import register
from epilock.use.release.register import APPROVED, ASKED, FAILED, PREVIEWED

DAY = date(2026, 3, 14)
RESULT = "health.test-result"
PARTS = 6  # a day, of the key service


@pytest.fixture
def split(town, environ, tmp_path, clock):
    """Keys apart; whole parts are given out under signed grants alone."""
    made = Split(town, environ, tmp_path, clock)
    made.desk.site, made.desk.limits = approval.site(ORIGIN), Limits(parts=PARTS)
    town.parts.close()
    made.begin()
    yield made
    made.close()


class Signing:
    """Whoever approves signs with a passkey that the key service knows."""

    def __init__(self, split):
        self.split, self.devices = split, {}
        super().__init__(*self.begin())

    def sign(self, by, asked):
        if by.staff not in self.devices:
            device = self.devices[by.staff] = Device(by.org, by.staff, len(self.devices) + 1)
            sealed = sealing(self.split.desk.keys)
            granted.add(sealed, asked.org, device.approver, now=self.town.clock())
        return self.devices[by.staff].sign(asked.statement().challenge())

    def used(self):
        """How many parts were read under each grant that was signed."""
        return [g.used for g in granted.grants(sealing(self.split.desk.keys))]


class SignedRelief(Signing, Relief):
    def begin(self):
        return (self.split.town,)

    def leave(self, who, by, **change):
        return super().leave(who, by, **{"parts": PARTS, **change})

    def tries(self):
        """How many tries of its grant are used up."""
        with self.parts.database.read() as tx:
            return grant.load(tx, self.grant.org, self.grant.grant).used

    def load(self, found):
        with self.parts.database.read() as tx:
            return register.load(tx, found.org, found.release)


RESULTS = {"name": "identity.name", "mobile": "contact.mobile", "result": RESULT}


class SignedClinic(Signing, Clinic):
    def begin(self):
        return self.split.town, "quarantine", RESULTS


def leave(clinic, people, **change):
    """A grant to count that is asked for and approved by these two."""
    counts = {"purpose": "resource-allocation", "circumstances": ("quarantine",), "parts": 1}
    return clinic.leave(*people, **{**counts, **change})


def count(clinic, who, found, **change):
    question = Question(
        **{
            "source": "garden", "emergency": "flu", "circumstance": "quarantine", "since": DAY,
            "until": DAY, "counted": RESULT, **change,
        }
    )  # fmt: skip
    gate, database, now = clinic.parts.gate, clinic.parts.database, clinic.town.clock()
    with database.write() as tx:
        decided = aggregate.decide(gate, tx, who, question=question, grant=found.grant, now=now)
    with database.read() as tx:
        counts = aggregate.tally(gate, tx, decided)
    with database.write() as tx:
        return aggregate.publish(gate, tx, decided, counts, now=now).table


class TestRelease:
    @pytest.fixture
    def relief(self, split, town):
        made = SignedRelief(split)
        made.register(40)
        made.register(40, "千佛山街道")
        town.clock.forward(days=1)
        return made

    def test_is_made_and_handed_out_under_its_grant(self, relief):
        found = relief.released()
        assert found.stage == APPROVED
        assert relief.used() == [len(found.parts)]

    def test_one_more_reads_the_same_parts(self, relief):
        """Also what each record was in the first is read under the grant of the second."""
        first = relief.released()
        second = relief.previewed()
        assert (first.stage, second.stage) == (APPROVED, PREVIEWED)
        assert relief.used() == [len(first.parts)]

    def test_beyond_what_was_signed_fails_and_says_why(self, relief):
        few = relief.leave(
            relief.analyst, relief.approver, purpose="governance", form="deidentified", subjects=5,
            circumstances=("relief-compensation",), parts=1,
        )  # fmt: skip
        assert len(relief.question().parts(relief.parts.standard)) > 1
        found = relief.previewed(grant=few)
        assert (found.stage, found.problem["kind"]) == (FAILED, "keys")
        assert "1 of its 1 whole parts" in found.problem["detail"]

    def test_is_not_made_once_the_key_service_ended_its_grant(self, relief, split, town):
        ended = (relief.grant.org, relief.grant.grant)
        granted.end(sealing(split.desk.keys), *ended, now=town.clock())
        found = relief.previewed()
        assert (found.stage, found.problem["kind"]) == (FAILED, "keys")

    def test_rests_where_no_more_is_given_today_and_uses_up_one_try(self, relief, split, town):
        """Who asks the same tomorrow goes on with it; nothing asks in between, for each day's parts count."""
        split.desk.limits = Limits(parts=1)
        found = relief.previewed()
        assert (found.stage, found.problem["kind"]) == (ASKED, "later")
        assert "1 of the 1 parts that are given out" in found.problem["detail"]
        assert relief.ask().release == found.release
        town.clock.forward(hours=24)
        relief.maker.complete()
        assert relief.load(found).stage == ASKED
        split.desk.limits = Limits(parts=PARTS)
        made = relief.previewed()
        assert (made.release, made.stage, made.problem) == (found.release, PREVIEWED, None)
        assert relief.tries() == 1

    def test_what_was_approved_is_asked_for_again_where_no_more_is_given_today(
        self, relief, split, town
    ):
        approved = relief.judge(relief.request(relief.previewed()))
        town.clock.forward(hours=24)
        split.desk.limits = Limits(parts=1)
        found = relief.step(approved)
        assert (found.stage, found.problem["kind"], found.approved_by) == (PREVIEWED, "later", None)
        split.desk.limits = Limits(parts=PARTS)
        assert relief.step(relief.judge(relief.request(found))).stage == APPROVED
        assert relief.tries() == 1

    def test_rests_no_longer_than_its_grant(self, relief, split, town):
        split.desk.limits = Limits(parts=1)
        found = relief.previewed()
        town.clock.instant = relief.grant.until
        relief.maker.complete()
        ended = relief.load(found)
        assert (ended.stage, ended.problem["kind"]) == (FAILED, "refused")

    def test_under_a_grant_of_before_is_refused_by_its_rule(self, relief):
        with relief.parts.database.write() as tx:
            tx.delete(grant.grant_signatures, org="city", grant=relief.grant.grant)
        assert relief.ask().rule == "grant-unsigned"

    def test_a_process_that_was_taken_over_gets_what_was_signed(self, relief, split):
        """It may choose others of the circumstance's parts than the pages would, and gets no more of them."""
        few = relief.leave(
            relief.analyst, relief.approver, purpose="governance", form="deidentified", subjects=5,
            circumstances=("relief-compensation",), parts=1,
        )  # fmt: skip
        with relief.parts.database.read() as tx:
            held = [(b.name, p) for b in buckets.listing(tx, "garden") for p in b.parts]
        remote = RemoteKeys(split.address)
        got = []
        for name, part in held:
            with pytest.raises(ForbiddenError, match="under a grant"):
                remote.cover("garden", name, part)
            try:
                remote.under("city", few.grant).cover("garden", name, part)
            except RateError:
                continue
            got.append(part)
        remote.close()
        assert len(held) > len(got) == 1


class TestTable:
    @pytest.fixture
    def clinic(self, split, town):
        made = SignedClinic(split)
        for _ in range(2):
            made.take(*["positive"] * 12, *["negative"] * 30)
            town.clock.forward(days=1)
        return made

    @pytest.fixture
    def people(self, clinic):
        return clinic.hire("cdc", "doctor", "analyst"), clinic.hire("cdc", "second", "approver")

    def test_is_counted_under_its_grant(self, clinic, people):
        table = count(clinic, people[0], leave(clinic, people))
        assert table.cells == {"negative": 30, "positive": 12}
        assert clinic.used() == [1]

    def test_by_day_reads_no_part(self, clinic, people):
        found, until = leave(clinic, people), DAY + timedelta(days=1)
        table = count(clinic, people[0], found, until=until, counted="day")
        assert (table.total, clinic.used()) == (84, [0])

    def test_of_more_days_than_were_signed_is_not_counted(self, clinic, people):
        found = leave(clinic, people)
        with pytest.raises(RateError, match="1 of its 1 whole parts"):
            count(clinic, people[0], found, until=DAY + timedelta(days=1))

    def test_a_row_that_says_more_parts_than_were_signed_counts_nothing(self, clinic, people):
        found = leave(clinic, people)
        with clinic.parts.database.write() as tx:
            tx.update(grant.grant_parts, {"org": "cdc", "grant": found.grant}, parts=5)
        with pytest.raises(ConflictError, match="says something else"):
            count(clinic, people[0], found)

    def test_a_grant_that_names_no_parts_has_the_usual_ones(self, clinic, people, split):
        with pytest.raises(InputError, match=f"at most {PARTS} whole parts .* reads 155"):
            leave(clinic, people, parts=None)
        split.desk.limits = Limits(parts=200)
        assert leave(clinic, people, parts=None).parts == 155
        assert [g.most for g in granted.grants(sealing(split.desk.keys))] == [155]

    def test_without_a_signature_none_is_approved(self, clinic, people):
        clinic.sign = lambda *_: ""
        with pytest.raises(ApprovalError, match="passkey signs it"):
            leave(clinic, people)

    @pytest.mark.parametrize(
        "wrong", [{"form": "raw", "purpose": "tracing", "case": "C-1"}, {"parts": 0}]
    )
    def test_parts_are_named_for_tables_alone(self, clinic, people, wrong):
        with pytest.raises(InputError, match="whole parts are named for"):
            leave(clinic, people, **wrong)

    def test_a_service_that_was_put_back_is_shown_the_signature_again(self, clinic, people, split):
        found = leave(clinic, people)
        with split.desk.keys.database.write() as tx:
            tx.conn.execute(sa.delete(granted.granted))
        assert count(clinic, people[0], found).total == 42


def test_with_the_key_service_as_a_process_of_its_own(town, environ, tmp_path, program):
    """Made known, signed, counted, listed, ended: each by the program itself where the keys are."""
    town.clock.instant = datetime.now(UTC) - timedelta(days=1)
    day = town.clock().astimezone(CHINA).date()
    clinic = Clinic(town, "quarantine", RESULTS)
    clinic.take(*["positive"] * 12, *["negative"] * 30)
    people = clinic.hire("cdc", "doctor", "analyst"), clinic.hire("cdc", "second", "approver")
    town.parts.close()
    device, at = Device("cdc", people[1].staff), f"unix:{tmp_path}/run/keys.sock"
    mark = device.approver.fingerprint()
    program.run("keys", "approvers", "add", "cdc", device.approver.line(), "--fingerprint", mark)
    keys = program.start("keys", "serve", "--at", at, "--signed-grants", ORIGIN, "--parts", "4")
    web = {"EPILOCK_DATABASE": environ["EPILOCK_DATABASE"], "EPILOCK_KEY_SERVICE": at}
    while "keys at" not in program.said():
        time.sleep(0.05)
    town.clock.instant = datetime.now(UTC)
    told = settings.read(web, home=tmp_path / "web")
    town.parts = clinic.parts = assemble.build(told, now=town.clock)
    clinic.sign = lambda _, asked: device.sign(asked.statement().challenge())
    found = leave(clinic, people)
    assert count(clinic, people[0], found, since=day, until=day).total == 42
    with town.parts.database.read() as tx:
        (bucket,) = buckets.listing(tx, "garden")
    thief, got = RemoteKeys(addresses.read(at)), []
    for part in bucket.parts:
        with pytest.raises(ForbiddenError, match="under a grant"):
            thief.cover("garden", bucket.name, part)
        with suppress(RateError):
            thief.under("cdc", found.grant).cover("garden", bucket.name, part)
            got.append(part)
    thief.close()
    assert len(bucket.parts) > len(got) == 1
    assert "garden: quarantine, 1 of 1 whole parts" in program.run("keys", "grants", "list")
    program.run("keys", "grants", "end", "cdc", found.grant)
    with pytest.raises(ForbiddenError, match="is over"):
        count(clinic, people[0], found, since=day, until=day)
    program.kill(keys)
