"""Every page of the site, and a town in which each of them has something to show."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import town
from PIL import Image
from sheet import read
from staff_room import arrived, badge
from test_resident import TYPED
from test_sheet_page import HEAD, ROW_1
from visitor import Visitor

import passwords
from epilock.accounts import staff
from epilock.assemble import Parts
from epilock.collect.point import Point
from epilock.use import grant as grants
from epilock.web.app import create_app

ROLES = ("collector", "custodian", "approver", "analyst", "supervisor")

PUBLIC = {
    "front": "/",
    "style": "/style",
    "form-check": "/check",
    "form-check-asked": "/check?circumstance=residential-entry",
    "receipt-ask": "/r",
    "left": "/left",
    "offline": "/offline",
    "log": "/log",
    "log-keys": "/log/keys",
    "log-check": "/log/check",
    "log-anchored": "/log/anchored",
    "log-entry": "/log/entry/1",
    "api": "/api",
    "problem": "/nowhere",
    "sign-in": "/console/sign-in",
    "notice": "/c/sunny/{point}",
}
CONSOLE = {
    "home": "/console",
    "console-problem": "/console/nowhere",
    "points": "/console/points",
    "point-new": "/console/points/new",
    "point": "/console/points/{point}",
    "point-fields": "/console/points/new/residential-entry",
    "point-fields-unassessed": "/console/points/new/school",
    "point-count": "/console/points/{point}/count",
    "point-notice": "/console/points/{point}/notice/1",
    "records": "/console/records",
    "bucket": "/console/records/sunny/1",
    "record": "/console/records/sunny/1/0",
    "imports": "/console/imports",
    "offline-leases": "/console/offline",
    "offline-end": "/console/offline/{lease}/end",
    "offline-lease": "/offline/{lease}",
    "sheets": "/console/sheets",
    "sheet": "/console/sheets/{paper}",
    "sheet-page": "/console/sheets/{paper}/A-12/3",
    "sheet-destroyed": "/console/sheets/{paper}/A-12/3/destroyed",
    "counts": "/console/counts",
    "grants": "/console/grants",
    "requests": "/console/requests",
    "received": "/console/received",
    "releases": "/console/releases",
    "budgets": "/console/budgets",
    "budgets-asked": "/console/budgets/asked",
    "studies": "/console/studies",
    "approvals": "/console/approvals",
    "destruction": "/console/destruction",
    "destruction-bucket": "/console/destruction/1",
    "destruction-run": "/console/destruction/run?since=0",
    "levels": "/console/levels",
    "level": "/console/levels/jinan/outbreak-7",
    "level-preview": "/console/levels/jinan/outbreak-7?level=N",
    "level-end": "/console/levels/jinan/outbreak-7?level=E",
    "level-renewed": "/console/levels/jinan/outbreak-7?level=II",
    "oversight": "/console/oversight",
    "seen": "/console/seen",
    "seen-searches": "/console/seen/searches",
    "seen-counts": "/console/seen/counts",
    "seen-releases": "/console/seen/releases",
    "seen-extract": "/console/seen/extract",
    "alarms": "/console/alarms",
    "console-log": "/console/log",
    "settings": "/console/settings",
    "holds": "/console/destruction/holds",
    "orders": "/console/destruction/orders",
    "orders-elsewhere": "/console/destruction/orders?org=jinan",
    "witnesses": "/console/witnesses",
    "papers": "/console/papers",
    "assessments": "/console/papers/assessments",
    "agreements": "/console/papers/agreements",
    "password": "/console/password",
    "second-factor": "/console/second-factor",
    "account": "/console/account",
    "passkeys": "/console/account/passkeys",
    "passkey-new": "/console/account/passkeys/new",
}
ACCOUNTS = {  # an administrator's, who has no other role
    "accounts": "/console/accounts",
    "arrivals": "/console/accounts/arrivals",
    "attest": "/console/accounts/review",
    "roster": "/console/accounts/import",
    "provider": "/console/accounts/provider",
}
EVERY = {**PUBLIC, **CONSOLE, **ACCOUNTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Somewhere:
    """A town, its site, an open point with one record, and staff who have signed in.

    Attributes:
        parts, site: The installation and its site.
        point: An open point of ``sunny``.
        paper: One that collects on paper, with a page that was keyed in.
        lease: Code of a lease of the open point.
        code: Receipt of the record of the open point.
        gone: Receipt of one that was withdrawn.
        everyone: The browser of someone who has every role but the administrator's.
        admin: That of an administrator.
    """

    parts: Parts
    site: Any
    point: Point
    paper: Point
    lease: str
    code: str
    gone: str
    everyone: Visitor
    admin: Visitor

    def path(self, name: str) -> str:
        """The address of the page ``name``."""
        return EVERY[name].format(point=self.point.point, paper=self.paper.point, lease=self.lease)

    def visitor(self, name: str) -> Visitor:
        """Who may see the page ``name``."""
        return self.admin if name in ACCOUNTS else self.everyone


def found(
    home: Path, clock: Callable[[], datetime], url: str = "http://epilock.example"
) -> Somewhere:
    """Found the town; whoever asks closes ``parts``."""
    parts = town.found(home, clock, url=url)
    site = create_app(parts)
    point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)
    resident = Visitor(site)
    code, gone = (_give(resident, point) for _ in range(2))
    resident.post("/r/withdraw", data={"code": gone, "sure": "1"})
    asked = {"code": code, "kind": "objection", "ground": "not-needed"}
    resident.post("/r/ask", data=asked)
    everyone, paper = badge(parts, site, "sunny", "all", *ROLES), town.open_paper_point(parts)
    _key_in(everyone, paper)
    arrived(parts, "wang", "203.0.113.7")
    _grant(parts)
    return Somewhere(
        parts=parts, site=site, point=point, paper=paper, lease=_take_along(everyone, point),
        code=code, gone=gone, everyone=everyone,
        admin=badge(parts, site, "sunny", "admin", "administrator"),
    )  # fmt: skip


def _give(visitor: Visitor, point: Point) -> str:
    """Fill in a form of the point; return the receipt's code."""
    page = read(visitor, f"/c/sunny/{point.point}")
    page = page.send(page.form(), step="authorise")
    given = [box for box in page.form().boxes if box != ("act", "guardian")]
    page = page.send(page.form(), *given, step="fields")
    return page.send(page.form(), step="send", **TYPED).value("code")


