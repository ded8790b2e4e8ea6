"""Grants, what was opened, counted and released under them, and the reviews of what was opened without one."""

from datetime import datetime, timedelta

from epilock.errors import InputError
from epilock.ledger import entry as e
from epilock.ledger.audit.told import (
    Readers,
    Told,
    ToldEmergencyOpening,
    ToldGrant,
    end,
    instant,
)
from epilock.ledger.finding import Findings
from epilock.standard.text import Text

REVIEW_WITHIN = timedelta(days=3)  # of an opening in an emergency; the number is ours
SEARCHES_PER_SUBJECT = 3  # that a grant allows
AGGREGATE, DEIDENTIFIED = "aggregate", "deidentified"
OPENED = "opened"


def _grant(told: Told, _index: int, said: e.Grant) -> None:
    told.grants[said.grant] = ToldGrant(said)


def _grant_revoked(told: Told, index: int, said: e.GrantRevoked) -> None:
    if said.grant in told.grants:
        told.grants[said.grant].revoked = True
    else:
        told.bad("undeclared", f"grant {said.grant}", index)


def _decision(told: Told, index: int, said: e.Decision) -> None:
    if said.verdict != OPENED:
        return
    if said.grant is None:
        _without_grant(told, index, said)
        return
    grant = _find(told, index, said.grant)
    if grant is None:
        return
    grant.opened.update((record.bucket, record.n) for record in said.records)
    _check(told, index, grant, said, form=said.form, used=len(grant.opened))


def _aggregate(told: Told, index: int, said: e.AggregateDecision) -> None:
    if said.verdict != OPENED:
        return
    if said.grant is None:
        told.bad("no-grant", said.decision, index)
        return
    grant = _find(told, index, said.grant)
    if grant is None:
        return
    grant.counted += 1
    _check(told, index, grant, said, form=AGGREGATE, used=grant.counted)


def _release_decision(told: Told, index: int, said: e.ReleaseDecision) -> None:
    grant = _find(told, index, said.grant) if said.verdict == OPENED else None
    if grant is not None:
        grant.tried += 1
        _check(told, index, grant, said, form=DEIDENTIFIED, used=grant.tried)


def _release(told: Told, index: int, said: e.Release) -> None:
    """Check that a release was approved by another, under a grant, and kept its rule as the standard has it."""
    grant = _find(told, index, said.grant)
    if grant is not None:
        grant.released += 1
        _check(told, index, grant, said, form=DEIDENTIFIED, used=grant.released)
    if said.by == said.approved_by:
        told.bad("release-self", said.release, index)
    try:
        rule = told.rules.release(said)
    except InputError:
        why = Text("标准没有该场景", "the standard knows no such circumstance")
        told.bad("elsewhere", said.release, index, why=why)
        return
    if rule is None:
        told.bad("standard-unknown", said.standard, index)
        return
    if said.smallest < rule.k:
        told.bad("release-below", said.release, index, what="k", found=said.smallest, asked=rule.k)
    elif said.fewest is not None and said.fewest < rule.l:
        told.bad("release-below", said.release, index, what="l", found=said.fewest, asked=rule.l)


def _search(told: Told, index: int, said: e.Search) -> None:
    grant = _find(told, index, said.grant)
    if grant is not None:
        grant.searched += 1
        used = -(-grant.searched // SEARCHES_PER_SUBJECT)  # rounded up
        _check(told, index, grant, said, form=grant.said.form, used=used)


def _without_grant(told: Told, index: int, said: e.Decision) -> None:
    """Take in an opening by the person, or one for treatment, which another must review."""
    if said.by == "subject":
        return
    if said.purpose != "treatment" or said.count != 1:
        told.bad("no-grant", said.decision, index)
    told.glass[said.decision] = ToldEmergencyOpening(said, index)


def _review(told: Told, index: int, said: e.Review) -> None:
    found = told.glass.get(said.decision)
    if found is None:
        told.bad("undeclared", f"opening {said.decision}", index)
    elif found.reviewed:
        told.bad("declared-twice", said.decision, index)
    elif said.by == found.said.by:
        told.bad("review-self", said.decision, index)
    else:
        found.reviewed = True


def _find(told: Told, index: int, code: str) -> ToldGrant | None:
    grant = told.grants.get(code)
    if grant is None:
        told.bad("undeclared", f"grant {code}", index)
    return grant


def _check(
    told: Told,
    index: int,
    grant: ToldGrant,
    said: e.Decision | e.AggregateDecision | e.ReleaseDecision | e.Release | e.Search,
    *,
    form: str,
    used: int,
) -> None:
    """Check that the grant covers what was done under it."""
    leave = grant.said
    purpose = leave.purpose if isinstance(said, e.Search) else said.purpose
    reasons = (
        (grant.revoked, Text("撤销", "was revoked")),
        (instant(said.at) >= end(leave.until), Text("到期", "had ended")),
        (used > leave.subjects, Text("用尽", "was used up")),
        (said.by != leave.staff, Text("属于他人而", "is another's")),
        ((purpose, form) != (leave.purpose, leave.form), Text("另有用途", "is for something else")),
    )
    for broken, why in reasons:
        if broken:
            told.bad("grant-misused", f"{leave.grant}: {why.en}", index, why=why)


def list_unreviewed(told: Told, to: Findings, now: datetime) -> None:
    """Add the openings for treatment without a grant that nobody else reviewed in time."""
    for code, found in told.glass.items():
        if not found.reviewed and now >= end(found.said.at) + REVIEW_WITHIN:
            to.add("unreviewed", code, found.index, days=REVIEW_WITHIN.days)


READERS: Readers = {
    e.Grant: _grant,
    e.GrantRevoked: _grant_revoked,
    e.Decision: _decision,
    e.AggregateDecision: _aggregate,
    e.ReleaseDecision: _release_decision,
    e.Release: _release,
    e.Search: _search,
    e.Review: _review,
}
