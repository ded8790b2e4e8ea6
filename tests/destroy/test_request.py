"""What a request at the desk promises: two persons, one record, and what a law or a hold keeps stays."""

import pytest
from estate import APPROVER, CITY, CUSTODIAN, DAY, ORG, OTHER, VACCINE, noon

from epilock.destroy import request as requests
from epilock.errors import (
    ApprovalError,
    ErasedError,
    ForbiddenError,
    InputError,
    NotDueError,
    StateError,
)
from epilock.ledger import entry

NOW = noon(DAY)


def ask(estate, bucket, n=1, reason="withdrawal"):
    with estate.database.write() as tx:
        return requests.ask(
            tx, org=bucket.org, bucket=bucket.id, n=n, reason=reason, by=CUSTODIAN, now=NOW
        )


def decide(estate, asked, *, by=APPROVER, by_org=CITY, approve=True):
    with estate.database.write() as tx:
        return requests.decide(
            tx, estate.log, estate.standard, org=asked.org, request=asked.request, by=by,
            by_org=by_org, approve=approve, now=NOW,
        )  # fmt: skip


def test_nothing_happens_until_another_person_approves(estate):
    bucket = estate.bucket(3)
    asked = ask(estate, bucket)
    assert estate.said(entry.Erasure) == []
    assert decide(estate, asked).stage == requests.APPROVED
    estate.complete(NOW)
    (said,) = estate.said(entry.Erasure)
    assert (said.bucket, said.n, said.reason) == (bucket.name, 1, "withdrawal")
    with pytest.raises(ErasedError):
        estate.open(bucket, 1)
    assert estate.findings(NOW) == []


def test_who_recorded_it_cannot_decide_it(estate):
    asked = ask(estate, estate.bucket(3))
    with pytest.raises(ApprovalError):
        decide(estate, asked, by=CUSTODIAN, by_org=ORG)


def test_who_decides_sits_there_or_above(estate):
    asked = ask(estate, estate.bucket(3))
    with pytest.raises(ForbiddenError):
        decide(estate, asked, by_org=OTHER)
    assert decide(estate, asked, by_org=ORG).decided_by == APPROVER


def test_a_refused_one_leaves_everything(estate):
    bucket = estate.bucket(3)
    asked = ask(estate, bucket)
    assert decide(estate, asked, approve=False).stage == requests.REFUSED
    assert estate.said(entry.Erasure) == []
    with pytest.raises(StateError, match="refused already"):
        decide(estate, asked)


def test_a_record_has_one_waiting_request(estate):
    bucket = estate.bucket(3)
    ask(estate, bucket)
    with pytest.raises(StateError, match="waits already"):
        ask(estate, bucket)
    ask(estate, bucket, n=2)


def test_no_reason_but_those_of_the_list(estate):
    with pytest.raises(InputError, match="withdrawal"):
        ask(estate, estate.bucket(3), reason="because")


def test_what_a_law_keeps_is_kept_and_the_request_waits(estate):
    asked = ask(estate, estate.bucket(3, circumstance=VACCINE))
    with pytest.raises(NotDueError):
        decide(estate, asked)
    with estate.database.read() as tx:
        assert requests.load(tx, asked.org, asked.request).stage == requests.ASKED
