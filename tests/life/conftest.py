"""A whole installation on either database, with one compound's gate at level II on consent."""

from datetime import timedelta
from uuid import uuid4

import pytest
from program import Program
from sampled import Clinic

from epilock import assemble, settings
from epilock.collect import issue
from epilock.collect.form import Submission
from epilock.collect.point import Field, Plan
from epilock.registry import emergency, mandate, organisation
from epilock.standard.text import Text

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

    def __init__(self, parts, clock):
        self.parts, self.clock = parts, clock
        ref, now = parts.standard.ref, clock()
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
            self.point = issue.open_with_notice(
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
        with self.parts.database.write() as tx:
            return issue.change_level(
                tx, self.parts.press, authority="city", emergency="flu", level=level, now=self.clock(),
                issuer="City", instrument="No. 1", date_=self.clock().date(), expected_end=None,
            )  # fmt: skip

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
        return self.parts.keeper.store(accepted or (self.accepted(),), now=self.clock())


@pytest.fixture
def environ(database_url):
    """The settings of an installation on either database, as the environment gives them."""
    return {"EPILOCK_DATABASE": database_url[0], "EPILOCK_KEY_DATABASE": database_url[1]}


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def town(environ, home, clock):
    parts = assemble.found(settings.read(environ, home=home), now=clock)
    yield Town(parts, clock)
    parts.close()


@pytest.fixture
def clinic(town):
    return Clinic(town)


@pytest.fixture
def program(environ, home, tmp_path):
    made = Program({**environ, "EPILOCK_HOME": str(home)}, tmp_path / "said")
    yield made
    made.close()
