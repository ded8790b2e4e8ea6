"""Records: what is held, known without opening; and opening under a grant, which is decided and witnessed first.

Rules kept in this file:
  1. A list shows places, days and states, never what someone gave.
  2. Records of another organisation are listed only to who holds an active grant that reaches them.
  3. What would show grade 4 as it was given asks for a proof first (``proof``).
  4. An opening is a form; its answer is a page with an address of its own, which shows what the committed
     decision allows, to the one who asked, for a quarter of an hour. Going back or reloading opens
     nothing anew. So is a search (``found``).
  5. A form to open that is wrong comes back on its page, with what was ticked.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.collect import point as points
from epilock.collect.form import ADULT, UNDER_14, UNDER_18
from epilock.db import Transaction, missing
from epilock.destroy import due as dues
from epilock.destroy import erasure
from epilock.destroy import hold as holds
from epilock.destroy import request as requests
from epilock.destroy import run as runs
from epilock.errors import EpilockError, FieldsError, ForbiddenError, InputError
from epilock.registry import emergency as emergencies_
from epilock.registry import organisation as organisations
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import count, vault
from epilock.store import photograph as photographs
from epilock.store.bucket import COLLECTION, LIVE, Bucket
from epilock.store.vault import Record
from epilock.use import decision as decisions
from epilock.use import gate, search
from epilock.use import grant as grants
from epilock.use.decision import Place
from epilock.use.grant import OF_MANY
from epilock.web.console import found, listing, proof, reach
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.problem import of as problem_of
from epilock.web.request import day_in, word, words
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/records")
PART = "records"
HERE = "/console/records"
SHOWN_FOR = timedelta(minutes=15)
# What a record says of age, by the words of its list.
AGES: Mapping[str, int] = MappingProxyType(
    {"under14": UNDER_14, "under18": UNDER_18, "adult": ADULT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A bucket in a list, with how many records it holds."""

    bucket: Bucket
    held: int


@router.get("")
def get_shelves(desk: DeskOf, source: str = "") -> Response:
    """Show the buckets that are not destroyed, of the own organisation or of one a grant reaches."""
    desk.enter(PART)
    return _shelves(desk, source or desk.org)


