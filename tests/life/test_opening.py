"""Opening: no grant, no data; each decision stands in the ledger before anything leaves."""

from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest

import passwords
from epilock import rate
from epilock.accounts import credentials, guessing, password, session, sign_in, staff, totp
from epilock.destroy import erasure
from epilock.destroy import run as destruction
from epilock.errors import (
    ApprovalError,
    ErasedError,
    ForbiddenError,
    InputError,
    RateError,
    RefusedError,
    SignInError,
)
from epilock.ledger import entry
from epilock.standard import load
from epilock.store import bucket as buckets
from epilock.use import decision as decision_
from epilock.use import gate, grant

LONG = "a long enough password"


@pytest.fixture
def people(town):
    found = {}
    with town.parts.database.write() as tx:
        for org, login, roles in (
            ("cdc", "doctor", ("analyst",)), ("cdc", "second", ("approver",)),
            ("garden", "office", ("custodian", "approver")), ("street", "street", ("approver",)),
        ):  # fmt: skip
            found[login], found[f"{login}-password"] = staff.add_staff(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, org=org, login=login,
                roles=roles, now=town.clock(), once=passwords.once(),
            )  # fmt: skip
    return found


def ask(town, tx, who, **change):
    return grant.request(
        tx, town.parts.standard, who, now=town.clock(),
        **{
            "source": "garden", "purpose": "tracing", "form": "raw", "subjects": 3, "case": "C-1",
            "circumstances": ("residential-entry",), "reason": "contact of a case",
            "until": town.clock() + timedelta(days=2), **change,
        },
    )  # fmt: skip


def approved(town, tx, who, by, **change):
    asked = ask(town, tx, who, **change)
    return grant.decide(
        tx, town.parts.log, town.parts.keys, standard_ref=town.parts.standard.ref, org=who.org, grant=asked.grant,
        by=by, approve=True, now=town.clock(),
    )  # fmt: skip


@pytest.fixture
def place(town):
    (stored,) = town.store()
    with town.parts.database.read() as tx:
        return buckets.load_by_name(tx, "garden", stored.bucket).id, stored.n


def decide(town, tx, who, place, found, **change):
    return town.parts.gate.decide(
        tx, who, source="garden", places=[place], now=town.clock(),
        **{"purpose": "tracing", "form": "raw", "grant": found, **change},
    )  # fmt: skip


