"""A made-up town with a site: an authority, a compound, a health office, an emergency, some points."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from alembic import command

from epilock import assemble, migrate, settings
from epilock.assemble import Parts
from epilock.collect import issue, point, reissue
from epilock.collect.point import Field, Plan, Point
from epilock.db import key_metadata, metadata, open_engine
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard.text import Text

START = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
CONTACT = {
    "address": "幸福路1号一楼服务台",
    "telephone": "0531-80000000",
    "officer": "李安",
    "complaints": "0531-80000001",
    "supervisor": "历山区网信办 0531-80000002",
}
NAME = Field(id="name", category="identity.name", label=Text("姓名", "Name"), optional=False)
MOBILE = Field(
    id="mobile", category="contact.mobile", label=Text("手机号", "Mobile"), optional=False
)
HEAT = Field(
    id="temperature",
    category="health.temperature",
    label=Text("体温", "Temperature"),
    optional=False,
)
ADDRESS = Field(
    id="address", category="contact.address", label=Text("住址", "Address"), optional=True
)
ID_CARD = Field(
    id="id_card",
    category="identity.resident-id",
    label=Text("身份证号", "ID number"),
    optional=False,
)
PASSPORT = Field(
    id="passport", category="identity.passport", label=Text("护照号", "Passport"), optional=False
)
NEEDS = Field(
    id="needs", category="need.supplies", label=Text("需要什么", "What you need"), optional=False
)
SIZE = Field(
    id="size",
    category="need.household-size",
    label=Text("家里几口人", "People at home"),
    optional=False,
)
MEDICATION = Field(
    id="medication", category="health.medication", label=Text("用药", "Medication"), optional=True
)
RESULT = Field(
    id="result",
    category="health.test-result",
    label=Text("检测结果", "Test result"),
    optional=False,
)
SAMPLE = Field(
    id="sample",
    category="health.sample-id",
    label=Text("采样编号", "Sample number"),
    optional=False,
)


class Clock:
    """Moves by hand."""

    def __init__(self) -> None:
        self.instant = START

    def __call__(self) -> datetime:
        return self.instant

    def forward(self, **span: float) -> datetime:
        self.instant += timedelta(**span)
        return self.instant


def found(
    home: Path, clock: Callable[[], datetime], *, url: str = "http://epilock.example", **more: str
) -> Parts:
    """An installation in ``home`` with three organisations, at level II: a copy of one that is made once."""
    shutil.copytree(_first(), home)
    return assemble.build(_told(home, url, **more), now=clock)


def _told(home: Path, url: str, **more: str) -> settings.Settings:
    return settings.read(
        {"EPILOCK_URL": url, "EPILOCK_ORIGIN": "epilock.example/log", **more}, home=home
    )


@lru_cache(maxsize=1)
def _first() -> Path:
    """Return the folder that each town of this process is a copy of; nobody opens it again."""
    folder = tempfile.mkdtemp(prefix="epilock-town-")
    atexit.register(shutil.rmtree, folder)
    clock, home = Clock(), Path(folder) / "home"
    told = _told(home, "http://epilock.example")
    _tables(told)
    parts = assemble.found(told, now=clock)
    register(parts, "jinan", "government", "R4", zh="济南市", en="City of Jinan")
    register(
        parts, "lishan-cdc", "health", "R3", parent="jinan", zh="历山区疾控中心", en="Lishan CDC"
    )
    register(
        parts,
        "sunny",
        "compound",
        "R1",
        parent="jinan",
        zh="阳光花园居委会",
        en="Sunny Garden Committee",
    )
    with parts.database.write() as tx:
        emergencies.declare(
            tx, parts.log, standard_ref=parts.standard.ref, authority="jinan",
            emergency="outbreak-7", kind="public-health", area="370102",
            name=Text("七号疫情", "Outbreak 7"), now=clock(),
        )  # fmt: skip
    level(parts, "II")
    parts.close()
    return home


def _tables(told: settings.Settings) -> None:
    """Make the tables as the code has them; that migrations make the same is another test's promise."""
    made = (("main", told.database, metadata), ("keys", told.key_database, key_metadata))
    for which, url, tables in made:
        engine = open_engine(url)
        tables.create_all(engine)
        with engine.begin() as conn:
            command.stamp(migrate._config(conn, which), "head")
        engine.dispose()


def register(
    parts: Parts, org: str, kind: str, range_: str, *, zh: str, en: str, parent: str | None = None
) -> None:
    with parts.database.write() as tx:
        organisations.register(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, kind=kind, range_=range_,
            parent=parent, area="370102", name=Text(zh, en), contact=CONTACT,
            notice_key=parts.notice_signer(org).vkey, now=parts.now(),
        )  # fmt: skip


def level(parts: Parts, code: str) -> None:
    """Set the level from now on; notices are issued anew."""
    with parts.database.write() as tx:
        emergencies.change_level(
            tx, parts.log, standard_ref=parts.standard.ref, authority="jinan", emergency="outbreak-7",
            level=code, issuer="济南市指挥部", instrument="2026年第7号", date_=date(2026, 3, 14),
            expected_end=None, now=parts.now(),
        )  # fmt: skip
    reissue.go_on(parts.database, parts.press, now=parts.now)


def assess(parts: Parts, org: str, circumstance: str) -> None:
    with parts.database.write() as tx:
        mandates.record_assessment(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, about=circumstance,
            date_=date(2026, 3, 1), until=date(2027, 3, 1), sha256="0" * 64, now=parts.now(),
        )  # fmt: skip


def mandate(parts: Parts, org: str, *circumstances: str) -> None:
    with parts.database.write() as tx:
        mandates.record_mandate(
            tx, parts.log, standard_ref=parts.standard.ref, org=org, authority="jinan",
            emergency="outbreak-7", issuer="济南市指挥部", number="2026年第7号",
            date_=date(2026, 3, 1), circumstances=circumstances, until=None, now=parts.now(),
        )  # fmt: skip


def open_point(
    parts: Parts,
    org: str,
    circumstance: str,
    *fields: Field,
    zh: str = "东门",
    en: str = "East Gate",
    method: str = "qr-form",
) -> Point:
    """Open a point, assessed first."""
    assess(parts, org, circumstance)
    plan = Plan(
        emergency="jinan/outbreak-7", circumstance=circumstance, method=method, name=Text(zh, en), fields=fields,
    )  # fmt: skip
    with parts.database.write() as tx:
        return issue.open_with_notice(tx, parts.press, org=org, plan=plan, now=parts.now())


def open_paper_point(parts: Parts) -> Point:
    """Open a gate of the compound that writes on paper, assessed first."""
    assess(parts, "sunny", "residential-entry")
    plan = Plan(
        emergency="jinan/outbreak-7", circumstance="residential-entry", method="paper",
        name=Text("门岗", "Gate"), fields=(NAME, MOBILE),
    )  # fmt: skip
    with parts.database.write() as tx:
        return issue.open_with_notice(tx, parts.press, org="sunny", plan=plan, now=parts.now())


def close_point(parts: Parts, org: str, code: str) -> None:
    with parts.database.write() as tx:
        point.close_point(
            tx, parts.log, parts.standard, org=org, point=code, reason="moved", now=parts.now()
        )