@router.post("/search/{source}")
def post_search(source: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Find records by an identifier, which stands in no address; the log says that a search was made."""
    desk.enter(PART)
    parts, category = desk.site.parts, word(form, "category", most=40)
    try:
        value = found.checked(desk, category, word(form, "value", most=300))
        with parts.database.write() as tx:
            code, listed = search.search(
                parts.gate, tx, desk.session.staff, source=source, now=desk.site.now(),
                emergency=word(form, "emergency", most=40), grant=word(form, "grant", most=20),
                category=category, value=value,
            )  # fmt: skip
    except WRONG as error:
        return _shelves(desk, source, form, error)
    seal = found.sealed(desk.site, source, code, listed)
    return desk.go(f"{HERE}/found/{source}/{code}", seal=seal)


@router.get("/found/{source}/{search}")
def get_found(source: str, search: str, desk: DeskOf, seal: str = "") -> Response:
    """Show the records that a search found, which its address names under a seal."""
    desk.enter(PART)
    return found.page(desk, source, search, seal)


@router.post("/open/{source}")
def post_open(source: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Ask the gate to open the ticked records under a grant; the decision is written either way."""
    desk.enter(PART)
    try:
        return _open(desk, source, form)
    except WRONG as error:
        with suppress(ForbiddenError):  # the grant that showed the page is used up, or over
            return _came_from(desk, source, form, error)
        raise


def _open(desk: Desk, source: str, form: FormData) -> Response:
    parts = desk.site.parts
    places = [_place(text) for text in dict.fromkeys(words(form, "place"))]
    if not places:
        raise InputError("tick the records to open first")
    code = word(form, "grant", most=20)
    with parts.database.read() as tx:
        grant = grants.load(tx, desk.org, code) if code else None
        form_ = "raw" if grant is None else grant.form
        bares = parts.gate.bares(tx, source=source, places=places, form=form_)
    if grant is not None and grant.staff == desk.who and grant.left < len(places):
        if not grant.left:
            raise InputError("this grant has opened all that it may; ask for another")
        raise InputError(f"this grant opens {grant.left} more; ticked are {len(places)}")
    if grant is None and not word(form, "reason", most=300):
        raise InputError("an opening in an emergency needs a reason")
    asked = proof.missing(desk, form) if bares else None
    if asked is not None:
        return asked
    with parts.database.write() as tx:
        decision = parts.gate.decide(
            tx, desk.session.staff, source=source, places=places,
            purpose="treatment" if grant is None else grant.purpose,
            form=form_, grant=code or None,
            reason=word(form, "reason", most=300), now=desk.site.now(),
        )  # fmt: skip
    return desk.go(f"/console/records/opened/{source}/{decision.decision}")


def _came_from(desk: Desk, source: str, form: FormData, error: EpilockError) -> Response:
    """Show the page again that a form to open stood on."""
    ticked = words(form, "place")
    if code := word(form, "search", most=20):
        seal = word(form, "seal")
        return found.page(desk, source, code, seal, error=error, chosen=ticked)
    bucket = word(form, "shelf", most=9)
    if bucket.isascii() and bucket.isdigit():
        return _shelf(desk, source, int(bucket), error, ticked)
    if not ticked:
        raise error
    return _record(desk, source, *_place(ticked[0]), error)


@router.get("/opened/{source}/{decision}")
def get_opened(source: str, decision: str, desk: DeskOf) -> Response:
    """Show what a decision opens, or why it refused."""
    desk.enter(PART)
    parts, now = desk.site.parts, desk.site.now()
    with parts.database.read() as tx:
        decided = decisions.load(tx, source, decision)
        if decided.by_org != desk.org:
            raise missing(decisions.decisions)
        if decided.by != desk.who:
            raise ForbiddenError("an opening is shown to the one who asked for it")
        fresh = decided.verdict == decisions.OPENED and now < decided.at + SHOWN_FOR
        bares = parts.gate.bares(tx, source=source, places=decided.places, form=decided.form)
    asked = proof.missing(desk) if fresh and bares else None
    if asked is not None:
        return asked
    with parts.database.read() as tx:
        opened = parts.gate.reveal(tx, decided) if fresh else []
        pictured = fresh and bool(parts.gate.photograph(tx, decided))
        places = [(buckets.load(tx, source, b), n) for b, n in decided.places]
        circumstances = {b.circumstance for b, _ in places}
        range_ = grants.reach(
            tx, parts.standard, desk.org, source, circumstances, decided.purpose, decided.form
        )
    advice = [
        parts.standard.see(
            c, next(iter(parts.standard.circumstances[c].allows)), purpose=decided.purpose,
            range=range_, form=decided.form,
        ).advice
        for c in sorted(circumstances)
    ]  # fmt: skip
    return desk.show(
        "opened.html", here=PART, decision=decided, fresh=fresh, places=places,
        opened=list(zip(places, opened, strict=True)) if fresh else [],
        advice=[a for a in advice if a.zh], minutes=SHOWN_FOR.seconds // 60,
        refused=decided.verdict == decisions.REFUSED, rule=_refusal(desk, decided.rule),
        pictured=pictured,
    )  # fmt: skip


def _refusal(desk: Desk, rule: str) -> str:
    """Return the name of what is said of ``rule``: of the very rule, or of all of its kind."""
    own = rule.replace("/", "-")
    return own if desk.t.knows(f"console.refusal.{own}") else rule.partition("/")[0]


@router.get("/opened/{source}/{decision}/photograph")
def get_photograph(source: str, decision: str, desk: DeskOf) -> Response:
    """Return the photograph of the page of paper whose records a decision opens, while it shows them."""
    desk.enter(PART)
    parts = desk.site.parts
    with parts.database.read() as tx:
        decided = decisions.load(tx, source, decision)
        if decided.by_org != desk.org:
            raise missing(decisions.decisions)
        if decided.by != desk.who or not desk.site.now() < decided.at + SHOWN_FOR:
            raise ForbiddenError("an opening is shown to the one who asked for it, for a while")
        bares = parts.gate.bares(tx, source=source, places=decided.places, form=decided.form)
    asked = proof.missing(desk) if bares else None
    if asked is not None:
        return asked
    with parts.database.read() as tx:
        picture = parts.gate.reveal_photograph(tx, decided)
    return Response(picture, media_type="image/jpeg")


@router.get("/{source}/{bucket}")
def get_shelf(source: str, bucket: int, desk: DeskOf) -> Response:
    """Show the records of a bucket, without opening any."""
    desk.enter(PART)
    return _shelf(desk, source, bucket)


@router.get("/{source}/{bucket}/{n}")
def get_record(source: str, bucket: int, n: int, desk: DeskOf) -> Response:
    """Show one record without opening it: its days, and who opened it and why."""
    desk.enter(PART)
    return _record(desk, source, bucket, n)


@router.post("/{source}/{bucket}/{n}/event")
def post_event(source: str, bucket: int, n: int, desk: DeskOf, form: CheckedForm) -> Response:
    """Note the event that starts a record's clock: release, delivery, end of service."""
    desk.need("custodian")
    if source != desk.org:
        raise ForbiddenError("an event is noted by the organisation that collected the record")
    parts, now = desk.site.parts, desk.site.now()
    try:
        with parts.database.write() as tx:
            desk.site.mover.start_clock(
                tx, bucket=buckets.load(tx, source, bucket), n=n,
                event=word(form, "event", most=40), day=day_in(form, "day"), now=now,
            )  # fmt: skip
    except WRONG as error:
        return _record(desk, source, bucket, n, error)
    runs.complete(parts.tools, now=now, org=source)
    return desk.go(f"{HERE}/{source}/{bucket}", done="event")


def _shelf(
    desk: Desk,
    source: str,
    bucket: int,
    error: EpilockError | None = None,
    chosen: Collection[str] = (),
) -> Response:
    with desk.site.parts.database.read() as tx:
        mine = reach.into(desk, tx, source)
        reach.circumstances(
            desk, source, mine
        )  # that there is such a bucket is told to nobody else
        shelf = buckets.load(tx, source, bucket)
        reach.check_listed(desk, source, mine, shelf.circumstance)
        held = count.of(tx, shelf).left
        hold = holds.on_bucket(tx, source, bucket, now=desk.site.now())
        c = vault.records.c
        here = [c.org == source, c.bucket == bucket, c.state == LIVE]
        at = points.that_collect(
            tx, source, emergency=shelf.emergency, circumstance=shelf.circumstance
        )
        names = {p.point: p.name for p in at}
        page = listing.find(tx, _shelf_plan(source, bucket, tuple(names)), desk.query, *here)
    if page.export:
        return page.file("records")
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "shelf.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        source=source, bucket=shelf, held=held, hold=hold, page=page, names=names, ages=AGES, chosen=chosen,
        grants=[g for g in mine if shelf.circumstance in g.circumstances],
    )  # fmt: skip


