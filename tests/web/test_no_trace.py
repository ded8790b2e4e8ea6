"""What a person gave stands in no log line, error, address, ledger entry or file name, nor anywhere at rest.

One whole life over HTTP, with values that occur nowhere else: given, given wrongly, corrected, searched, refused,
opened, withdrawn, destroyed. Then everything that stays is searched for them, byte by byte.
"""

import json
import logging
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import town
import uvicorn
from sheet import read
from staff_room import PASSWORD, hire
from town_server import free_port

import passwords
from epilock.accounts import session, staff
from epilock.collect import code as codes
from epilock.destroy import run as destruction
from epilock.ledger import publish
from epilock.store import vault
from epilock.use import grant
from epilock.web.app import create_app
from traces import forms_of

GIVEN = {
    "name": "欧阳金丝雀", "mobile": "13976540001", "temperature": "38.64",
    "address": "济南市历下区金丝雀胡同77号",
}  # fmt: skip
CORRECTED = {**GIVEN, "name": "欧阳金丝雁", "mobile": "13976540002"}
WITHDRAWN = {**GIVEN, "name": "司马云雀儿", "mobile": "13976540003"}
WRONG = {
    "name": "东方夜莺鸟", "mobile": "139-CANARY-4", "temperature": "99.87",
    "address": "北京市海淀区夜莺胡同88号",
}  # fmt: skip
UNKNOWN = {"kanarienvogel_id": "37010219900307CANARY"}
CANARIES = {
    value
    for answers in (GIVEN, CORRECTED, WITHDRAWN, WRONG, UNKNOWN)
    for value in (*answers.values(), *(answers if answers is UNKNOWN else ()))
} - {"38.64"}  # too short to be looked for
NEEDLES = {needle for value in CANARIES for needle in forms_of(value)}


def traces(data: bytes, extra: tuple[bytes, ...] = ()) -> list[bytes]:
    return [needle for needle in (*NEEDLES, *extra) if needle in data]


class Browser:
    """A visitor over a real connection, who notes every address, and every answer that is an error."""

    def __init__(self, base: str) -> None:
        self.addresses: list[str] = []
        self.errors: list[str] = []
        self._client = httpx.Client(base_url=base, headers={"Accept-Language": "zh"}, timeout=30)

    def get(self, path: str, **more) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more) -> httpx.Response:
        return self.request("POST", path, **more)

    def request(self, method: str, path: str, **more) -> httpx.Response:
        answer = self._client.request(method, path, **more)
        self.addresses += [str(answer.request.url), repr(answer.headers.multi_items())]
        if answer.status_code >= 400 and path.startswith("/api"):
            self.errors.append(answer.text)
        return answer

    @property
    def cookies(self) -> httpx.Cookies:
        return self._client.cookies

    def close(self) -> None:
        self._client.close()


@contextmanager
def listening(app, port: int):
    """Serve as talkatively as uvicorn can; its records go to the root logger, which the test reads."""
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=port, log_config=None, log_level="trace", access_log=True
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def stage(tmp_path, clock, caplog):
    """A town at level I, where an address may be asked, and what was said of it at the finest level."""
    caplog.set_level(logging.DEBUG)
    port = free_port()
    parts = town.found(tmp_path / "home", clock, url=f"http://127.0.0.1:{port}")
    clock.forward(hours=1)
    town.level(parts, "I")
    point = town.open_point(
        parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT, town.ADDRESS
    )
    with listening(create_app(parts), port) as base:
        browser = Browser(base)
        yield parts, browser, point, tmp_path
        browser.close()
    parts.close()


def test_a_whole_life_leaves_no_trace(stage, clock, caplog, capfd):
    parts, browser, point, folder = stage
    receipts = [walk(browser, point)]
    receipts += submit_all(browser, point)
    look(browser, receipts)
    office(parts, browser, point)
    publish.write(parts.database, parts.log, folder / "public")
    ids = tuple(codes.parse(r).receipt_id for r in receipts)
    assert traces(b"\n".join(forms_of(GIVEN["address"])))  # what is looked for would be found
    before = at_rest(folder)
    assert traces(before, ids) == []
    assert sum(vault.handle_of(i) in before for i in ids) == len(ids)  # it is the right file
    clock.forward(days=200)
    assert destruction.run(parts.tools, now=clock())
    destruction.purge(parts.tools, now=clock())
    publish.write(parts.database, parts.log, folder / "public")
    assert traces(at_rest(folder), ids) == []
    codes_ = tuple(r.encode() for r in receipts)
    said = "\n".join([caplog.text, *capfd.readouterr()]).encode()
    assert b"POST /api/receipts" in said  # uvicorn did log
    for where in (said, "\n".join(browser.errors).encode(), "\n".join(browser.addresses).encode()):
        assert traces(where, codes_) == []
    assert PASSWORD.encode() not in said
    assert len(browser.errors) >= 10


def walk(browser: Browser, point) -> str:
    """A resident's pages, each field wrong at first."""
    page = read(browser, f"/c/sunny/{point.point}")
    page = page.send(page.form(), step="authorise")
    ticked = [box for box in page.form().boxes if box != ("act", "guardian")]
    page = page.send(page.form(), *ticked, step="fields")
    wrong = page.send(page.form(), step="send", **{f"f.{k}": v for k, v in WRONG.items()})
    assert wrong.status == 422
    right = wrong.send(wrong.form(), step="send", **{f"f.{k}": v for k, v in GIVEN.items()})
    assert right.status == 200
    return "-".join(part for part in right.text.split() if len(part) == 5 and part.isalnum())[:35]


