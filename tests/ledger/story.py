"""A made-up emergency as a log tells it: the author writes entries, the audit reads them.

Levels: II from 1 March. Bucket of 14 March in circumstance ``residential-entry``, parts ``3-IV`` and
``3-II``. The rules are a stand-in with round numbers: a part is due 14 days after its day, or, if the
last level is below its own, 7 days after that level took effect.
"""

from datetime import UTC, date, datetime, time, timedelta

from ledgers import STANDARD

from epilock.errors import InputError
from epilock.ledger import entry as e
from epilock.ledger.audit import Auditor
from epilock.standard.clock import Due, PaperPeriods
from epilock.standard.level import CHINA, LEVELS
from epilock.standard.model import Release

DAY = "2026-03-14"
BUCKET = f"jn-cdc/outbreak-7/residential-entry/{DAY}"
MOVED = "jn-cdc/outbreak-7/residential-entry/2026-03-20+delivery"
POINT = "jn-cdc.k3f7q2"
NOTICE = "0" * 64
LOW, HIGH = "3-IV", "3-II"
DUE = datetime(2026, 3, 28, 16, 0, tzinfo=UTC)  # midnight after 14 days, in China
HEAD = {"org": "jn-cdc", "standard": STANDARD}


class RoundRules:
    """The stand-in."""

    def due(self, bucket, part, history):
        if bucket.standard != STANDARD:
            return None
        if part not in {LOW, HIGH}:
            raise InputError("no such part")
        last = datetime.combine(date.fromisoformat(bucket.day), time(), CHINA) + timedelta(days=15)
        if history.changes:
            change = history.changes[-1]
            if LEVELS.index(change.level) < LEVELS.index(part.split("-")[1]):
                last = min(last, change.at + timedelta(days=7))
        return Due(at=last.astimezone(UTC), rule="retain/14", last_day=None)

    def refuses(self, _point, category, _level):
        return category == "biometric.face"

    def paper(self, said):
        if said.standard != STANDARD:
            return None
        return PaperPeriods(enter=timedelta(hours=24), destroy=timedelta(days=7))

    def release(self, said):
        if said.standard != STANDARD:
            return None
        if said.circumstance != "residential-entry":
            raise InputError("no such circumstance")
        return Release(k=20, l=2, rule="release/residential-entry", source=())


def at(day, hour=1):
    return f"2026-03-{day:02}T{hour:02}:00:00Z"


def organisation():
    return e.Organisation(
        **HEAD, at=at(1), serial=1, kind="authority", range="R3", parent=None, area="370100",
        name={"zh": "疾控中心", "en": "CDC"}, notice_key="x",
    )  # fmt: skip


def emergency():
    return e.Emergency(
        org="jinan", standard=STANDARD, at=at(1), emergency="outbreak-7", kind="public-health",
        area="370100", name={"zh": "疫情", "en": "outbreak"},
    )  # fmt: skip


def level(to="II", day=1, **change):
    values = {
        "org": "jinan", "standard": STANDARD, "at": at(day, 2), "emergency": "outbreak-7",
        "level": to, "effective": at(day, 2), "issuer": "市政府", "instrument": "3号",
        "date": at(day)[:10], "expected_end": None,
    }  # fmt: skip
    return e.Level(**values | change)


def assessment():
    return e.Assessment(
        **HEAD, at=at(2), assessment="as-1", about="residential-entry", date="2026-03-02",
        until="2027-03-02", sha256="a" * 64,
    )  # fmt: skip


def mandate():
    return e.Mandate(
        **HEAD, at=at(2), mandate="m-1", authority="jinan", emergency="outbreak-7", issuer="市政府",
        number="3号", date="2026-03-02", circumstances=["residential-entry"], until=None,
    )  # fmt: skip


def point(**change):
    values = HEAD | {
        "at": at(3), "point": POINT, "authority": "jinan", "emergency": "outbreak-7",
        "circumstance": "residential-entry", "method": "qr-form", "media": ["vault"],
        "categories": ["identity.name"], "optional": [], "mandate": "m-1", "basis": "emergency",
        "assessment": "as-1",
    }  # fmt: skip
    return e.Point(**values | change)


def notice():
    return e.Notice(
        **HEAD, at=at(3), point=POINT, version=1, level="II", languages=["zh"], sha256=NOTICE
    )


