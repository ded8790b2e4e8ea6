"""One record's life in under a minute: from the QR code to the certificate, each proof printed.

The last receipt and the certificate are verified at the end with nothing but text and the log's key: no
network, no database.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from epilock import assemble
from epilock.accounts import staff
from epilock.collect import issue, notice, notice_page, qr, reissue
from epilock.collect.form import Form, Submission
from epilock.collect.point import Field, Plan
from epilock.collect.record import Stored
from epilock.db import Transaction
from epilock.demo import city
from epilock.demo.city import Clock
from epilock.demo.people import people
from epilock.destroy import certificate, due
from epilock.destroy import run as destruction
from epilock.errors import EpilockError, NotDueError
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.settings import Settings
from epilock.standard.level import CHINA
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.use import decision as decisions
from epilock.use import grant as grants

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
ASKED = ("identity.name", "contact.mobile", "health.temperature", "location.check-in")
Say = Callable[[str], None]


def live(settings: Settings, say: Say, *, start: datetime = START) -> None:
    """Walk one record through its life in a new installation; raise if any step is not as promised."""
    clock = Clock(start)
    parts = assemble.found(settings, now=clock)
    try:
        prepare(parts, clock)
        form = open_gate(parts, clock, say)
        stored = give(parts, clock, form, say)
        _open_record(parts, clock, stored, say)
        _too_early(parts, clock, stored, say)
        _step_down(parts, clock, say)
        proofs = _destroy(parts, clock, stored, say)
        key = parts.log.signer.vkey
    finally:
        parts.close()
    _verify_alone(stored, proofs, key, say)


def prepare(parts: assemble.Parts, clock: Clock) -> None:
    """Register a command, a health authority and a compound; the level is II."""
    ref, now = parts.standard.ref, clock()
    contact = dict.fromkeys(organisations.CONTACT, "清和市人民路1号（演示）")
    with parts.database.write() as tx:
        for org, kind, range_, name in (
            ("qinghe", "government", "R4", Text("清和市指挥部", "Qinghe Command")),
            ("qinghe-cdc", "health", "R3", Text("清和市疾控中心", "Qinghe Health Authority")),
            ("sunny-garden", "compound", "R1", Text("阳光花园小区", "Sunny Garden Compound")),
        ):
            organisations.register(
                tx, parts.log, standard_ref=ref, org=org, kind=kind, range_=range_, parent=None,
                area="370102", name=name, contact=contact, notice_key=parts.notice_signer(org).vkey,
                now=now,
            )  # fmt: skip
        emergencies.declare(
            tx, parts.log, standard_ref=ref, authority="qinghe", emergency="outbreak-7",
            kind="public-health", area="370102", name=Text("疫情", "Outbreak"), now=now,
        )  # fmt: skip
        _change_level(tx, parts, "II", "清政发〔2026〕1号", now)
        today = now.astimezone(CHINA).date()
        mandates.record_mandate(
            tx, parts.log, standard_ref=ref, org="sunny-garden", authority="qinghe",
            emergency="outbreak-7", issuer="清和市指挥部", number="清指发〔2026〕3号", date_=today,
            circumstances=("residential-entry",), until=None, now=now,
        )  # fmt: skip
        mandates.record_assessment(
            tx, parts.log, standard_ref=ref, org="sunny-garden", about="residential-entry",
            date_=today, until=today + timedelta(days=1095), sha256="cd" * 32, now=now,
        )  # fmt: skip


def set_level(parts: assemble.Parts, level: str, instrument: str, now: datetime) -> int:
    """Change the level; return how many notices were issued anew."""
    with parts.database.write() as tx:
        _change_level(tx, parts, level, instrument, now)
    return reissue.go_on(parts.database, parts.press, now=lambda: now)


def _change_level(
    tx: Transaction, parts: assemble.Parts, level: str, instrument: str, now: datetime
) -> None:
    emergencies.change_level(
        tx, parts.log, standard_ref=parts.standard.ref, authority="qinghe", emergency="outbreak-7",
        level=level, issuer="清和市人民政府", instrument=instrument,
        date_=now.astimezone(CHINA).date(), expected_end=None, now=now,
    )  # fmt: skip


def open_gate(parts: assemble.Parts, clock: Clock, say: Say) -> Form:
    """Open the compound's collection point; return the form of its notice."""
    say("1. A compound opens a collection point; the standard decides what it may ask.")
    refused = parts.standard.ask("residential-entry", "biometric.face", "II")
    say(f"   a face: refused by {refused.rule} ({', '.join(refused.source[:2])})")
    fields = tuple(
        Field(
            id=c.partition(".")[2].replace("-", "_"), category=c,
            label=parts.standard.categories[c].name, optional=False,
        )
        for c in ASKED
    )  # fmt: skip
    plan = Plan(
        emergency="qinghe/outbreak-7", circumstance="residential-entry", fields=fields,
        name=Text("东门", "East gate"),
    )  # fmt: skip
    with parts.database.write() as tx:
        point = issue.open_with_notice(tx, parts.press, org="sunny-garden", plan=plan, now=clock())
    with parts.database.read() as tx:
        _, issued = issue.in_force(tx, "sunny-garden", point.point)
    mark = notice.fingerprint(parts.notice_signer("sunny-garden").verifier.public)
    say(f"   QR code: {qr.point_url(parts.settings.url, point.point, mark)}")
    say(f"   notice version 1, {issued.sha256[:16]}…, signed; it begins:")
    for line in notice_page.text(issued.notice, "en").splitlines()[:6]:
        say(f"   | {line}")
    return issue.form_of(parts.standard, point, issued)