def submit_all(browser: Browser, point) -> list[str]:
    """A program's submissions: good ones, and bad ones of every kind."""
    path = f"/api/points/sunny/{point.point}"
    said = browser.get(path).json()
    body = {
        "notice": said["notice"], "language": "zh",
        "given": [a["id"] for a in said["acts"] if a["id"] != "guardian"],
    }  # fmt: skip
    for changes in (
        {"fields": WRONG}, {"fields": {**GIVEN, **UNKNOWN}}, {"fields": GIVEN, **UNKNOWN},
        {"fields": GIVEN, "given": []}, {"fields": GIVEN, "given": [WRONG["name"]]},
        {"fields": GIVEN, "notice": WRONG["address"]}, {"fields": GIVEN, "client": WRONG["mobile"]},
        {"fields": GIVEN, "language": WRONG["name"]}, {"fields": [WRONG["name"]]},
        {"fields": {**GIVEN, "name": 7, "mobile": [WRONG["mobile"]]}},
    ):  # fmt: skip
        sent = {"client": "3f0b1c9e-1d5f-4d3c-9d7f-0a4c3b2a1f00", **body, **changes}
        assert browser.post(f"{path}/submissions", json=sent).status_code >= 400
    broken = json.dumps({"fields": WRONG}, ensure_ascii=False)
    for content in (broken[:-9].encode(), broken.encode("gb18030"), broken.encode() * 900):
        assert browser.post(f"{path}/submissions", content=content).status_code >= 400
    found = []
    for number, fields in enumerate((GIVEN, WITHDRAWN)):
        sent = {"client": f"3f0b1c9e-1d5f-4d3c-9d7f-0a4c3b2a1f0{number}", **body, "fields": fields}
        answer = browser.post(f"{path}/submissions", json=sent)
        assert answer.status_code == 201, answer.text
        found.append(answer.json()["receipt"])
    return found


def look(browser: Browser, receipts: list[str]) -> None:
    """What people do with a receipt: see, correct wrongly, correct, withdraw; and one who guesses."""
    _, corrected, withdrawn = receipts
    for path in ("", "/data"):
        assert browser.post(f"/api/receipts{path}", json={"code": corrected}).status_code == 200
    for fields, status in ((WRONG, 422), ({**GIVEN, **UNKNOWN}, 422), (CORRECTED, 200)):
        answer = browser.post("/api/receipts/correct", json={"code": corrected, "fields": fields})
        assert answer.status_code == status, answer.text
    assert browser.post("/api/receipts/withdraw", json={"code": withdrawn}).status_code == 200
    for code in (WRONG["name"], f"{corrected[:-1]}*", withdrawn.replace("0", "1")[:-3]):
        assert browser.post("/api/receipts", json={"code": code}).status_code in {400, 422}
    assert browser.post("/api/receipts", json={"code": corrected, **UNKNOWN}).status_code == 422


def office(parts, browser: Browser, point) -> None:
    """Staff: a wrong password, a search, an opening that is refused, and one that is not."""
    del point
    hire(parts, "sunny", "wang", "custodian")
    for password in (PASSWORD, WRONG["name"]):
        page = read(browser, "/console/sign-in?to=/console")
        page.send(page.form(), org="sunny", login="wang", password=password, code="")
    with parts.database.write() as tx:
        who, _ = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org="lishan-cdc", login="doctor",
            roles=("analyst",), now=parts.now(), once=passwords.once(),
        )  # fmt: skip
        by, _ = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org="lishan-cdc", login="second",
            roles=("approver",), now=parts.now(), once=passwords.once(),
        )  # fmt: skip
        tx.update(
            staff.staff, {"org": "lishan-cdc", "staff": who.staff}, must_change=False, totp=b"set"
        )
        asked = grant.request(
            tx, parts.standard, who, source="sunny", purpose="tracing", form="raw", subjects=5,
            circumstances=("residential-entry",), case="C-1", reason="contact of a case",
            until=parts.now() + timedelta(days=2), now=parts.now(),
        )  # fmt: skip
        token = session.begin(tx, who, now=parts.now(), kind="api")
        here = session.begin(tx, who, now=parts.now())
    open_at(browser, token, asked.grant, "refused")
    with parts.database.write() as tx:
        grant.decide(
            tx, parts.log, parts.keys, standard_ref=parts.standard.ref, org="lishan-cdc", grant=asked.grant,
            by=by, approve=True, now=parts.now(),
        )  # fmt: skip
    assert GIVEN["mobile"] in open_at(browser, token, asked.grant, "opened")
    browser.cookies.set("epilock", here)
    page = read(browser, "/console/records?source=sunny")
    for value in (GIVEN["mobile"], WRONG["mobile"], WRONG["name"]):
        form = page.with_field("value")
        found = page.send(form, category="contact.mobile", value=value)
        assert found.status in {200, 400, 422}, found.text


def open_at(browser: Browser, token: str, code: str, verdict: str) -> str:
    wanted = {
        "source": "sunny", "places": [{"bucket": 1, "n": 0}], "purpose": "tracing", "form": "raw",
        "grant": code,
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {token}"}
    answer = browser.post("/api/staff/open", json=wanted, headers=headers)
    assert answer.json()["verdict"] == verdict, answer.text
    browser.post("/api/staff/open", json={**wanted, **UNKNOWN}, headers=headers)
    return answer.text


def at_rest(folder: Path) -> bytes:
    """Every file below ``folder`` with its name: databases with their logs, slots, the published ledger."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.name for path in found}
    assert {"epilock.sqlite", "epilock.sqlite-wal", "keys.sqlite", "checkpoint"} <= names
    return b"\n".join(str(path).encode() + b"\0" + path.read_bytes() for path in found)
