"""One's own second factors: passkeys, the authenticator with codes, recovery codes.

Rules kept in this file:
  1. What changes a factor asks for a proof first (``proof``), and an account keeps at least one.
  2. A passkey may be the first factor of an account, so these pages open before it is set up; the one-time
     password is changed first.
  3. Recovery codes are shown on the page that answers their making, and on no other.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from epilock.accounts import credentials, passkey
from epilock.errors import ConflictError, EpilockError, InputError, SignInError, StateError
from epilock.web.console import proof
from epilock.web.console.desk import CheckedForm, Desk, DeskOf, ProvedOf, UnfinishedError
from epilock.web.problem import of as problem_of
from epilock.web.request import word

router = APIRouter(include_in_schema=False, prefix="/console/account")
HERE = "/console/account/passkeys"


def settler_of(visitor: ProvedOf) -> Desk:
    """Return the desk of an account whose password is its own (rule 2).

    Raises:
        UnfinishedError: It is the one-time one.
    """
    if visitor.session.staff.must_change:
        raise UnfinishedError("/console/password")
    return visitor


SettlerOf = Annotated[Desk, Depends(settler_of)]


@router.get("/passkeys")
def get_passkeys(desk: SettlerOf) -> Response:
    """Show the passkeys of the account."""
    return _listed(desk)


@router.get("/passkeys/new")
def get_passkey(desk: SettlerOf) -> Response:
    """Show the form that adds a passkey."""
    return proof.missing(desk) or _adding(desk)


@router.post("/passkeys")
def post_passkey(desk: SettlerOf, form: CheckedForm) -> Response:
    """Add the passkey that a device made."""
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    label = word(form, "label", most=100)
    try:
        answer = passkey.read(word(form, "answer", most=passkey.MOST_OCTETS + 1))
        with desk.site.parts.database.write() as tx:
            wrong = proof.spend(tx, desk, answer.challenge, passkey.REGISTER)
            if wrong is not None:
                raise wrong
            passkey.register(
                tx, answer, place=proof.place_of(desk.site), org=desk.org, staff=desk.who,
                label=label, now=desk.site.now(),
            )  # fmt: skip
    except (InputError, ConflictError, SignInError) as error:
        return _adding(desk, label, error)
    return desk.go(HERE, done="passkey")


@router.post("/passkeys/{code}/name")
def post_name(code: str, desk: SettlerOf, form: CheckedForm) -> Response:
    """Call a passkey otherwise."""
    try:
        with desk.site.parts.database.write() as tx:
            passkey.rename(tx, desk.org, desk.who, code, word(form, "label", most=100))
    except InputError as error:
        return _listed(desk, error)
    return desk.go(HERE, done="named")


@router.post("/passkeys/{code}/remove")
def post_removal(code: str, desk: SettlerOf, form: CheckedForm) -> Response:
    """Remove a passkey that is not the last second factor."""
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    try:
        with desk.site.parts.database.write() as tx:
            passkey.remove(tx, desk.org, desk.who, code, has_other=desk.session.staff.has_totp)
    except StateError as error:
        return _listed(desk, error)
    return desk.go(HERE, done="removed")


@router.post("/authenticator/remove")
def post_authenticator(desk: DeskOf, form: CheckedForm) -> Response:
    """Remove the authenticator with codes, for who has a passkey."""
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    with desk.site.parts.database.write() as tx:
        credentials.remove_totp(tx, org=desk.org, code=desk.who)
    return desk.go("/console/account", done="removed")


@router.post("/recovery")
def post_recovery(desk: DeskOf, form: CheckedForm) -> Response:
    """Make new recovery codes, which are shown on this one page; the old ones are void."""
    asked = proof.missing(desk, form)
    if asked is not None:
        return asked
    with desk.site.parts.database.write() as tx:
        codes = credentials.renew_recovery(tx, org=desk.org, code=desk.who)
    return desk.show("recovery_made.html", codes=codes)


def _listed(desk: Desk, error: EpilockError | None = None) -> Response:
    with desk.site.parts.database.read(org=desk.org) as tx:
        keys = passkey.of(tx, desk.org, desk.who)
        signs = desk.has("approver") and desk.site.parts.keys.signed
        carried = {
            k.passkey: passkey.approver(tx, desk.org, desk.who, k.passkey) for k in keys if signs
        }
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "passkeys.html", status=200 if wrong is None else wrong.status, wrong=wrong, keys=keys,
        carried=carried, most=passkey.MOST, longest=passkey.MOST_LABEL, named=proof.place_of(desk.site).is_name,
    )  # fmt: skip


def _adding(desk: Desk, label: str = "", error: EpilockError | None = None) -> Response:
    place = proof.place_of(desk.site)
    with desk.site.parts.database.read(org=desk.org) as tx:
        known = passkey.of(tx, desk.org, desk.who)
    options = passkey.creation(
        place, challenge=proof.question(desk, passkey.REGISTER), org=desk.org, staff=desk.who,
        login=desk.session.staff.login, known=known,
    )  # fmt: skip
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "passkey_new.html", status=200 if wrong is None else wrong.status, wrong=wrong,
        label=label, options=options if place.is_name else "", script=True,
    )  # fmt: skip
