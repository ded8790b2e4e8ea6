"""What a request by receipt promises: taken without a word of its person, answered by whom it concerns, in public."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from estate import CITY, CUSTODIAN, DAY, ORG, OTHER, SUPERVISOR, VACCINE, noon

from epilock import inventory
from epilock.destroy import subject_request as requests
from epilock.destroy.subject_request import ANSWERED_BY, ANSWERS, COMPLAINT, GROUNDS, OBJECTION
from epilock.errors import ErasedError, ForbiddenError, InputError, NotDueError, StateError
from epilock.ledger import entry

NOW = noon(DAY)
STAFF = {OBJECTION: (CUSTODIAN, ORG), COMPLAINT: (SUPERVISOR, CITY)}


def ask(estate, bucket, kind, *, n=1, ground=None):
    with estate.database.write() as tx:
        return requests.ask(
            tx, estate.log, standard_ref=estate.standard.ref, org=bucket.org, bucket=bucket.id, n=n,
            kind=kind, ground=ground or GROUNDS[kind][0], now=NOW,
        )  # fmt: skip


def answer(estate, asked, said, *, by=None, roles=None):
    who, org = by or STAFF[asked.kind]
    with estate.database.write() as tx:
        return requests.answer(
            tx, estate.log, estate.standard, org=asked.org, request=asked.request, by=who, by_org=org,
            roles=frozenset(roles or {ANSWERED_BY[asked.kind]}), answer=said, now=NOW,
        )  # fmt: skip


@pytest.mark.parametrize("kind", [OBJECTION, COMPLAINT])
def test_asked_and_answered_in_public(estate, kind):
    bucket = estate.bucket(3)
    asked = ask(estate, bucket, kind)
    done = answer(estate, asked, ANSWERS[kind][-1])
    assert (done.answer, done.by) == (ANSWERS[kind][-1], STAFF[kind][0])
    (said,) = estate.said(entry.Request)
    assert (said.kind, said.bucket, said.n) == (kind, bucket.name, 1)
    (closed,) = estate.said(entry.RequestClosed)
    assert (closed.request, closed.verdict) == (asked.request, done.answer)
    assert estate.findings(NOW) == []
    with pytest.raises(StateError, match="answered already"):
        answer(estate, asked, ANSWERS[kind][-1])


@pytest.mark.parametrize("kind", [OBJECTION, COMPLAINT])
def test_who_answers_for_whom_is_the_same_read_from_either_end(estate, kind):
    with estate.database.read() as tx:
        for by in (CITY, ORG, OTHER):
            for_whom = requests.answered_by(tx, kind, by)
            assert sorted(for_whom) == [
                org for org in sorted((CITY, ORG, OTHER)) if by in requests.answering(tx, kind, org)
            ]


def test_an_objection_that_is_right_erases_the_record(estate):
    bucket = estate.bucket(3)
    answer(estate, ask(estate, bucket, OBJECTION), "erased")
    estate.complete(NOW)
    with pytest.raises(ErasedError):
        estate.open(bucket, 1)
    (said,) = estate.said(entry.Erasure)
    assert said.reason == "objection"
    assert estate.findings(NOW) == []


def test_what_a_law_keeps_is_not_erased_by_an_answer(estate):
    bucket = estate.bucket(2, circumstance=VACCINE)
    asked = ask(estate, bucket, OBJECTION)
    with pytest.raises(NotDueError):
        answer(estate, asked, "erased")
    assert answer(estate, asked, "law-asks").answer == "law-asks"


@pytest.mark.parametrize(
    ("kind", "by", "roles"),
    [
        (COMPLAINT, (SUPERVISOR, ORG), {"supervisor"}),  # nobody judges a complaint about himself
        (COMPLAINT, (SUPERVISOR, CITY), {"custodian", "approver"}),
        (OBJECTION, (CUSTODIAN, OTHER), {"custodian"}),
        (OBJECTION, (CUSTODIAN, CITY), {"custodian"}),
        (OBJECTION, (CUSTODIAN, ORG), {"approver", "supervisor"}),
    ],
)
def test_who_answers(estate, kind, by, roles):
    asked = ask(estate, estate.bucket(3), kind)
    with pytest.raises(ForbiddenError):
        answer(estate, asked, ANSWERS[kind][-1], by=by, roles=roles)


def test_only_grounds_and_answers_of_the_lists(estate):
    bucket = estate.bucket(3)
    for kind, ground in ((OBJECTION, "other-use"), ("praise", "thanks"), (COMPLAINT, "王安偷看")):
        with pytest.raises(InputError):
            ask(estate, bucket, kind, ground=ground)
    with pytest.raises(InputError):
        answer(estate, ask(estate, bucket, COMPLAINT), "erased")


def test_one_open_request_of_a_kind(estate):
    bucket = estate.bucket(3)
    first = ask(estate, bucket, COMPLAINT)
    ask(estate, bucket, OBJECTION)
    ask(estate, bucket, COMPLAINT, n=2)
    with pytest.raises(StateError, match="open already"):
        ask(estate, bucket, COMPLAINT)
    answer(estate, first, "put-right")
    ask(estate, bucket, COMPLAINT)


def test_it_is_overdue_after_fifteen_days_and_listed_first(estate):
    bucket = estate.bucket(3)
    old, new = ask(estate, bucket, COMPLAINT), ask(estate, bucket, COMPLAINT, n=2)
    assert not old.is_overdue(NOW + timedelta(days=15))
    assert old.is_overdue(NOW + timedelta(days=15, seconds=1))
    answer(estate, old, "passed-on")
    with estate.database.read() as tx:
        found = requests.listing(tx, ORG, COMPLAINT)
    assert [r.request for r in found] == [new.request, old.request]


def test_one_that_is_deleted_or_opened_again_is_missed(estate):
    def damaged():
        found = inventory.check(estate.database, estate.log)
        return [damage.problem for damage in found if asked.request in damage.row]

    asked = ask(estate, estate.bucket(3), COMPLAINT)
    answer(estate, asked, "put-right")
    assert damaged() == []
    key = {"org": ORG, "request": asked.request}
    with estate.database.write() as tx:
        tx.update(requests.subject_requests, key, answer=None, by=None, answered=None)
    assert len(damaged()) == 2
    with estate.database.write() as tx:
        tx.conn.execute(sa.delete(requests.subject_requests))
    assert all("is missing" in problem for problem in damaged())
