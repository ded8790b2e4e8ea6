"""Points for programs: the notice, the acts, the fields. Submissions are taken by ``submit``."""

from fastapi import APIRouter

from epilock.collect import issue
from epilock.collect.identifier import CHOICES
from epilock.errors import ClosedError
from epilock.web.api.model import AskedAct, AskedField, PointNotice, Section, Words
from epilock.web.request import SiteOf

router = APIRouter(prefix="/api/points", tags=["points"])


@router.get("/{org}/{point}")
def get_point(org: str, point: str, site: SiteOf) -> PointNotice:
    """Return a point's notice in force with the acts and fields that a submission needs."""
    with site.parts.database.read(org=org) as tx:
        found, issued = issue.in_force(tx, org, point)
    if found.closed is not None:
        raise ClosedError(f"{point} is closed: it takes nothing more")
    notice, in_words = issued.notice, {f.id for f in found.fields if f.words}
    return PointNotice(
        org=org, point=point, name=Words.of(notice.point_name),
        organisation=Words.of(notice.organisation), level=notice.level,
        circumstance=notice.circumstance, basis=notice.basis, languages=list(found.languages),
        notice=issued.sha256, version=notice.version, signed=issued.signed,
        sections=[
            Section(id=s.id, title=Words.of(s.title), items=[Words.of(i.text) for i in s.items])
            for s in notice.sections
        ],
        acts=[
            AskedAct(id=a.id, kind=a.kind, consent=a.consent, required=a.required, text=Words.of(a.text))
            for a in notice.acts
        ],
        fields=[
            AskedField(
                id=f.id, category=f.category, label=Words.of(f.label), optional=f.optional,
                sensitive=f.sensitive, why=Words.of(f.why),
                choices=[] if f.id in in_words else [c.code for c in CHOICES.get(f.category, ())],
            )
            for f in notice.fields
        ],
    )  # fmt: skip
