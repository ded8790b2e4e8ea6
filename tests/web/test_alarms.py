"""The console's alarms: what went around the program is told, and two persons let destruction go on."""

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
