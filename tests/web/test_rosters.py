"""Accounts from a file in the console: looked at, carried out as shown, passwords once."""

import csv
import io

import pytest
from sheet import Sheet, read
from staff_room import badge, sign_in
from visitor import Visitor

HEAD = "userName,active,roles,externalId\n"
PATH = "/console/accounts/import"


@pytest.fixture
def chief(parts, site):
    return badge(parts, site, "sunny", "chief", "administrator")


def send(chief, text: str, **more: str):
    csrf = read(chief, PATH).value("csrf")
    file = {"file": ("a.csv", (HEAD + text).encode(), "text/csv")}
    return chief.post(PATH, data={"csrf": csrf, "go": "look", **more}, files=file)


def test_shown_then_done_and_passwords_come_once(chief, site):
    text = "li,true,custodian,7\n"
    shown = Sheet(chief, send(chief, text))
    assert "New: 1. Changed: 0. Disabled: 0." in shown.text
    done = send(chief, text, go="import", fingerprint=shown.value("fingerprint"))
    assert done.headers["content-disposition"].startswith("attachment")
    assert done.headers["cache-control"] == "no-store"
    (login, once) = list(csv.reader(io.StringIO(done.text)))[1]
    assert sign_in(Visitor(site), "sunny", login, once).path == "/console/password"
    assert "There is nothing to change" in Sheet(chief, send(chief, text)).text
    assert once not in read(chief, "/console/accounts").html


def test_another_file_than_was_shown_is_refused(chief):
    shown = Sheet(chief, send(chief, "li,true,custodian,\n"))
    mark = shown.value("fingerprint")
    other = send(chief, "li,true,approver,\n", go="import", fingerprint=mark)
    assert other.status_code == 409
    assert "changed since it was shown" in other.text


def test_mistakes_are_named_in_either_language(parts, site, chief):
    page = Sheet(chief, send(chief, "li,true,custodian operator,\n"))
    assert "operator and administrator stand alone" in page.text
    answer = chief.get(f"{PATH}?lang=zh")
    assert answer.status_code == 200
    assert (
        "choose the file of accounts"
        in Sheet(chief, chief.post(PATH, data={"csrf": read(chief, PATH).value("csrf")})).text
    )


def test_it_is_the_administrators(parts, site):
    other = badge(parts, site, "sunny", "wang", "custodian")
    assert other.get(PATH).status_code == 403
