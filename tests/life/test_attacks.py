"""Ten attacks of a made-up log, played against the gate: what each takes is a number one can read off beforehand.

The gate does not know who means ill: that is for whoever watches the log. What it promises is a bound. An attacker
without a grant takes nothing, or for treatment so many as nobody has reviewed; with the grant of an honest job no
more than its number, for its purpose, in its form and circumstances; and nobody exports.
"""

import csv
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest
from sampled import PERSON, Clinic

from epilock.errors import NotFoundError, RefusedError
from epilock.ledger import entry
from epilock.use import review

LOG = Path(__file__).parents[1] / "data/access/attacks.csv"
ROWS = list(csv.DictReader(LOG.read_text("utf-8").splitlines()))
ATTACKS = {code: list(rows) for code, rows in groupby(ROWS, key=lambda row: row["attack"])}
ANSWERS = {
    "identity.name": PERSON["name"], "contact.mobile": PERSON["mobile"],
    "location.check-in": "西门", "health.code-status": "green",
}  # fmt: skip
BOUND = 5  # subjects of the grant of an honest job
# Whom the log's roles are here: who collects sees its own, the others are of the health authority.
ROLES = {"collector": ("garden", "custodian"), "custodian": ("garden", "custodian")}


class Scene:
    """The circumstances of an attack, a record for each of its subjects, and the attacker."""

    def __init__(self, town, clinic, rows):
        self.town, self.rows = town, rows
        self.places = {}
        for circumstance, tried in groupby(sorted(rows, key=_where), key=_where):
            ask = town.parts.standard.ask
            asked = {
                c.replace(".", "_").replace("-", "_"): c
                for c in ANSWERS
                if ask(circumstance, c, "II").allowed
            }
            point = clinic
            if circumstance != "sampling":
                point = Clinic(town, circumstance, asked)
            subjects = list(dict.fromkeys(row["subject"] for row in tried))
            answers = [
                {**PERSON, "result": "negative"}
                if circumstance == "sampling"
                else {field: ANSWERS[c] for field, c in asked.items()}
                for _ in subjects
            ]
            for subject, place in zip(subjects, point.keep(*answers), strict=True):
                self.places[circumstance, subject] = place
        org, role = ROLES.get(rows[0]["role"], ("cdc", "analyst"))
        self.who = clinic.hire(org, "attacker", role)
        self.second = clinic.hire("city", "mayor", "approver")
        self.clinic = clinic

    def job(self):
        """The grant of the attacker's honest job, in the first circumstance the standard gives it."""
        for row in self.rows:
            for form in (row["form"], "masked"):
                try:
                    return self.clinic.leave(
                        self.who, self.second, purpose=row["purpose"], form=form, subjects=BOUND,
                        case=row["case"] or "C-1", circumstances=(row["circumstance"],),
                    )  # fmt: skip
                except RefusedError:
                    continue
        return None

    def play(self, leave, reason=""):
        """Try every row; return the decisions with their rows."""
        decided = []
        for row in self.rows:
            with self.town.parts.database.write() as tx:
                done = self.town.parts.gate.decide(
                    tx, self.who, source="garden", purpose=row["purpose"], form=row["form"],
                    places=[self.places[row["circumstance"], row["subject"]]], reason=reason,
                    grant=None if leave is None else leave.grant, now=self.town.clock(),
                )  # fmt: skip
            decided.append((row, done))
        return decided

    def witnessed(self):
        """How many decisions of each verdict stand in the ledger."""
        with self.town.parts.database.read() as tx:
            log = self.town.parts.log
            said = [entry.decode(data) for data in log.entries(tx, 0, log.size(tx))]
        return Counter(s.verdict for s in said if isinstance(s, entry.Decision))


def _where(row):
    return row["circumstance"]


@pytest.fixture(params=ATTACKS)
def scene(town, clinic, request):
    return Scene(town, clinic, ATTACKS[request.param])


def test_every_kind_is_played():
    assert {row["kind"] for row in ROWS} == {
        "client-lookup", "mass-export", "off-hours", "shared-account", "purpose-drift",
    }  # fmt: skip


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestAttack:
    """On one database: what differs between the two is tested elsewhere, and these are many."""

    def test_without_a_grant_it_takes_nothing(self, scene):
        decided = scene.play(None)
        assert {done.verdict for _, done in decided} == {"refused"}
        assert scene.witnessed() == {"refused": len(scene.rows)}

    def test_as_an_emergency_it_takes_what_nobody_has_reviewed(self, scene):
        decided = scene.play(None, reason="urgent")
        opened = [row for row, done in decided if done.verdict == "opened"]
        assert len(opened) <= review.MOST_OUTSTANDING
        assert {row["purpose"] for row in opened} <= {"treatment"}
        with scene.town.parts.database.read() as tx:
            assert len(review.outstanding(tx, scene.who.org)) == len(opened)

    def test_with_the_grant_of_an_honest_job_it_takes_no_more_than_that(self, scene):
        leave = scene.job()
        if leave is None:  # the standard gives what was tried to nobody
            assert {row["form"] for row in scene.rows} == {"export"}
            return
        decided = scene.play(leave)
        opened = [row for row, done in decided if done.verdict == "opened"]
        assert len(opened) <= BOUND
        assert bool(opened) == (scene.rows[0]["form"] != "export")
        assert {(r["purpose"], r["form"]) for r in opened} <= {(leave.purpose, leave.form)}
        assert {r["circumstance"] for r in opened} <= set(leave.circumstances)
        assert sum(scene.witnessed().values()) == len(scene.rows)


@pytest.mark.parametrize("rows", [r for r in ATTACKS.values() if r[0]["kind"] == "mass-export"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nobody_exports_also_not_in_slices(town, clinic, rows):
    """28,750 records at once are no decision; slice by slice the grant is used up."""
    doctor, second = clinic.hire("cdc", "doctor", "analyst"), clinic.hire("cdc", "b", "approver")
    leave = clinic.leave(
        doctor, second, purpose="tracing", form="masked", case="C-1", subjects=BOUND
    )
    places = clinic.take(*["negative"] * (BOUND + 3))
    asked = {"source": "garden", "purpose": "tracing", "form": "masked", "grant": leave.grant}
    opened = 0
    with town.parts.database.write() as tx:
        everything = [(places[0][0], n) for n in range(int(rows[0]["count"]))]
        with pytest.raises(NotFoundError, match="1 to 150"):
            town.parts.gate.decide(tx, doctor, places=everything, now=town.clock(), **asked)
        for place in places:
            done = town.parts.gate.decide(tx, doctor, places=[place], now=town.clock(), **asked)
            opened += done.verdict == "opened"
    assert opened == BOUND
