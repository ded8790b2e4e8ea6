"""Each how-to page does what it says, in an installation that has one organisation and an emergency."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from follow import follow

from epilock import assemble, settings
from epilock.collect import issue
from epilock.collect.point import Field, Plan
from epilock.demo import city
from epilock.demo.people import people
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard.level import CHINA
from epilock.standard.text import Text


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The folder of an installation: a compound, a flood at level II, a point, one record's receipt."""
    folder = tmp_path_factory.mktemp("howto")
    then = datetime.now(UTC) - timedelta(minutes=1)
    parts = assemble.found(settings.read({}, home=folder / "town"), now=lambda: then)
    try:
        code = _make(parts, then)
    finally:
        parts.close()
    (folder / "receipt.code").write_text(code)
    return folder


def _make(parts, now):
    ref = parts.standard.ref
    with parts.database.write() as tx:
        for org, kind, parent in (("qinghe", "government", None), ("sunny", "compound", "qinghe")):
            organisations.register(
                tx, parts.log, standard_ref=ref, org=org, kind=kind, range_="R1", parent=parent,
                area="370102", name=Text("单位", org), now=now, notice_key=parts.notice_signer(org).vkey,
                contact=dict.fromkeys(organisations.CONTACT, "x"),
            )  # fmt: skip
        emergencies.declare(
            tx, parts.log, standard_ref=ref, authority="qinghe", emergency="flood",
            kind="natural-disaster", area="370102", name=Text("洪水", "Flood"), now=now,
        )  # fmt: skip
        emergencies.change_level(
            tx, parts.log, standard_ref=ref, authority="qinghe", emergency="flood", level="II",
            issuer="x", instrument="1", date_=now.date(), expected_end=None, now=now,
        )  # fmt: skip
        mandates.record_assessment(
            tx, parts.log, standard_ref=ref, org="sunny", about="staffing", date_=now.date(),
            until=now.date() + timedelta(days=365), sha256="ab" * 32, now=now,
        )  # fmt: skip
        fields = (
            Field(id="name", category="identity.name", label=Text("姓名", "Name"), optional=False),
        )
        plan = Plan(
            emergency="qinghe/flood", circumstance="staffing", name=Text("志愿者", "Volunteers"),
            fields=fields,
        )  # fmt: skip
        point = issue.open_with_notice(tx, parts.press, org="sunny", plan=plan, now=now)
    form = city.form_in_force(parts, "sunny", point.point)
    person = people(1, seed=7, today=now.date())[0]
    given = form.accept(city.fill(form, person, 1), today=now.astimezone(CHINA).date())
    (stored,) = parts.keeper.store([given], now=lambda: now)
    return stored.code


@pytest.mark.parametrize(
    "page",
    [
        "open-a-point",
        "release-a-table",
        "print-a-poster",
        "change-the-level",
        "erase-a-person",
        "back-up-and-restore",
        "de-identify-a-table",
        "count-with-noise",
        "hide-small-cells",
        "run-a-witness",
        "mirror-a-log",
        "watch-logs",
    ],
)
def test_page(page, town, tmp_path, forker):
    folder = tmp_path / "desk"
    shutil.copytree(town, folder)
    follow(f"howto/{page}.md", folder, forker, env=[("EPILOCK_HOME", str(folder / "town"))])
