"""The gate opens under a grant that an approver's passkey signed; a row that says more than was signed opens nothing."""

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from test_split import Split

import passwords
from epilock.accounts import staff
from epilock.collect import paper
from epilock.demo.drill.device import ORIGIN, Device
from epilock.errors import ApprovalError, ConflictError, ForbiddenError, RateError
from epilock.store import approval
from epilock.store import bucket as buckets
from epilock.store import photograph as photographs
from epilock.store.keyservice import granted
from epilock.store.keyservice.desk import Limits, sealing
from epilock.use import grant


@pytest.fixture
def split(town, environ, tmp_path, clock):
    """Keys apart; records open under signed grants alone."""
    made = Split(town, environ, tmp_path, clock)
    made.desk.site, made.desk.limits = approval.site(ORIGIN), Limits(alone=0)
    town.parts.close()
    made.begin()
    yield made
    made.close()


@pytest.fixture
def people(split, town):
    found = {}
    with town.parts.database.write() as tx:
        for login, role in (("doctor", "analyst"), ("second", "approver")):
            found[login], _ = staff.add_staff(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, org="cdc", login=login,
                roles=(role,), now=town.clock(), once=passwords.once(),
            )  # fmt: skip
    return found


@pytest.fixture
def device(split, people, clock):
    made = Device("cdc", people["second"].staff)
    granted.add(sealing(split.desk.keys), "cdc", made.approver, now=clock())
    return made


@pytest.fixture
def places(split, town):
    stored = town.store(town.accepted(), town.accepted())
    with town.parts.database.read() as tx:
        return [(buckets.load_by_name(tx, "garden", s.bucket).id, s.n) for s in stored]


def ask(town, who, subjects=1):
    with town.parts.database.write() as tx:
        return grant.request(
            tx, town.parts.standard, who, source="garden", purpose="tracing", form="raw",
            subjects=subjects, case="C-1", circumstances=("residential-entry",),
            reason="contact of a case", until=town.clock() + timedelta(days=2), now=town.clock(),
        )  # fmt: skip


def approve(town, asked, by, assertion):
    parts = town.parts
    with parts.database.write() as tx:
        return grant.decide(
            tx, parts.log, parts.keys, standard_ref=parts.standard.ref, org="cdc",
            grant=asked.grant, by=by, approve=True, assertion=assertion, now=town.clock(),
        )  # fmt: skip


def decide(town, who, places, found):
    with town.parts.database.write() as tx:
        return town.parts.gate.decide(
            tx, who, source="garden", places=places, purpose="tracing", form="raw",
            grant=found.grant, now=town.clock(),
        )  # fmt: skip


def reveal(town, decision):
    with town.parts.database.read() as tx:
        return town.parts.gate.reveal(tx, decision)


def test_a_signed_grant_opens_what_it_says(town, people, device, places):
    asked = ask(town, people["doctor"])
    found = approve(town, asked, people["second"], device.sign(asked.statement().challenge()))
    (shown,) = reveal(town, decide(town, people["doctor"], places[:1], found))
    assert shown["contact.mobile"] == {"mobile": "13912345678"}


def test_a_row_that_says_more_than_was_signed_opens_nothing(town, people, device, places):
    """Whoever has the main database has its seals too."""
    asked = ask(town, people["doctor"])
    found = approve(town, asked, people["second"], device.sign(asked.statement().challenge()))
    reveal(town, decide(town, people["doctor"], places[:1], found))
    with town.parts.database.write() as tx:
        tx.update(grant.grants, {"org": "cdc", "grant": found.grant}, subjects=9)
    decided = decide(town, people["doctor"], places[1:], found)
    with pytest.raises(ConflictError, match="says something else"):
        reveal(town, decided)
    with town.parts.database.write() as tx:
        tx.update(grant.grants, {"org": "cdc", "grant": found.grant}, subjects=1)
    with pytest.raises(RateError, match="1 of its 1"):
        reveal(town, decided)


def test_with_all_records_of_a_page_its_photograph_is_shown(split, town, people, device, places):
    """The grant is for as many persons as stand on the page, and for none more."""
    split.desk.limits = Limits(alone=1)  # to seal it
    parts, code = town.parts, paper.code_for(uuid4())
    with parts.database.read() as tx:
        records = [(buckets.load(tx, "garden", b).name, n) for b, n in places]
    sealed = photographs.seal(parts.keys, "garden", code, b"a picture", records)
    with parts.database.write() as tx:
        photographs.keep(
            tx, "garden", code, sealed, places=places, categories=["identity.name"]
        )  # fmt: skip
    asked = ask(town, people["doctor"], subjects=2)
    found = approve(town, asked, people["second"], device.sign(asked.statement().challenge()))
    decided = decide(town, people["doctor"], places, found)
    with parts.database.read() as tx, pytest.raises(ForbiddenError, match="were opened"):
        parts.gate.reveal_photograph(tx, decided)
    assert len(reveal(town, decided)) == 2
    with parts.database.read() as tx:
        assert parts.gate.reveal_photograph(tx, decided) == b"a picture"
    assert [g.used for g in granted.grants(sealing(split.desk.keys))] == [2]


def test_without_a_signature_nothing_is_approved(town, people, device):
    asked = ask(town, people["doctor"])
    with pytest.raises(ApprovalError, match="passkey signs it"):
        approve(town, asked, people["second"], "")


def test_one_of_before_is_refused_by_its_rule(town, split, people, places):
    asked = ask(town, people["doctor"])
    with town.parts.database.write() as tx:
        tx.update(
            grant.grants, {"org": "cdc", "grant": asked.grant}, stage=grant.ACTIVE,
            approved_by=people["second"].staff,
        )  # fmt: skip
    assert decide(town, people["doctor"], places[:1], asked).rule == "grant-unsigned"


def test_a_service_that_was_put_back_is_shown_the_signature_again(
    town, split, people, device, places
):
    asked = ask(town, people["doctor"])
    found = approve(town, asked, people["second"], device.sign(asked.statement().challenge()))
    with split.desk.keys.database.write() as tx:
        tx.conn.execute(sa.delete(granted.granted))
    assert reveal(town, decide(town, people["doctor"], places[:1], found))