def give(parts: assemble.Parts, clock: Clock, form: Form, say: Say, *, number: int = 1) -> Stored:
    """Let a made-up resident submit, the first or another; return what was stored."""
    say("2. A resident reads, authorises and submits. Without a tick nothing is stored:")
    person = people(number, seed=14, today=clock().astimezone(CHINA).date())[-1]
    full = city.fill(form, person, number)
    today = clock().astimezone(CHINA).date()
    try:
        form.accept(
            Submission(
                client=full.client, notice=full.notice, given=[], fields=full.fields, language="zh"
            ),
            today=today,
        )
    except EpilockError as error:
        say(f"   refused: {error}")
    stored = parts.writer.submit(form.accept(full, today=today)).result()
    say(f"   stored as number {stored.n} of {stored.bucket}, ledger entry {stored.index}")
    say(f"   receipt {stored.code}")
    checked = verify(stored.proof, [Verifier.from_vkey(parts.log.signer.vkey)])
    say(f"   proof verifies: entry {checked.index} of {checked.checkpoint.size}")
    again = parts.writer.submit(form.accept(full, today=today)).result()
    say(f"   sent twice, stored once: {again.code == stored.code and again.repeated}")
    return stored


def _open_record(parts: assemble.Parts, clock: Clock, stored: Stored, say: Say) -> None:
    say("3. An officer asks; a second person approves; the gate decides, is witnessed, and opens.")
    now, ref = clock(), parts.standard.ref
    with parts.database.write() as tx:
        doctor, _ = staff.add_staff(
            tx, parts.log, standard_ref=ref, org="qinghe-cdc", login="doctor", roles=("analyst",),
            now=now,
        )  # fmt: skip
        second, _ = staff.add_staff(
            tx, parts.log, standard_ref=ref, org="qinghe-cdc", login="second", roles=("approver",),
            now=now,
        )  # fmt: skip
        asked = grants.request(
            tx, parts.standard, doctor, source="sunny-garden", purpose="tracing", form="masked",
            circumstances=("residential-entry",), subjects=5, case="QH-2026-0001",
            reason="contact of a confirmed case", until=now + timedelta(days=3), now=now,
        )  # fmt: skip
        place = (buckets.load_by_name(tx, "sunny-garden", stored.bucket).id, stored.n)
        early = parts.gate.decide(
            tx, doctor, source="sunny-garden", places=[place], purpose="tracing", form="masked",
            grant=asked.grant, now=now,
        )  # fmt: skip
        say(
            f"   before approval: {early.verdict} by {early.rule}, ledger entry {early.entry_index}"
        )
        grants.decide(
            tx, parts.log, parts.keys, standard_ref=ref, org="qinghe-cdc", grant=asked.grant, by=second,
            approve=True, now=now,
        )  # fmt: skip
        decision = parts.gate.decide(
            tx, doctor, source="sunny-garden", places=[place], purpose="tracing", form="masked",
            grant=asked.grant, now=now,
        )  # fmt: skip
    with parts.database.read() as tx:
        shown = parts.gate.reveal(tx, decision)[0]
        seen = decisions.history(tx, "sunny-garden", *place)
    say(f"   after: {decision.verdict}, ledger entry {decision.entry_index}; masked:")
    for category, values in sorted(shown.items()):
        say(f"   | {category}: {', '.join(values.values())}")
    say(f"   the resident sees {len(seen)} decisions about this record")


def _too_early(parts: assemble.Parts, clock: Clock, stored: Stored, say: Say) -> None:
    say("4. Nobody destroys before the day:")
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, "sunny-garden", stored.bucket)
        try:
            due.check_due(tx, parts.standard, bucket, "2-IV", now=clock())
        except NotDueError as error:
            say(f"   {error} ({error.rule})")


def _step_down(parts: assemble.Parts, clock: Clock, say: Say) -> None:
    clock.instant += timedelta(days=3)
    reissued = set_level(parts, "III", "清政发〔2026〕9号", clock())
    say(f"5. Three days later the level falls to III; {reissued} notice is issued anew.")
    clock.instant += timedelta(days=8)
    for done in destruction.run(parts.tools, now=clock()):
        say(
            f"   {clock():%d %B}: parts {', '.join(done.parts)} destroyed, entry {done.entry_index}"
        )


def _destroy(
    parts: assemble.Parts, clock: Clock, stored: Stored, say: Say
) -> tuple[certificate.Proof, ...]:
    clock.instant += timedelta(days=20)
    say(f"6. On its day ({clock():%d %B}) the rest goes:")
    for done in destruction.run(parts.tools, now=clock()):
        say(f"   parts {', '.join(done.parts)} destroyed, entry {done.entry_index}")
    rows = destruction.purge(parts.tools, now=clock())
    say(f"   {rows} dead rows purged")
    with parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, "sunny-garden", stored.bucket)
        try:
            vault.open_record(tx, parts.keys, "sunny-garden", bucket.id, stored.n)
        except EpilockError as error:
            say(f"   opening it now: {error}")
        return certificate.prove(tx, parts.log, "sunny-garden", bucket.id, stored.n)


def _verify_alone(
    stored: Stored, proofs: tuple[certificate.Proof, ...], key: str, say: Say
) -> None:
    say("7. A stranger with the receipt, the certificates and the log's key, offline:")
    verifier = Verifier.from_vkey(key)
    receipt = verify(stored.proof, [verifier])
    say(f"   receipt: entry {receipt.index} was collected under tree {receipt.checkpoint.size}")
    gone: set[str] = set()
    for proof in proofs:
        found = verify(proof.text, [verifier])
        parts = certificate.check(found.entry, stored.bucket, stored.n)
        gone.update(parts)
        say(
            f"   certificate: entry {found.index} covers number {stored.n}, parts {', '.join(parts)}"
        )
    say(f"   every part of the record is certified as gone: {sorted(gone)}")
