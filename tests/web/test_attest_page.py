"""The review of accounts in the console: due on the first page; confirmed, changed and disabled on one."""

import csv
import io

import pytest
from sheet import read
from staff_room import badge, hire, renew

from epilock.accounts import staff

PATH = "/console/accounts/review"


@pytest.fixture
def chief(parts, site, clock):
    visitor = badge(parts, site, "sunny", "chief", "administrator")
    hire(parts, "sunny", "wang", "custodian")
    clock.forward(days=95)
    renew(parts, visitor, "sunny", "chief")
    return visitor


def roles(parts, login: str) -> frozenset[str]:
    with parts.database.read() as tx:
        return staff.by_login(tx, "sunny", login).roles


def confirming(page):
    return next(f for f in page.forms if f.method == "post" and f.action.endswith("/review"))


def code(parts, login: str) -> str:
    with parts.database.read() as tx:
        return staff.by_login(tx, "sunny", login).staff


def test_what_is_due_is_told_and_confirmed(parts, chief):
    assert "1 accounts to be confirmed" in read(chief, "/console").text
    page = read(chief, PATH)
    assert "no sign-in for 45 days" in page.text
    page = page.send(confirming(page), ("account", code(parts, "wang")))
    assert "Confirmed." in page.text
    assert "accounts to be confirmed" not in read(chief, "/console").text


def test_roles_are_changed_there(parts, chief):
    page, who = read(chief, PATH), code(parts, "wang")
    form = confirming(page)
    form.values = [v for v in form.values if v[0] != f"role.{who}"]
    page.send(form, (f"role.{who}", "analyst"), ("change", who))
    assert roles(parts, "wang") == {"analyst"}


def test_who_left_is_disabled_there(parts, chief):
    page = read(chief, PATH)
    page = page.send(confirming(page), ("disable", code(parts, "wang")))
    assert roles(parts, "wang") == frozenset()
    assert "before: custodian" in page.text


def test_nobody_confirms_or_disables_their_own(parts, chief):
    page = read(chief, PATH)
    for more in (("account", code(parts, "chief")), ("disable", code(parts, "chief"))):
        assert page.send(confirming(page), more).status == 403
    assert roles(parts, "chief") == {"administrator"}


def test_accounts_are_filtered_sorted_and_taken_away(parts, chief):
    page = read(chief, f"{PATH}?note=quiet&role=custodian")
    assert "wang" in page.text
    assert "chief (you)" not in page.text
    assert "Nothing fits" in read(chief, f"{PATH}?note=moved").text
    assert 'aria-sort="descending"' in read(chief, f"{PATH}?order=-login").html
    answer = chief.get(next(h for h, _ in page.links if "export=csv" in h))
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(r["account"], r["roles"]) for r in rows] == [(code(parts, "wang"), "custodian")]
    assert "wang" not in answer.text
    assert "Nothing fits" in read(chief, f"{PATH}?role=operator").text