class TestGate:
    def test_with_a_grant_a_record_opens_and_is_witnessed(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"])
            decision = decide(town, tx, people["doctor"], place, found.grant)
        with town.parts.database.read() as tx:
            said = entry.decode(town.parts.log.entry(tx, decision.entry_index))
            (shown,) = town.parts.gate.reveal(tx, decision)
            assert grant.load(tx, "cdc", found.grant).used == 1
            assert [d.decision for d in decision_.history(tx, "garden", *place)] == [
                decision.decision
            ]
        assert (said.verdict, said.count, said.by) == ("opened", 1, people["doctor"].staff)
        assert shown["contact.mobile"] == {"mobile": "13912345678"}

    def test_masked_is_masked(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"], form="masked")
            decision = decide(town, tx, people["doctor"], place, found.grant, form="masked")
        with town.parts.database.read() as tx:
            (shown,) = town.parts.gate.reveal(tx, decision)
        assert shown["contact.mobile"] == {"mobile": "139****5678"}
        assert shown["identity.name"] == {"name": "欧**"}

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({"grant": None}, "grant/none"),
            ({"purpose": "research"}, "grant/other-purpose"),
            ({"purpose": "no-such"}, "form/no-such/raw"),
            ({"form": "masked"}, "grant/other-purpose"),
        ],
    )
    def test_what_the_grant_does_not_say_is_refused_and_witnessed(
        self, town, people, place, change, rule
    ):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"])
            change = {"grant": found.grant, **change}
            decision = decide(town, tx, people["doctor"], place, change.pop("grant"), **change)
        assert (decision.verdict, decision.rule) == ("refused", rule)
        with town.parts.database.read() as tx:
            assert entry.decode(town.parts.log.entry(tx, decision.entry_index)).verdict == "refused"
            with pytest.raises(ForbiddenError):
                town.parts.gate.reveal(tx, decision)

    def test_another_person_cannot_use_it(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"])
            other = replace(people["doctor"], staff=people["second"].staff)
            assert decide(town, tx, other, place, found.grant).verdict == "refused"

    def test_a_grant_ends(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"])
            town.clock.forward(days=3)
            assert decide(town, tx, people["doctor"], place, found.grant).rule == "grant/ended"

    def test_a_grant_is_used_up(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"], subjects=1)
            assert decide(town, tx, people["doctor"], place, found.grant).verdict == "opened"
            assert decide(town, tx, people["doctor"], place, found.grant).rule == "grant/used-up"

    def test_a_purpose_that_was_not_given_stays_shut(self, town, people):
        """On consent a record opens for the purposes its person gave, and no other."""
        form = town.form()
        given = [a for a in form.acts.ids if a not in {"guardian", "purpose:personnel"}]
        (stored,) = town.store(town.accepted(given=given))
        with town.parts.database.write() as tx:
            bucket = buckets.load_by_name(tx, "garden", stored.bucket)
            found = approved(
                town, tx, people["office"], people["street"], purpose="personnel", case=None
            )
            decision = decide(
                town, tx, people["office"], (bucket.id, stored.n), found.grant, purpose="personnel"
            )
        assert decision.rule == "not-given/personnel"

    def test_nothing_opens_from_a_decision_that_was_not_committed(self, town, people, place):
        """Crash between decision and commit: no entry, no plaintext."""
        found = []

        def crash():
            with town.parts.database.write() as tx:
                leave = approved(town, tx, people["doctor"], people["second"])
                found.append(decide(town, tx, people["doctor"], place, leave.grant))
                raise RuntimeError

        with pytest.raises(RuntimeError):
            crash()
        with town.parts.database.read() as tx, pytest.raises(ForbiddenError):
            town.parts.gate.reveal(tx, found[0])

    def test_a_decision_that_was_changed_opens_nothing(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"], form="masked")
            decision = decide(town, tx, people["doctor"], place, found.grant, form="masked")
        with town.parts.database.read() as tx, pytest.raises(ForbiddenError):
            town.parts.gate.reveal(tx, replace(decision, form="raw"))

    def test_the_person_sees_their_own(self, town, place):
        with town.parts.database.write() as tx:
            decision = town.parts.gate.decide_subject(
                tx, source="garden", place=place, now=town.clock()
            )
        with town.parts.database.read() as tx:
            (shown,) = town.parts.gate.reveal(tx, decision)
        assert decision.by == "subject"
        assert shown["identity.name"] == {"name": "欧阳测试"}

    def test_what_was_withdrawn_opens_for_nobody(self, town, people, place):
        with town.parts.database.write() as tx:
            found = approved(town, tx, people["doctor"], people["second"])
            erasure.erase(
                tx, town.parts.log, town.parts.standard, org="garden", bucket=place[0], n=place[1],
                reason="withdrawal", now=town.clock(),
            )  # fmt: skip
        destruction.run(town.parts.tools, now=town.clock())
        with town.parts.database.write() as tx:
            decision = decide(town, tx, people["doctor"], place, found.grant)
        with town.parts.database.read() as tx, pytest.raises((ErasedError, ForbiddenError)):
            town.parts.gate.reveal(tx, decision)


class TestTable:
    def test_it_answers_as_the_standard_does(self):
        """Answers are shared between categories; not one differs from what the standard says to it."""
        standard = load()
        table = gate.compile_table(standard)
        assert len({key[:2] for key in table}) == sum(
            len(where.allows) for where in standard.circumstances.values()
        )
        for (where, category, purpose, range_, form), verdict in table.items():
            assert verdict == standard.see(
                where, category, purpose=purpose, range=range_, form=form
            )


class TestGrant:
    def test_who_asks_cannot_approve(self, town, people):
        both = replace(people["doctor"], roles=frozenset({"analyst", "approver"}))
        with town.parts.database.write() as tx, pytest.raises(ApprovalError):
            approved(town, tx, people["doctor"], both)

    def test_an_approver_of_a_stranger_cannot(self, town, people):
        with town.parts.database.write() as tx, pytest.raises(ForbiddenError):
            approved(town, tx, people["doctor"], people["street"])

    def test_the_superior_organisation_may(self, town, people):
        """A village office has one person: the street approves."""
        with town.parts.database.write() as tx:
            found = approved(
                town, tx, people["office"], people["street"], purpose="personnel", case=None
            )
        assert found.stage == grant.ACTIVE

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"purpose": "treatment"}, RefusedError),
            ({"purpose": "no-such"}, InputError),
            ({"case": None}, InputError),
            ({"subjects": 0}, InputError),
            ({"reason": " "}, InputError),
            ({"circumstances": ("nowhere",)}, InputError),
            ({"form": "aggregate"}, RefusedError),
        ],
    )
    def test_what_cannot_be_granted(self, town, people, change, error):
        with town.parts.database.write() as tx, pytest.raises(error):
            ask(town, tx, people["doctor"], **change)

    def test_it_ends_within_thirty_days(self, town, people):
        with town.parts.database.write() as tx, pytest.raises(InputError, match="30 days"):
            ask(town, tx, people["doctor"], until=town.clock() + timedelta(days=31))