def _shelf_plan(source: str, bucket: int, codes: Sequence[str]) -> Plan[Record]:
    c = vault.records.c
    age = {number: name for name, number in AGES.items()}
    return Plan(
        path=f"{HERE}/{source}/{bucket}", table=vault.records, key=c.n, sorts={"n": c.n}, order="n",
        read=lambda _, rows: [vault.read_record(row) for row in rows],
        filters={
            "point": listing.equal(c.point, codes),
            "age": Filter(where=lambda name: c.minor == AGES[name], options=tuple(AGES)),
        },
        columns={
            "record": lambda r: r.n, "point": lambda r: r.point, "given": lambda r: r.at or "",
            "parts": lambda r: " ".join(r.left), "age": lambda r: "" if r.minor is None else age[r.minor],
            "entry": lambda r: r.entry_index,
        },
    )  # fmt: skip


def _shelves(
    desk: Desk, source: str, form: FormData | None = None, error: EpilockError | None = None
) -> Response:
    with desk.site.parts.database.read() as tx:
        mine = reach.into(desk, tx, source)
        sources = {desk.org, *(g.source for g in reach.active(desk, tx) if g.form not in OF_MANY)}
        names = {o.org: o for o in organisations.everyone(tx) if o.org in sources}
        reached = reach.circumstances(desk, source, mine)
        emergencies = buckets.emergencies_of(tx, source)
        events = emergencies_.named(tx, emergencies)
        page = listing.find(
            tx,
            _plan(desk, source, emergencies),
            desk.query,
            buckets.buckets.c.org == source,
            buckets.buckets.c.circumstance.in_(sorted(reached)),
            buckets.lives(),
        )
    if page.export:
        return page.file("buckets")
    wrong = None if error is None else problem_of(error)
    value = next(iter(error.problems), None) if isinstance(error, FieldsError) else None
    return desk.show(
        "records.html", here=PART, status=200 if wrong is None else wrong.status,
        wrong=wrong if value is None else None, slip="" if value is None else desk.name(Text(value.zh, value.en)),
        source=source, sources=names, page=page, grants=mine, emergencies=events,
        typed=form or FormData(), searched=found.kinds(desk),
    )  # fmt: skip


