"""A made-up city in an outbreak: organisations, staff, points and some hundred residents' records.

The clock is moved through forty-five days that end today, so that records have different ages and some
are due. Everything goes in by the doors that everybody uses.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from uuid import UUID

from epilock import assemble
from epilock.accounts import staff
from epilock.assemble import Parts
from epilock.collect import issue, reissue
from epilock.collect.adopt import adopt
from epilock.collect.consent import GUARDIAN
from epilock.collect.form import Form, Submission
from epilock.collect.point import Field, Plan, Point
from epilock.collect.record import Stored
from epilock.demo.people import Person, people
from epilock.destroy import run as destruction
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.settings import Settings
from epilock.standard.level import CHINA
from epilock.standard.text import Text

AUTHORITY, EMERGENCY = "qinghe", "outbreak-7"
AREA = "370102"
DAYS = 45
LEVELS = ((0, "III"), (8, "II"), (16, "I"), (27, "II"), (36, "III"))  # day, level
WHO_FORM = "who-crf-2020-2.json"

ORGANISATIONS = (
    # code, kind, range, parent, name
    (
        "qinghe",
        "government",
        "R4",
        None,
        Text("清和市疫情防控指挥部", "Qinghe City Epidemic Command"),
    ),
    (
        "qinghe-cdc",
        "health",
        "R3",
        "qinghe",
        Text("清和市疾控中心", "Qinghe City Health Authority"),
    ),
    (
        "chengdong",
        "government",
        "R2",
        "qinghe",
        Text("城东街道办事处", "Chengdong Subdistrict Office"),
    ),
    ("sunny-garden", "compound", "R1", "chengdong", Text("阳光花园小区", "Sunny Garden Compound")),
    ("qinghe-no1", "school", "R1", "chengdong", Text("清和一中", "Qinghe No. 1 School")),
)

STAFF = (
    ("qinghe", "command", ("supervisor",)),
    ("qinghe", "duty", ("custodian",)),
    ("qinghe", "deputy", ("approver",)),
    ("qinghe", "root", ("administrator",)),
    ("qinghe-cdc", "doctor", ("analyst", "custodian")),
    ("qinghe-cdc", "second", ("approver",)),
    ("chengdong", "street", ("approver",)),
    ("sunny-garden", "gate", ("collector",)),
    ("sunny-garden", "office", ("custodian",)),
    ("qinghe-no1", "teacher", ("collector", "custodian")),
    ("qinghe-no1", "head", ("approver",)),
)

POINTS = (
    # organisation, circumstance, name, categories (in brackets: optional), people a day
    ("sunny-garden", "residential-entry", Text("阳光花园东门", "Sunny Garden, east gate"),
     ("identity.name", "contact.mobile", "health.temperature", "location.check-in",
      "location.travel-history"), 4),
    ("sunny-garden", "supplies", Text("阳光花园物资配送", "Sunny Garden deliveries"),
     ("identity.name", "contact.mobile", "contact.address", "need.supplies", "need.household-size",
      "[health.medication]"), 1),
    ("sunny-garden", "staffing", Text("阳光花园志愿者", "Sunny Garden volunteers"),
     ("identity.name", "contact.mobile", "work.employer", "work.occupation"), 0),
    ("qinghe-no1", "school", Text("清和一中晨检", "No. 1 School, morning check"),
     ("identity.name", "education.school", "family.guardian", "health.temperature",
      "health.symptoms"), 2),
    ("qinghe-cdc", "sampling", Text("城东采样点", "Chengdong sampling"),
     ("identity.name", "identity.resident-id", "contact.mobile", "health.sample-id",
      "health.test-result"), 2),
    ("qinghe-cdc", "quarantine", Text("清河宾馆隔离点", "Qinghe Hotel isolation"),
     ("identity.name", "identity.resident-id", "contact.mobile", "contact.address",
      "contact.emergency-contact", "health.temperature", "health.symptoms", "health.isolation"), 0),
    ("sunny-garden", "venue-check-in", Text("阳光花园便利店", "Sunny Garden shop"),
     ("contact.mobile",), 0),
)  # fmt: skip


class Clock:
    """A clock that the demonstration moves."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def __call__(self) -> datetime:
        """Return the instant."""
        return self.instant