class TestStaff:
    def sign_in(self, town, tx, password, code="", login="doctor"):
        return sign_in.by_password(
            tx, secret=bytes(32), org="cdc", login=login, password=password, code=code,
            now=town.clock(),
        )  # fmt: skip

    def test_the_one_time_password_must_be_changed(self, town, people):
        with town.parts.database.write() as tx:
            who = self.sign_in(town, tx, people["doctor-password"])
            assert who.must_change
            credentials.change_password(
                tx, org="cdc", code=who.staff, old=people["doctor-password"], new=LONG
            )
            assert not self.sign_in(town, tx, LONG).must_change

    @pytest.mark.usefixtures("people")
    def test_unknown_and_wrong_are_one_answer(self, town):
        with town.parts.database.write() as tx:
            wrong, unknown = self.sign_in(town, tx, "no"), self.sign_in(town, tx, "no", login="x")
        assert isinstance(wrong, SignInError)
        assert str(wrong) == str(unknown)

    def test_nobodys_hash_costs_what_everybodys_does(self):
        """Else the time of an answer would tell which logins there are."""
        assert not password._HASHER.check_needs_rehash(password.NOBODYS)

    def test_failures_cost_longer_and_longer(self, town, people):
        with town.parts.database.write() as tx:
            for _ in range(guessing.FREE_FAILURES):
                self.sign_in(town, tx, "no")
            blocked = self.sign_in(town, tx, people["doctor-password"])
            assert isinstance(blocked, RateError)
            town.clock.forward(seconds=blocked.wait)
            assert isinstance(self.sign_in(town, tx, people["doctor-password"]), staff.Staff)

    def test_a_code_of_the_second_factor_is_taken_once(self, town, people):
        key = totp.new_key()
        who = people["doctor"]
        with town.parts.database.write() as tx:
            first = pyotp.TOTP(key).at(town.clock())
            credentials.enrol_totp(
                tx, secret=bytes(32), org="cdc", code=who.staff, key=key, proof=first,
                now=town.clock(),
            )  # fmt: skip
            password = people["doctor-password"]
            assert isinstance(self.sign_in(town, tx, password), SignInError)
            assert isinstance(self.sign_in(town, tx, password, first), SignInError)
            town.clock.forward(seconds=30)
            code = pyotp.TOTP(key).at(town.clock())
            assert isinstance(self.sign_in(town, tx, password, code), staff.Staff)
            assert isinstance(self.sign_in(town, tx, password, code), SignInError)

    def test_operator_and_custodian_are_never_one_person(self, town):
        with town.parts.database.write() as tx, pytest.raises(InputError, match="alone"):
            staff.add_staff(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, org="cdc", login="x",
                roles=("operator", "custodian"), now=town.clock(),
            )  # fmt: skip


class TestSession:
    def test_a_session_is_found_until_it_idles(self, town, people):
        with town.parts.database.write() as tx:
            token = session.begin(tx, people["doctor"], now=town.clock())
            assert session.find(tx, token, now=town.clock()).staff == people["doctor"]
            town.clock.forward(minutes=31)
            with pytest.raises(SignInError):
                session.find(tx, token, now=town.clock())

    def test_a_session_that_is_used_does_not_idle(self, town, people):
        with town.parts.database.write() as tx:
            token = session.begin(tx, people["doctor"], now=town.clock())
            for _ in range(3):
                town.clock.forward(minutes=20)
                assert session.find(tx, token, now=town.clock()).is_stale(town.clock())
                session.note(tx, token, now=town.clock())
            session.end(tx, token)
            session.note(tx, token, now=town.clock())
            with pytest.raises(SignInError):
                session.find(tx, token, now=town.clock())

    @pytest.mark.parametrize("token", ["", "cdc.", "cdc.x", "x" * 500, "."])
    def test_a_token_that_is_none_signs_nobody_in(self, town, token):
        with town.parts.database.write() as tx, pytest.raises(SignInError):
            session.find(tx, token, now=town.clock())

    def test_the_token_itself_is_not_stored(self, town, people):
        with town.parts.database.write() as tx:
            token = session.begin(tx, people["doctor"], now=town.clock())
            assert token not in repr(tx.all(session.sessions))

    def test_a_form_of_another_page_is_refused(self, town, people):
        with town.parts.database.write() as tx:
            found = session.find(
                tx, session.begin(tx, people["doctor"], now=town.clock()), now=town.clock()
            )
        session.check_csrf(found, found.csrf)
        with pytest.raises(SignInError):
            session.check_csrf(found, "0" * 64)


def test_a_rate_limit_says_how_long_to_wait(town):
    misses = rate.Counter(
        secret=bytes(32), org="", kind="receipt", who="192.0.2.1", window=timedelta(minutes=1)
    )
    with town.parts.database.write() as tx:
        answers = [misses.add(tx, most=3, now=town.clock()) for _ in range(4)]
        assert [a is None for a in answers] == [True, True, True, False]
        town.clock.forward(seconds=answers[3].wait)
        assert misses.add(tx, most=3, now=town.clock()) is None