def _plan(desk: Desk, source: str, emergencies: Sequence[str]) -> Plan[Shelf]:
    c = buckets.buckets.c
    return Plan(
        path=HERE, table=buckets.buckets, key=c.bucket, order="-day",
        fixed={"source": source}, read=lambda tx, rows: _read_shelves(tx, source, rows), sorts={"day": c.day, "circumstance": c.circumstance},
        filters={
            "circumstance": listing.equal(c.circumstance, tuple(desk.site.parts.standard.circumstances)),
            "emergency": listing.equal(c.emergency, emergencies),
            "since": Filter(where=lambda day: c.day >= day),
            "until": Filter(where=lambda day: c.day <= day),
        },
        columns={
            "bucket": lambda s: s.bucket.name, "circumstance": lambda s: s.bucket.circumstance,
            "day": lambda s: s.bucket.day, "clock": lambda s: s.bucket.clock,
            "records": lambda s: s.held,
        },
    )  # fmt: skip


def _read_shelves(tx: Transaction, source: str, rows: list[dict[str, Any]]) -> list[Shelf]:
    held = count.of_all(tx, source, [row["bucket"] for row in rows])
    return [Shelf(bucket=b, held=held[b.id].left) for b in buckets.read_all(tx, source, rows)]


def _record(
    desk: Desk, source: str, bucket: int, n: int, error: EpilockError | None = None
) -> Response:
    parts = desk.site.parts
    with parts.database.read() as tx:
        mine = reach.into(desk, tx, source)
        reach.circumstances(desk, source, mine)
        place = buckets.load(tx, source, bucket)
        reach.check_listed(desk, source, mine, place.circumstance)
        hold = holds.on_bucket(tx, source, bucket, now=desk.site.now())
        record = vault.find_record(tx, source, bucket, n)
        due = {p: dues.part_due(tx, parts.standard, place, p) for p in _left(place, record)}
        history = decisions.history(tx, source, bucket, n)
        beside = photographs.beside(tx, source, (bucket, n))
        asked = requests.waiting_for(tx, source, bucket, n) if source == desk.org else None
    grants_here = [g for g in mine if place.circumstance in g.circumstances]
    wrong = None if error is None else problem_of(error)
    starts = {
        r.starts
        for levels in parts.standard.circumstances[place.circumstance].retentions.values()
        for r in levels.values()
    } - {COLLECTION}
    return desk.show(
        "record.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        source=source, bucket=place, record=record, due=due, hold=hold, history=history, today=desk.site.today(),
        grants=grants_here, beside=beside, raw=[g for g in grants_here if g.form == gate.RAW],
        events=sorted(starts) if source == desk.org and place.clock == COLLECTION else [],
        glass=desk.has("analyst") and "treatment" in parts.standard.circumstances[place.circumstance].purposes,
        erasures=tuple(erasure.REASONS), asked=asked,
    )  # fmt: skip


def _left(bucket: Bucket, record: Record) -> list[str]:
    return [p for p in record.left if p in bucket.live]


def _place(text: str) -> Place:
    bucket, _, n = text.partition(":")
    if not (bucket.isascii() and bucket.isdigit() and n.isascii() and n.isdigit()):
        raise InputError("choose records from the list")
    return int(bucket[:9]), int(n[:9])
