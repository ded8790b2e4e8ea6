"""A whole installation on either database, with one compound's gate at level II on consent."""

from datetime import timedelta
from uuid import uuid4

import pytest
from program import Program
from sampled import Clinic

from epilock import assemble, settings
from epilock.collect import issue, reissue
from epilock.collect import point as points
from epilock.collect.form import Submission
from epilock.collect.point import Field, Plan
from epilock.registry import emergency, mandate, organisation
from epilock.standard.text import Text
from moulds import BEGAN, nothing

PERSON = {
    "name": "欧阳测试", "mobile": "13912345678", "temperature": "36.6", "check_in": "西门岗亭",
}  # fmt: skip
ASKED = {
    "name": "identity.name",
    "mobile": "contact.mobile",
    "temperature": "health.temperature",
    "check_in": "location.check-in",
}


class Town:
    """The installation and what a test does with it again and again."""

    def __init__(self, parts, clock, point=None):
        self.parts, self.clock = parts, clock
        self.point = point or self._settle()

    def _settle(self):
        """Register who lives there, open the gate and return its code."""
        parts, ref, now = self.parts, self.parts.standard.ref, self.clock()
        today = now.date()
        contact = dict.fromkeys(organisation.CONTACT, "made up")
        with parts.database.write() as tx:
            for org, kind, range_, parent in (
                ("city", "government", "R4", None),
                ("cdc", "health", "R3", "city"),
                ("street", "government", "R2", "city"),
                ("garden", "compound", "R1", "street"),
            ):
                organisation.register(
                    tx, parts.log, standard_ref=ref, org=org, kind=kind, range_=range_, now=now,
                    parent=parent, area="370102", name=Text("甲", "A"), contact=contact,
                    notice_key=parts.notice_signer(org).vkey,
                )  # fmt: skip
            emergency.declare(
                tx, parts.log, standard_ref=ref, authority="city", emergency="flu", area="370102",
                kind="public-health", name=Text("流感", "Flu"), now=now,
            )  # fmt: skip
            mandate.record_assessment(
                tx, parts.log, standard_ref=ref, org="garden", about="residential-entry", now=now,
                date_=today, until=today + timedelta(days=1095), sha256="0" * 64,
            )  # fmt: skip
        self.level("II")
        with parts.database.write() as tx:
            return issue.open_with_notice(
                tx, parts.press, org="garden", plan=self.plan(), now=now
            ).point

    def plan(self, **change):
        fields = tuple(
            Field(
                id=i, category=c, label=self.parts.standard.categories[c].name, optional=False
            )
            for i, c in ASKED.items()
        )  # fmt: skip
        return Plan(
            **{
                "emergency": "city/flu", "circumstance": "residential-entry",
                "name": Text("西门", "West gate"), "fields": fields, **change,
            }
        )  # fmt: skip

    def level(self, level):
        parts = self.parts
        with parts.database.write() as tx:
            emergency.change_level(
                tx, parts.log, standard_ref=parts.standard.ref, authority="city", emergency="flu",
                level=level, issuer="City", instrument="No. 1", date_=self.clock().date(),
                expected_end=None, now=self.clock(),
            )  # fmt: skip
        return reissue.go_on(parts.database, parts.press, now=self.clock)

    def form(self):
        with self.parts.database.read() as tx:
            point, issued = issue.in_force(tx, "garden", self.point)
        return issue.form_of(self.parts.standard, point, issued)

    def submission(self, form=None, **change):
        form = form or self.form()
        given = [a for a in form.acts.ids if a != "guardian"]
        fields = {f.id: PERSON[f.id] for f in form.fields}
        return Submission(
            **{
                "client": str(uuid4()), "notice": form.notice, "given": given, "fields": fields,
                **change,
            }
        )  # fmt: skip

    def accepted(self, **change):
        form = self.form()
        return form.accept(self.submission(form, **change), today=self.clock().date())

    def store(self, *accepted):
        return self.parts.keeper.store(accepted or (self.accepted(),), now=self.clock)


def _environ(urls):
    return {"EPILOCK_DATABASE": urls[0], "EPILOCK_KEY_DATABASE": urls[1]}


@pytest.fixture
def environ(database_url):
    """The settings of an installation on either database, as the environment gives them."""
    return _environ(database_url)


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def settled(urls, home):
    """A town in which nothing was collected yet."""
    parts = assemble.found(settings.read(_environ(urls), home=home), now=lambda: BEGAN)
    Town(parts, lambda: BEGAN)
    parts.close()


@pytest.fixture
def mould(request, clock):
    """The town, for whoever asks for it at the hour in which it was made; others settle it anew."""
    return settled if "town" in request.fixturenames and clock() == BEGAN else nothing


@pytest.fixture
def town(environ, home, clock):
    told = settings.read(environ, home=home)
    if (home / "root.key").exists():
        parts = assemble.build(told, now=clock)
        with parts.database.read() as tx:
            (gate,) = points.listing(tx, "garden")
        made = Town(parts, clock, gate.point)
    else:
        parts = assemble.found(told, now=clock)
        made = Town(parts, clock)
    yield made
    parts.close()


@pytest.fixture
def clinic(town):
    return Clinic(town)


@pytest.fixture
def program(environ, home, tmp_path):
    made = Program({**environ, "EPILOCK_HOME": str(home)}, tmp_path / "said")
    yield made
    made.close()