def bucket(**change):
    values = HEAD | {
        "at": at(14), "bucket": BUCKET, "authority": "jinan", "emergency": "outbreak-7",
        "circumstance": "residential-entry", "day": DAY, "clock": "collection",
        "parts": [LOW, HIGH],
    }  # fmt: skip
    return e.Bucket(**values | change)


def moved_bucket():
    return bucket(at=at(20), bucket=MOVED, day="2026-03-20", clock="delivery")


def collect(n, **change):
    values = HEAD | {
        "point": POINT, "bucket": BUCKET, "n": n, "notice": NOTICE, "parts": [LOW, HIGH],
        "commitment": "1" * 64,
    }  # fmt: skip
    return e.Collect(**values | change)


def imported(**change):
    values = HEAD | {
        "at": at(15), "import_id": "i-1", "point": POINT, "notice": NOTICE, "file": "2" * 64,
        "refused": [], "afterwards": True, "by": "s-1",
    }  # fmt: skip
    return e.Import(**values | change)


def import_completed(stored):
    return e.ImportCompleted(**HEAD, at=at(15), import_id="i-1", stored=stored, refused=0)


def import_told(records, **change):
    values = HEAD | {"at": at(16), "import_id": "i-1", "records": records, "way": "letter"}
    return e.ImportTold(**values | {"by": "s-1"} | change)


def event(n, to_n, **change):
    values = HEAD | {
        "at": at(20), "bucket": BUCKET, "n": n, "event": "delivery", "day": "2026-03-20",
        "to_bucket": MOVED, "to_n": to_n,
    }  # fmt: skip
    return e.Event(**values | change)


def correct(n, by_n):
    return e.Correct(**HEAD, at=at(15), bucket=BUCKET, n=n, by_bucket=BUCKET, by_n=by_n)


def erasure(n, parts=(LOW, HIGH), name="er-1"):
    return e.Erasure(
        **HEAD, at=at(15), erasure=name, bucket=BUCKET, n=n, parts=parts, reason="withdrawal"
    )


def erased(n, parts=(LOW, HIGH), name="er-1"):
    return e.Erased(**HEAD, at=at(15, 2), erasure=name, bucket=BUCKET, n=n, parts=parts)


def order(by="s-1", **change):
    values = HEAD | {
        "at": at(16), "order": "o-1", "bucket": BUCKET, "parts": [LOW, HIGH], "reason": "ended",
        "by": by, "not_before": at(17),
    }  # fmt: skip
    return e.Order(**values | change)


def order_approved(by="s-2"):
    return e.OrderApproved(**HEAD, at=at(16, 3), order="o-1", by=by)


def hold(until="2026-04-30"):
    return e.Hold(
        **HEAD, at=at(16), hold="h-1", bucket=BUCKET, assessment="as-1", reason="evidence",
        until=until, by="s-1",
    )  # fmt: skip


def destroy(when=DUE, parts=(LOW, HIGH), **change):
    values = HEAD | {
        "at": e.stamp(when), "destruction": "d-1", "bucket": BUCKET, "parts": parts,
        "rule": "retain/14", "due": e.stamp(DUE),
    }  # fmt: skip
    return e.Destroy(**values | change)


def certificate(collected, erased=0, parts=(LOW, HIGH), **change):
    values = HEAD | {
        "at": e.stamp(DUE + timedelta(minutes=1)), "destruction": "d-1", "bucket": BUCKET,
        "parts": parts, "first": 0, "last": 16**6 - 1, "collected": collected, "erased": erased,
        "destroyed": collected - erased, "leases": [], "complete": True,
    }  # fmt: skip
    return e.Certificate(**values | change)


def grant(**change):
    values = HEAD | {
        "at": at(15), "grant": "g-1", "staff": "s-1", "purpose": "tracing", "form": "raw",
        "circumstances": ["residential-entry"], "until": "2026-03-16", "subjects": 2, "case": False,
        "approved_by": "s-2",
    }  # fmt: skip
    return e.Grant(**values | change)


def decision(*numbers, day=15, by="s-1", **change):
    values = HEAD | {
        "at": at(day, 5), "decision": "de-1", "by": by, "grant": "g-1", "purpose": "tracing",
        "form": "raw", "verdict": "opened", "rule": "see/tracing",
        "records": [e.Record(BUCKET, n) for n in numbers], "count": len(numbers),
    }  # fmt: skip
    return e.Decision(**values | change)


