"""Made-up residents: the same seed gives the same people; a match with a living person is chance."""

import random
from dataclasses import dataclass
from datetime import date, timedelta

_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜"
_GIVEN = "安宁和平乐康文武明德思远若溪子涵雨桐嘉禾一鸣青山长河秋实春生晓月清风"
_STREETS = ("杏林路", "清河大街", "工人新村", "荷花池街", "北园路")
_WORK = ("清河机械厂", "清和纺织", "城东超市", "第三小学食堂", "公交一公司")
_AREA = "370102"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One made-up resident, with an answer for each category that the demonstration asks."""

    name: str
    resident_id: str
    mobile: str
    birth: date
    child: bool
    answers: dict[str, str]


def people(count: int, *, seed: int, today: date) -> list[Person]:
    """Return ``count`` residents, 3 to 92 years old on ``today``."""
    rng = random.Random(seed)  # noqa: S311 - made-up people need no secrecy
    return [_person(rng, today) for _ in range(count)]


def _person(rng: random.Random, today: date) -> Person:
    name = rng.choice(_SURNAMES) + "".join(rng.choice(_GIVEN) for _ in range(rng.choice((1, 2))))
    birth = today - timedelta(days=rng.randrange(3 * 366, 92 * 365))
    digits = f"{_AREA}{birth:%Y%m%d}{rng.randrange(1000):03d}"
    total = sum(int(d) * w for d, w in zip(digits, _WEIGHTS, strict=True))
    mobile = f"1{rng.choice('35789')}{rng.randrange(10**9):09d}"
    band = (today.year - birth.year) // 10 * 10
    temperature = f"{36 + rng.randrange(9) / 10:.1f}"
    other = f"1{rng.choice('35789')}{rng.randrange(10**9):09d}"
    return Person(
        name=name,
        resident_id=digits + _CHECK[total % 11],
        mobile=mobile,
        birth=birth,
        child=(today - birth).days < 14 * 366,
        answers={
            "identity.name": name,
            "identity.sex": "男" if int(digits[16]) % 2 else "女",
            "identity.birth-date": birth.isoformat(),
            "identity.age-band": f"{band}-{band + 9}",
            "identity.resident-id": digits + _CHECK[total % 11],
            "identity.case-id": f"QH-2026-{rng.randrange(10000):04d}",
            "contact.mobile": mobile,
            "contact.address": f"{rng.choice(_STREETS)}{rng.randrange(1, 200)}号{rng.randrange(1, 30)}单元",
            "contact.area": "清和市城东街道",
            "contact.emergency-contact": f"{rng.choice(_SURNAMES)}安 {other}",
            "family.guardian": f"{name[0]}和 {other}",
            "family.household": f"{name[0]}宁",
            "work.employer": rng.choice(_WORK),
            "work.occupation": rng.choice(("工人", "教师", "司机", "学生", "退休")),
            "education.school": f"清和一中 {rng.randrange(1, 10)}班",
            "health.temperature": temperature,
            "health.symptoms": rng.choice(("无", "咳嗽", "乏力", "无")),
            "health.test-result": rng.choice(("阴性", "阴性", "阴性", "阳性")),
            "health.sample-id": f"S{rng.randrange(10**8):08d}",
            "health.isolation": "居家隔离",
            "health.medication": "无",
            "location.check-in": rng.choice(("东门", "西门", "北门")),
            "location.travel-history": rng.choice(("无", "外省一周", "邻县探亲")),
            "need.supplies": rng.choice(("蔬菜", "大米和油", "药品", "婴儿奶粉")),
            "need.household-size": str(rng.randrange(1, 7)),
            "finance.bank-account": "",
        },
    )
