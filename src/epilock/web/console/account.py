"""Accounts of an organisation and their roles; for its administrator, who can open no record."""

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from epilock.accounts import administer, staff
from epilock.accounts.staff import Staff
from epilock.errors import ConflictError, EpilockError
from epilock.web.console import listing, proof
from epilock.web.console.desk import RIGHTS, CheckedForm, Desk, DeskOf
from epilock.web.console.listing import Filter, Plan
from epilock.web.problem import of as problem_of
from epilock.web.request import word, words
from epilock.web.slip import WRONG, Slips, at, status

router = APIRouter(include_in_schema=False, prefix="/console/accounts")
PART = "accounts"
_C = staff.staff.c
_PLAN: Plan[Staff] = Plan(
    path="/console/accounts", table=staff.staff, key=_C.staff, read=staff.read,
    sorts={"login": _C.login, "added": _C.added}, order="login",
    filters={
        "state": Filter(
            where=lambda s: _C.disabled.is_(None) if s == "active" else _C.disabled.is_not(None),
            options=("active", "disabled"),
        ),
        "role": Filter(
            where=lambda role: sa.type_coerce(_C.roles, sa.Text).contains(f'"{role}"'),
            options=staff.ROLES,
        ),
    },
    columns={
        "account": lambda s: s.staff, "roles": lambda s: " ".join(sorted(s.roles)),
        "second_factor": lambda s: "yes" if s.has_factor else "no",
    },
)  # fmt: skip


@router.get("")
def get_accounts(desk: DeskOf) -> Response:
    """Show the accounts and the form that adds one."""
    desk.enter(PART)
    return _page(desk)


@router.post("")
def post_account(desk: DeskOf, form: CheckedForm) -> Response:
    """Add an account; its one-time password is shown on this one page."""
    desk.enter(PART)
    parts, slips = desk.site.parts, Slips()
    login, roles = word(form, "login", most=60), tuple(words(form, "role"))
    with at("login", slips):
        staff.check_login(login)
    with at("role", slips):
        staff.check_roles(roles)
    if slips:
        return _page(desk, slips=slips)
    try:
        with parts.database.write() as tx:
            made, password = staff.add_staff(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, login=login, roles=roles,
                now=desk.site.now(),
            )  # fmt: skip
    except WRONG as error:
        return _page(desk, error)
    return desk.show(
        "account_made.html", here=PART, made=made, password=password, title="console.accounts.made"
    )


@router.post("/{code}/reset")
def post_reset(code: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Give an account a new one-time password, for who forgot theirs or lost the telephone; who asks is proved."""
    desk.enter(PART)
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    parts = desk.site.parts
    with parts.database.write() as tx:
        found = staff.load(tx, desk.org, code)
        password = administer.reset(
            tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, code=code,
            by=desk.session.staff, now=desk.site.now(),
        )  # fmt: skip
    return desk.show(
        "account_made.html",
        here=PART,
        made=found,
        password=password,
        title="console.accounts.was_reset",
    )


@router.post("/{code}")
def post_roles(code: str, desk: DeskOf, form: CheckedForm) -> Response:
    """Give an account other roles; without any, which is asked once more, it is disabled, and its sessions end."""
    desk.enter(PART)
    parts = desk.site.parts
    if not words(form, "role") and not word(form, "sure") and code != desk.who:
        return _page(desk, unsure=code)
    try:
        with parts.database.write() as tx:
            administer.set_roles(
                tx, parts.log, standard_ref=parts.standard.ref, org=desk.org, code=code,
                roles=tuple(words(form, "role")), had=word(form, "had").split(), by=desk.session.staff,
                now=desk.site.now(),
            )  # fmt: skip
    except ConflictError as error:
        return _page(desk, error, stale=True)
    except WRONG as error:
        return _page(desk, error)
    return desk.go("/console/accounts", done="roles" if words(form, "role") else "disabled")


def _reach() -> dict[str, list[str]]:
    """Return for each role the parts of the console that it reaches."""
    return {role: [part for part, may in RIGHTS.items() if role in may] for role in staff.ROLES}


def _page(
    desk: Desk,
    error: EpilockError | None = None,
    *,
    slips: Slips | None = None,
    unsure: str = "",
    stale: bool = False,
) -> Response:
    """Return the list; of the account ``unsure`` is asked whether it is to be disabled, and ``stale`` roles are not shown."""
    with desk.site.parts.database.read(org=desk.org) as tx:
        page = listing.find(tx, _PLAN, desk.query, _C.org == desk.org)
    if page.export:
        return page.file("accounts")
    wrong = None if error is None else problem_of(error)
    roles = [(role, desk.t(f"console.role.{role}")) for role in staff.ROLES]
    return desk.show(
        "accounts.html", here=PART, status=422 if unsure else status(wrong, slips or {}), wrong=wrong,
        slips=slips or {}, unsure=unsure, stale=stale, page=page, roles=roles, reach=_reach(),
    )  # fmt: skip