def aggregate(day=15, by="s-1", **change):
    values = HEAD | {
        "at": at(day, 5), "decision": "de-2", "by": by, "grant": "g-1",
        "purpose": "situation-monitoring", "emergency": "outbreak-7",
        "circumstance": "residential-entry", "since": "2026-03-01", "until": "2026-03-14",
        "counted": "contact.area", "verdict": "opened", "rule": "see/monitoring", "records": 400,
        "question": 1,
    }  # fmt: skip
    return e.AggregateDecision(**values | change)


def tried(day=15, by="s-1", **change):
    values = HEAD | {
        "at": at(day, 5), "release": "r-1", "by": by, "grant": "g-1", "purpose": "research",
        "emergency": "outbreak-7", "circumstance": "residential-entry", "since": "2026-03-01",
        "until": "2026-03-14", "verdict": "opened", "rule": "see/research", "records": 400,
        "question": 1,
    }  # fmt: skip
    return e.ReleaseDecision(**values | change)


def release(day=15, by="s-1", **change):
    values = HEAD | {
        "at": at(day, 5), "release": "r-1", "by": by, "approved_by": "s-2", "grant": "g-1",
        "purpose": "research", "emergency": "outbreak-7", "circumstance": "residential-entry",
        "rule": "release/residential-entry", "k": 20, "l": 2, "smallest": 20, "fewest": 2,
        "rows": 400, "suppressed": 10, "earlier": 0, "sha256": "ab" * 32,
    }  # fmt: skip
    return e.Release(**values | change)


def search(day=15, by="s-1"):
    return e.Search(
        **HEAD, at=at(day, 5), search="f-1", by=by, grant="g-1", emergency="outbreak-7",
        category="contact.mobile", found=1,
    )  # fmt: skip


def budget(epsilon=1000, **change):
    values = HEAD | {
        "at": at(15), "dataset": "cases", "purpose": None, "recipient": None, "epsilon": epsilon,
        "by": "s-1",
    }  # fmt: skip
    return e.PrivacyBudget(**values | change)


def account(epsilon=600, recipient="jinan", **change):
    return budget(epsilon, purpose="situation-monitoring", recipient=recipient, **change)


def noisy(epsilon=300, **change):
    values = HEAD | {
        "at": at(15, 5), "release": "q-1", "dataset": "cases", "purpose": "situation-monitoring",
        "recipient": "jinan", "by": "s-1", "query": "ab" * 32, "epsilon": epsilon,
    }  # fmt: skip
    return e.NoisyRelease(**values | change)


def study(stage="opened", day=15, **change):
    values = HEAD | {
        "at": at(day, 5), "study": "long-covid", "purpose": "research", "stage": stage, "by": "s-1",
    }  # fmt: skip
    return e.Study(**values | change)


def freeze(findings=3):
    return e.Freeze(**HEAD | {"org": "", "at": at(15, 5), "freeze": "f-1", "findings": findings})


def freeze_lifted(by="s-1", approved_by="s-2"):
    values = HEAD | {"org": "", "at": at(16, 5), "freeze": "f-1", "reason": "repaired"}
    return e.FreezeLifted(**values, by=by, approved_by=approved_by)


def page(day=15, **change):
    values = HEAD | {
        "at": at(day, 5), "page": "x-1", "point": POINT, "written": "2026-03-14", "rows": 3,
        "due": "2026-03-22",
    }  # fmt: skip
    return e.PaperPage(**values | change)


def attested(day=20, **change):
    return e.PaperDestroyed(**HEAD | {"at": at(day, 5), "page": "x-1", "by": "s-1"} | change)


def glass(n=0, **change):
    """An opening for treatment, without a grant."""
    return decision(n, **{"grant": None, "purpose": "treatment", **change})


def review(by="s-2", day=16):
    return e.Review(
        **HEAD, at=at(day, 5), decision="de-1", by=by, verdict="justified", reason="in-treatment"
    )


OPENING = [
    organisation(), emergency(), level(), assessment(), mandate(), point(), notice(), bucket(),
]  # fmt: skip


def audit(*told, now=DUE - timedelta(days=1), opening=None):
    """What the audit concludes from the opening and then ``told``: ``{(kind, about): finding}``."""
    auditor = Auditor(RoundRules())
    entries = [*(OPENING if opening is None else opening), *told]
    for index, each in enumerate(entries):
        auditor.read(index, e.decode(e.encode(each)))
    return auditor.conclude(now).by_key


def kinds(*told, **how):
    """The kinds of what the audit concludes, sorted."""
    return sorted({kind for kind, _ in audit(*told, **how)})
