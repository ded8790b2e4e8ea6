"""Staff's programs: with an API token (``Authorization: Bearer``), which carries its account's rights."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from epilock.accounts.staff import Staff
from epilock.deidentify.noise.budget import micro
from epilock.deidentify.noise.query import OTHERS
from epilock.destroy import due as dues
from epilock.errors import ForbiddenError, SignInError
from epilock.use import aggregate
from epilock.use import decision as decisions
from epilock.use import grant as grants
from epilock.use.question import Noise, Question
from epilock.web.api.model import Counted, CountRecords, DuePart, Opened, OpenRecords
from epilock.web.console.desk import RIGHTS
from epilock.web.request import SiteOf, session_of

router = APIRouter(prefix="/api/staff", tags=["staff"])
_bearer = HTTPBearer(
    auto_error=False, description="An API token, made in the console or by `epilock staff token`."
)


def account(
    site: SiteOf, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Staff:
    """Return whose token it is.

    Raises:
        SignInError: There is none, it has ended, or it is a browser's session.
    """
    if given is None:
        raise SignInError("this needs an API token: `Authorization: Bearer <token>`")
    session = session_of(site, given.credentials)
    if session.kind != "api":
        raise SignInError("a browser's session is no API token")
    return session.staff


Account = Annotated[Staff, Depends(account)]


@router.get("/due")
def get_due_parts(site: SiteOf, who: Account) -> list[DuePart]:
    """Return the living parts of the organisation, the next to go first."""
    _need(who, "destruction")
    now = site.now()
    with site.parts.database.read() as tx:
        found = dues.calendar(tx, site.parts.standard, now=now, org=who.org)
    return [
        DuePart(
            bucket=d.bucket.name, id=d.bucket.id, part=d.part, at=d.due.at, rule=d.due.rule,
            due=d.is_due(now), held=d.hold is not None,
        )
        for d in found
    ]  # fmt: skip


@router.post("/open")
def post_open(wanted: OpenRecords, site: SiteOf, who: Account) -> Opened:
    """Ask the gate to open records under a grant; a refusal is an answer too, with its rule."""
    _need(who, "records")
    parts = site.parts
    with parts.database.write() as tx:
        decision = parts.gate.decide(
            tx, who, source=wanted.source, places=[(p.bucket, p.n) for p in wanted.places],
            purpose=wanted.purpose, form=wanted.form, grant=wanted.grant, reason=wanted.reason,
            now=site.now(),
        )  # fmt: skip
    opened = []
    if decision.verdict == decisions.OPENED:
        with parts.database.read() as tx:
            opened = parts.gate.reveal(tx, decision)
    return Opened(
        decision=decision.decision, verdict=decision.verdict, rule=decision.rule,
        entry=decision.entry_index, records=opened,
    )  # fmt: skip


@router.post("/count")
def post_count(wanted: CountRecords, site: SiteOf, who: Account) -> Counted:
    """Count records under a grant to count; a refusal is an answer too, with its rule."""
    _need(who, "counts")
    parts, now = site.parts, site.now()
    with parts.database.write() as tx:
        question = Question(
            source=grants.load(tx, who.org, wanted.grant).source, emergency=wanted.emergency,
            circumstance=wanted.circumstance, since=wanted.since, until=wanted.until,
            counted=wanted.by,
        )  # fmt: skip
        noise = None
        if wanted.epsilon is not None:
            noise = Noise(epsilon=micro(wanted.epsilon), values=tuple(wanted.values))
        decided = aggregate.decide(
            parts.gate, tx, who, question=question, grant=wanted.grant, noise=noise, now=now
        )
    if decided.verdict == decisions.OPENED and not decided.left:
        with parts.database.read() as tx:
            counts = aggregate.tally(parts.gate, tx, decided)
        with parts.database.write() as tx:
            decided = aggregate.publish(parts.gate, tx, decided, counts, now=now)
    table, noisy = decided.table, decided.answer
    cells = decided.shown if table is None else table.cells
    others = cells.get(OTHERS) if table is None else table.others
    return Counted(
        decision=decided.decision, verdict=decided.verdict, rule=decided.rule,
        entry=decided.entry_index, question=decided.number,
        cells={v: n for v, n in cells.items() if n is not None and (table or v != OTHERS)},
        others=others, within=None if noisy is None else int(noisy.accuracy.within),
    )  # fmt: skip


def _need(who: Staff, part: str) -> None:
    if not RIGHTS[part] & who.roles:
        raise ForbiddenError(f"this needs the role {' or '.join(sorted(RIGHTS[part]))}")