@dataclass(slots=True)
class City:
    """What was made.

    Attributes:
        parts: The running installation.
        points: Points by circumstance; ``who`` is the one opened from WHO's form.
        passwords: (organisation, login, roles, one-time password).
        receipts: Receipts of the latest records, by circumstance.
        dropped: Fields of WHO's form that the standard refused.
    """

    parts: Parts
    points: dict[str, Point] = field(default_factory=dict)
    passwords: list[tuple[str, str, str, str]] = field(default_factory=list)
    receipts: dict[str, Stored] = field(default_factory=dict)
    dropped: int = 0


def build(settings: Settings, *, today: datetime, say: Callable[[str], None]) -> City:
    """Make the city in a new installation; ``say`` is told of each step.

    Raises:
        ConflictError: There is an installation already.
    """
    clock = Clock(today - timedelta(days=DAYS))
    city = City(assemble.found(settings, now=clock))
    _organisations(city, clock())
    say("five organisations, eleven accounts")
    _levels(city, 0, clock())
    _papers(city, clock())
    _points(city, clock())
    say(f"seven points; from WHO's form {city.dropped} fields were refused")
    residents = people(240, seed=7, today=today.astimezone(CHINA).date())
    for day in range(DAYS):
        clock.instant = today - timedelta(days=DAYS - day)
        _levels(city, day, clock())
        _records(city, day, residents, clock())
        if day % 5 == 4:  # noqa: PLR2004 - the demonstration's run is not daily, so that some is due
            destruction.run(city.parts.tools, now=clock())
    say("forty-five days of records, four changes of the level")
    clock.instant = today
    return city


def _organisations(city: City, now: datetime) -> None:
    parts, ref = city.parts, city.parts.standard.ref
    with parts.database.write() as tx:
        for org, kind, range_, parent, name in ORGANISATIONS:
            contact = {
                "address": f"{name.zh} 一楼服务台", "telephone": "0531-8000 0000",
                "officer": f"{name.zh}个人信息保护负责人", "complaints": f"privacy@{org}.example",
                "supervisor": "清和市网信办 0531-8000 1111",
            }  # fmt: skip
            organisations.register(
                tx, parts.log, standard_ref=ref, org=org, kind=kind, range_=range_, parent=parent,
                area=AREA, name=name, contact=contact, notice_key=parts.notice_signer(org).vkey,
                now=now,
            )  # fmt: skip
        for org, login, roles in STAFF:
            _, password = staff.add_staff(
                tx, parts.log, standard_ref=ref, org=org, login=login, roles=roles, now=now
            )
            city.passwords.append((org, login, ", ".join(roles), password))
        emergencies.declare(
            tx, parts.log, standard_ref=ref, authority=AUTHORITY, emergency=EMERGENCY,
            kind="public-health", area=AREA, now=now,
            name=Text("清和市呼吸道疫情（演示）", "Qinghe respiratory outbreak (demonstration)"),
        )  # fmt: skip


def _levels(city: City, day: int, now: datetime) -> None:
    for at, level in LEVELS:
        if at == day and not (day == 0 and _has_level(city, now)):
            with city.parts.database.write() as tx:
                emergencies.change_level(
                    tx, city.parts.log, standard_ref=city.parts.standard.ref, authority=AUTHORITY,
                    emergency=EMERGENCY, level=level, issuer="清和市人民政府",
                    instrument=f"清政发〔2026〕{at + 1}号", date_=now.astimezone(CHINA).date(),
                    expected_end=None, now=now,
                )  # fmt: skip
            reissue.go_on(city.parts.database, city.parts.press, now=lambda: now)


def _has_level(city: City, now: datetime) -> bool:
    with city.parts.database.read() as tx:
        return emergencies.history(tx, AUTHORITY, EMERGENCY).at(now) is not None


