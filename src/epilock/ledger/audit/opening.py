"""Grants, and the openings under them."""

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told, ToldGrant, end, instant
from epilock.standard.text import Text


def _grant(told: Told, _index: int, said: e.Grant) -> None:
    told.grants[said.grant] = ToldGrant(said)


def _grant_revoked(told: Told, index: int, said: e.GrantRevoked) -> None:
    if said.grant in told.grants:
        told.grants[said.grant].revoked = True
    else:
        told.bad("undeclared", f"grant {said.grant}", index)


def _decision(told: Told, index: int, said: e.Decision) -> None:
    if said.grant is None or said.verdict != "opened":
        return
    grant = told.grants.get(said.grant)
    if grant is None:
        told.bad("undeclared", f"grant {said.grant}", index)
        return
    grant.opened.update((record.bucket, record.n) for record in said.records)
    reasons = (
        (grant.revoked, Text("撤销", "was revoked")),
        (instant(said.at) > end(grant.said.until), Text("到期", "had ended")),
        (len(grant.opened) > grant.said.subjects, Text("人数用尽", "was used up")),
        (said.by != grant.said.staff, Text("属于他人而", "is another's")),
    )
    for broken, why in reasons:
        if broken:
            told.bad("grant-misused", f"{said.grant}: {why.en}", index, why=why)


READERS: Readers = {e.Grant: _grant, e.GrantRevoked: _grant_revoked, e.Decision: _decision}