def _grant(parts: Parts) -> None:
    """Give who has every role a grant to open what the point took."""
    now, ref = parts.now(), parts.standard.ref
    with parts.database.write() as tx:
        who = staff.by_login(tx, "sunny", "all")
        second, _ = staff.add_staff(
            tx, parts.log, standard_ref=ref, org="jinan", login="zhao", roles=("approver",), now=now,
            once=passwords.once(),
        )  # fmt: skip
        asked = grants.request(
            tx, parts.standard, who, source="sunny", purpose="personnel", form="masked",
            circumstances=("residential-entry",), subjects=50, case=None, reason="gate duty",
            until=now + timedelta(days=7), now=now,
        )  # fmt: skip
        grants.decide(
            tx, parts.log, parts.keys, standard_ref=ref, org="sunny", grant=asked.grant, by=second,
            approve=True, now=now,
        )  # fmt: skip


def _take_along(visitor: Visitor, point: Point) -> str:
    """Take the point along; return the lease's code."""
    sheet = read(visitor, "/console/offline")
    return sheet.send(sheet.with_field("point"), point=point.point).path.rpartition("/")[2]


def _key_in(visitor: Visitor, paper: Point) -> None:
    """Key in a page of paper with its photograph."""
    sheet = read(visitor, f"/console/sheets/{paper.point}")
    form, file = sheet.with_field("book"), io.BytesIO()
    Image.new("RGB", (900, 1200), "#eee").save(file, "JPEG")
    acts = [value for _, value in form.boxes if value != "guardian"]
    data = {**dict(form.values), **HEAD, **ROW_1, "act": acts}
    answer = visitor.post(
        form.action, data=data, files={"photo": ("page.jpg", file.getvalue(), "image/jpeg")}
    )
    assert answer.is_redirect, answer.text
