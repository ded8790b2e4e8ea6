"""The console's alarms: what went around the program is told, and two persons let destruction go on."""

import csv
import io

from sheet import read
from staff_room import badge

from epilock.destroy import freeze
from epilock.ledger.check import Damage

FOUND = [Damage("records (org=sunny, bucket=1)", "rows that are missing: 1")]


def frozen(parts):
    with parts.database.write() as tx:
        freeze.begin(tx, parts.log, FOUND, standard_ref=parts.standard.ref, now=parts.now())


def test_two_persons_lift_it_in_the_console(parts, site):
    frozen(parts)
    first = badge(parts, site, "jinan", "ren", "supervisor")
    second = badge(parts, site, "jinan", "hua", "custodian")
    home = read(first, "/console?lang=en")
    assert "Destruction is frozen" in home.text
    assert "freeze of destruction, to be looked at" in home.text
    assert "to be looked at" not in read(second, "/console?lang=en").text
    assert "少了1行。" in read(first, "/console/alarms?lang=zh").text
    page = read(first, "/console/alarms?lang=en")
    assert "records (org=sunny, bucket=1)" in page.text
    page = page.send(page.with_field("reason"), reason="repaired")
    assert "You asked to lift the freeze" in page.text
    page = read(second, "/console/alarms?lang=en")
    page = page.send(page.forms[-1])
    assert "The freeze is lifted" in page.text
    with parts.database.read() as tx:
        assert freeze.current(tx) is None


def test_an_organisation_under_another_reads_and_decides_nothing(parts, site):
    frozen(parts)
    officer = badge(parts, site, "sunny", "li", "supervisor")
    page = read(officer, "/console/alarms?lang=en")
    assert "rows that are missing: 1" in page.text
    assert not [form for form in page.forms if form.action.endswith("/ask")]
    csrf = page.value("csrf")
    refused = officer.post("/console/alarms/ask", data={"csrf": csrf, "reason": "repaired"})
    assert refused.status_code == 403


def test_destroying_by_hand_is_refused_with_the_reason(parts, site):
    frozen(parts)
    custodian = badge(parts, site, "sunny", "wang", "custodian")
    csrf = read(custodian, "/console/destruction").value("csrf")
    refused = custodian.post("/console/destruction/run?lang=en", data={"csrf": csrf})
    assert refused.status_code == 409
    assert "Destruction is frozen" in refused.text


def test_earlier_ones_are_filtered_sorted_and_taken_away(parts, site):
    for n in range(3):
        frozen(parts)
        with parts.database.write() as tx:
            common = {"by_org": "jinan", "now": parts.now()}
            freeze.ask(
                tx, by="s-1", roles={"supervisor"}, reason=("repaired", "exercise")[n % 2], **common
            )
            freeze.lift(
                tx,
                parts.log,
                standard_ref=parts.standard.ref,
                by="s-2",
                roles={"custodian"},
                **common,
            )
    officer = badge(parts, site, "jinan", "ren", "supervisor")
    page = read(officer, "/console/alarms")
    assert page.text.count("lifted by s-2") == 3
    only = read(officer, "/console/alarms?reason=exercise&order=count")
    assert only.text.count("lifted by s-2") == 1
    answer = officer.get(next(h for h, _ in only.links if "export=csv" in h))
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["findings"], r["reason"], r["lifted_by"]) for r in rows] == [
        ("1", "exercise", "s-2")
    ]
    assert "Nothing fits" in read(officer, "/console/alarms?until=2020-01-01").text