def _papers(city: City, now: datetime) -> None:
    """Record mandates and assessments, without which sensitive points don't open."""
    today, parts = now.astimezone(CHINA).date(), city.parts
    scopes: dict[str, list[str]] = {"qinghe-cdc": ["epi-investigation"]}
    for org, circumstance, *_ in POINTS:
        scopes.setdefault(org, []).append(circumstance)
    with parts.database.write() as tx:
        for org, circumstances in scopes.items():
            mandates.record_mandate(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, authority=AUTHORITY,
                emergency=EMERGENCY, issuer="清和市疫情防控指挥部", number="清指发〔2026〕3号",
                date_=today, until=None, now=now,
                circumstances=tuple(c for c in circumstances if c not in {"supplies", "staffing"})
                or tuple(circumstances),
            )  # fmt: skip
            for circumstance in circumstances:
                mandates.record_assessment(
                    tx, parts.log, standard_ref=parts.standard.ref, org=org, about=circumstance,
                    date_=today, until=today + timedelta(days=3 * 365), sha256="ab" * 32, now=now,
                )  # fmt: skip


def _points(city: City, now: datetime) -> None:
    parts = city.parts
    for org, circumstance, name, asked, _ in POINTS:
        fields = tuple(_field(parts, item) for item in asked)
        plan = Plan(
            emergency=f"{AUTHORITY}/{EMERGENCY}",
            circumstance=circumstance,
            name=name,
            fields=fields,
        )
        with parts.database.write() as tx:
            city.points[circumstance] = issue.open_with_notice(
                tx, parts.press, org=org, plan=plan, now=now
            )
    content = files("epilock.demo").joinpath(WHO_FORM).read_bytes()
    adopted = adopt(
        parts.standard,
        content,
        Path(WHO_FORM).suffix,
        circumstance="epi-investigation",
        method="interview",
    )
    city.dropped = len(adopted.dropped)
    plan = Plan(
        emergency=f"{AUTHORITY}/{EMERGENCY}", circumstance="epi-investigation", method="interview",
        name=Text("流行病学调查（世卫组织表）", "Investigation (WHO's form)"), fields=adopted.fields,
    )  # fmt: skip
    with parts.database.write() as tx:
        city.points["who"] = issue.open_with_notice(
            tx, parts.press, org="qinghe-cdc", plan=plan, now=now
        )


def _field(parts: Parts, item: str) -> Field:
    category = item.strip("[]")
    return Field(
        id=category.partition(".")[2].replace("-", "_"), category=category,
        label=parts.standard.categories[category].name, optional=item.startswith("["),
    )  # fmt: skip


def _records(city: City, day: int, residents: list[Person], now: datetime) -> None:
    waiting = []
    for org, circumstance, _, _, count in POINTS:
        form = form_in_force(city.parts, org, city.points[circumstance].point)
        for k in range(count):
            number = day * 7 + k * 31 + len(circumstance)
            accepted = form.accept(
                fill(form, residents[number % len(residents)], number),
                today=now.astimezone(CHINA).date(),
            )
            waiting.append((circumstance, accepted))
    for (circumstance, _), stored in zip(
        waiting, city.parts.keeper.store([a for _, a in waiting], now=lambda: now), strict=True
    ):
        if isinstance(stored, Exception):
            raise stored
        city.receipts[circumstance] = stored


def form_in_force(parts: Parts, org: str, point: str) -> Form:
    """Return the compiled form of a point's notice in force."""
    with parts.database.read() as tx:
        found, issued = issue.in_force(tx, org, point)
    return issue.form_of(parts.standard, found, issued)


def fill(form: Form, person: Person, number: int) -> Submission:
    """Return what a made-up ``person`` sends: every act given, every field answered."""
    client = UUID(int=(7 << 120) | (number << 40) | form.version, version=4)
    given = [a for a in form.acts.ids if a != GUARDIAN or person.child or _needs_guardian(form)]
    return Submission(
        client=str(client), notice=form.notice, given=given,
        fields={f.id: person.answers.get(f.category, "无") for f in form.fields},
    )  # fmt: skip


def _needs_guardian(form: Form) -> bool:
    return any(f.category == "family.guardian" for f in form.fields)
