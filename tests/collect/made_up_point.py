"""A made-up point of a made-up town, for the tests of notice, consent and receipt."""

from dataclasses import dataclass, replace
from typing import Any

from epilock.collect.notice import (
    Contact,
    MandateFacts,
    Notice,
    PointFacts,
    Recipient,
    ThirdParty,
    build,
)
from epilock.standard import Standard
from epilock.standard.text import Text


@dataclass(frozen=True)
class Field:
    id: str
    category: str
    label: Text
    optional: bool = False


NAME = Field("name", "identity.name", Text("姓名", "Name"))
MOBILE = Field("mobile", "contact.mobile", Text("手机号", "Mobile"))
TEMPERATURE = Field("temperature", "health.temperature", Text("体温", "Temperature"))
ADDRESS = Field("address", "contact.address", Text("住址", "Address"), optional=True)
ID_NUMBER = Field("id_number", "identity.resident-id", Text("身份证号", "Resident ID"))
PASSPORT = Field("passport", "identity.passport", Text("护照号", "Passport"))
MEDICATION = Field("medication", "health.medication", Text("用药", "Medication"), optional=True)
SUPPLIES = Field("supplies", "need.supplies", Text("需要什么", "What you need"))

MANDATE = MandateFacts(
    issuer="某市疫情防控指挥部", number="2026年第7号", date="2026-03-01", until="2026-04-30"
)
COURIER = ThirdParty(
    id="swift-feet",
    name=Text("快脚配送", "Swift Feet"),
    contact="0531-80000009",
    purpose="resource-allocation",
    method=Text("送货上门", "delivers to the door"),
    categories=("identity.name", "contact.mobile", "contact.address"),
    until="2026-12-31",
    agreement="a-k3f7q2xw5mza",
    needed=True,
)
FACTS = PointFacts(
    org="sunny-garden",
    organisation=Text("阳光花园社区居委会", "Residents' Committee of Sunny Garden"),
    contact=Contact(
        address="幸福路1号一楼服务台",
        telephone="0531-80000000",
        officer="李安",
        complaints="0531-80000001",
        supervisor="历山区网信办 0531-80000002",
    ),
    point="sunny-garden.k3f7q2",
    point_name=Text("阳光花园东门", "Sunny Garden, East Gate"),
    emergency="jinan/outbreak-7",
    emergency_name=Text("七号疫情", "Outbreak 7"),
    level="I",
    circumstance="residential-entry",
    method="qr-form",
    media=("vault",),
    fields=(NAME, MOBILE, TEMPERATURE, ADDRESS),
    basis="emergency",
    mandate=MANDATE,
    recipients=(Recipient(range="R3", name=Text("历山区疾控中心", "Lishan CDC")),),
    withdrawal_url="https://epilock.example.cn/r",
)


def made(standard: Standard, *, version: int = 1, **changes: Any) -> Notice:
    """The notice of ``FACTS`` with ``changes``."""
    return build(standard, replace(FACTS, **changes), version=version)


SUPPLIES_POINT: dict[str, Any] = {
    "circumstance": "supplies",
    "level": "III",
    "fields": (NAME, MOBILE, replace(ADDRESS, optional=False), SUPPLIES, MEDICATION),
    "basis": "consent",
    "mandate": None,
    "media": ("vault", "third-party"),
    "third_parties": (COURIER,),
}
SAMPLING_POINT: dict[str, Any] = {
    "circumstance": "sampling",
    "level": "IV",
    "fields": (NAME, ID_NUMBER, PASSPORT, MOBILE),
}
