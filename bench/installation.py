"""An installation to measure: one compound, one gate, a form of four fields. ``python -m bench.installation HOME PORT``."""

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from epilock import assemble, settings
from epilock.assemble import Parts
from epilock.collect import issue
from epilock.collect.form import Form
from epilock.collect.point import Field, Plan, listing
from epilock.registry import emergency, mandate, organisation
from epilock.standard.text import Text
from epilock.web.serve import serve

ASKED = {
    "name": "identity.name",
    "mobile": "contact.mobile",
    "temperature": "health.temperature",
    "check_in": "location.check-in",
}
CONTACT = dict.fromkeys(organisation.CONTACT, "made up")


def make(home: Path, *, database: str | None = None, keys: str | None = None) -> Parts:
    """Return a new installation with an open point."""
    environ = {}
    if database and keys:
        environ = {"EPILOCK_DATABASE": database, "EPILOCK_KEY_DATABASE": keys}
    parts = assemble.found(settings.read(environ, home=home), now=lambda: datetime.now(UTC))
    now, ref = parts.now(), parts.standard.ref
    today = date.today()  # noqa: DTZ011 - any day will do
    with parts.database.write() as tx:
        for org, kind, range_ in (("city", "government", "R4"), ("garden", "compound", "R1")):
            organisation.register(
                tx, parts.log, standard_ref=ref, org=org, kind=kind, range_=range_, parent=None,
                area="370102", name=Text("甲", "A"), contact=CONTACT, now=now,
                notice_key=parts.notice_signer(org).vkey,
            )  # fmt: skip
        emergency.declare(
            tx, parts.log, standard_ref=ref, authority="city", emergency="outbreak",
            kind="public-health", area="370102", name=Text("疫情", "Outbreak"), now=now,
        )  # fmt: skip
        emergency.change_level(
            tx, parts.log, standard_ref=ref, authority="city", emergency="outbreak", level="II",
            issuer="City", instrument="1", date_=today, expected_end=None, now=now,
        )  # fmt: skip
        mandate.record_assessment(
            tx, parts.log, standard_ref=ref, org="garden", about="residential-entry", date_=today,
            until=today + timedelta(days=365), sha256="0" * 64, now=now,
        )  # fmt: skip
        fields = tuple(
            Field(id=i, category=c, label=parts.standard.categories[c].name, optional=False)
            for i, c in ASKED.items()
        )
        issue.open_with_notice(
            tx, parts.press, org="garden", now=now,
            plan=Plan(
                emergency="city/outbreak", circumstance="residential-entry", fields=fields,
                name=Text("门", "Gate"),
            ),
        )  # fmt: skip
    return parts


def form(parts: Parts) -> Form:
    """Return the compiled form of the installation's only point."""
    with parts.database.read() as tx:
        point = listing(tx, "garden")[0]
        _, issued = issue.in_force(tx, "garden", point.point)
    return issue.form_of(parts.standard, point, issued)


def main() -> None:
    """Serve an installation that ``make`` made."""
    home, port = Path(sys.argv[1]), int(sys.argv[2])
    environ = dict(pair.split("=", 1) for pair in sys.argv[3:])
    parts = assemble.build(settings.read(environ, home=home), now=lambda: datetime.now(UTC))
    try:
        serve(parts, host="127.0.0.1", port=port)
    finally:
        parts.close()


if __name__ == "__main__":
    main()
