"""What the notice promises: all that the law asks to be told, in both languages, as one fixed text."""

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from made_up_point import (
    COURIER,
    FACTS,
    ID_NUMBER,
    MOBILE,
    NAME,
    SAMPLING_POINT,
    SUPPLIES_POINT,
    TEMPERATURE,
    Field,
    made,
)

from epilock.collect import notice, notice_page
from epilock.errors import ForgedError, NoteError
from epilock.ledger.note import Signer, Verifier
from epilock.standard import load
from epilock.standard.level import LEVELS
from epilock.standard.text import Text

STANDARD = load()
SIGNER = Signer.from_seed("epilock.example.cn/notice/sunny-garden", bytes(range(32)))
VECTOR = json.loads((Path(__file__).parent.parent / "vectors/notice.json").read_text())


def section(found: notice.Notice, id_: str) -> str:
    """Both languages of one section as one text."""
    (one,) = [s for s in found.sections if s.id == id_]
    return "\n".join(f"{i.text.zh}\n{i.text.en}" for i in one.items)


def golden() -> notice.Notice:
    """A notice that does not depend on the standard's words, which may be bettered."""
    blank = Text("", "")
    return notice.Notice(
        version=2, standard="2026.1+0123456789abcdef", org=FACTS.org, organisation=FACTS.organisation,
        contact=FACTS.contact, point=FACTS.point, point_name=FACTS.point_name,
        emergency=FACTS.emergency, level="II", circumstance="supplies", method="qr-form",
        media=("vault",), basis="consent", mandate=None, third_parties=(COURIER,),
        withdrawal_url=FACTS.withdrawal_url, languages=("zh", "en"),
        sections=(
            notice.Section(
                id="who", title=Text("谁", "Who"),
                items=(notice.Item(id="a", text=Text("甲", "A"), marks=("required",)),),
            ),
        ),
        fields=(
            notice.FieldNotice(
                id="name", category="identity.name", label=Text("姓名", "Name"), optional=False,
                sensitive=False, why=Text("称呼", "to address you"), necessity=blank, effect=blank,
                without=Text("无", "nothing"),
            ),
        ),
        acts=(),
        kept=(
            notice.Kept(
                retention="r", categories=("identity.name",), days=7, starts="delivery",
                ceiling_days=180, end="destroy", statutory=False, rule="retain/supplies",
                source=("PIPL-19",),
            ),
        ),
        short=(Text("短", "short"),),
    )  # fmt: skip


class TestEveryCircumstance:
    @pytest.mark.parametrize("level", LEVELS)
    @pytest.mark.parametrize("circumstance", sorted(STANDARD.circumstances))
    def test_says_all_of_it(self, circumstance, level):
        """Whatever the standard allows at whatever level can be told: no word or text is missing."""
        asked = [
            Field(c.replace(".", "_").replace("-", "_"), c, STANDARD.categories[c].name)
            for c in STANDARD.categories
            if STANDARD.ask(circumstance, c, level).allowed
        ]
        found = made(STANDARD, circumstance=circumstance, level=level, fields=tuple(asked))
        ids = {s.id for s in found.sections}

        assert {"who", "why", "what", "how", "recipients", "third-parties"} <= ids
        assert {"rights", "minors", "complaints", "version"} <= ids
        assert ("how-long" in ids) == bool(asked)
        for one in found.sections:
            for item in one.items:
                assert item.text.zh.strip()
                assert item.text.en.strip()
                assert re.search("[\u4e00-\u9fff]", item.text.zh)
        assert 1 <= len(found.short) <= 12


class TestWhatIsSaid:
    def test_who_and_where_to_complain(self):
        """PIPL 17 and 52, NDSMR 20: name, address, telephone, officer, own channel, supervisor."""
        found = made(STANDARD)

        for said in (FACTS.organisation.zh, FACTS.contact.address, FACTS.contact.officer):
            assert said in section(found, "who")
        assert FACTS.contact.complaints in section(found, "complaints")
        assert FACTS.contact.supervisor in section(found, "complaints")

    def test_the_order_it_rests_on(self):
        """Issuer, number, date and end (CAC notice of 2020, ERL 83)."""
        why = section(made(STANDARD), "why")

        for said in ("某市疫情防控指挥部", "2026年第7号", "2026-03-01", "2026-04-30", "13(4)"):
            assert said in why

    def test_without_an_order_it_is_consent(self):
        why = section(made(STANDARD, basis="consent", mandate=None), "why")

        assert "您可以不同意" in why
        assert "指挥部" not in why

    def test_sensitive_is_marked_with_necessity_and_effect(self):
        """PIPL 30."""
        (what,) = [s for s in made(STANDARD).sections if s.id == "what"]
        (temperature,) = [i for i in what.items if i.id == "field:temperature"]
        category = STANDARD.categories["health.temperature"]

        assert "sensitive" in temperature.marks
        assert category.necessity.zh in temperature.text.zh
        assert category.effect.en in temperature.text.en

    def test_what_happens_without_it(self):
        """Said for each field: required and optional differ."""
        fields = {f.id: f for f in made(STANDARD).fields}

        assert fields["address"].without != fields["name"].without

    def test_an_id_number_tells_more(self):
        found = made(STANDARD, **(SAMPLING_POINT | {"fields": (NAME, ID_NUMBER)}))

        assert "户籍地" in section(found, "what")
        assert "户籍地" not in section(made(STANDARD), "what")

    def test_nothing_asked_is_said(self):
        assert "什么也不收集" in section(made(STANDARD, fields=(), level="N"), "what")

    def test_who_sees_what_is_what_the_standard_lets_through(self):
        """No range is named that sees nothing, none that sees something is left out."""
        told = section(made(STANDARD), "recipients")

        assert STANDARD.ranges["R1"].name.zh in told
        assert "Lishan CDC" in told
        assert STANDARD.ranges["R2"].name.zh not in told
        assert "主管部门依法检查" in told

    def test_a_venue_does_not_see_its_guests(self):
        """Venue check-in goes to tracing alone."""
        venue = made(STANDARD, circumstance="venue-check-in", level="III", fields=(MOBILE,))

        assert "阳光花园社区居委会" not in section(venue, "recipients")

    def test_each_medium_with_its_conditions(self):
        """Only this system locks each record; paper has its own rules, and they are said."""
        how = section(made(STANDARD, media=("vault", "paper")), "how")

        assert STANDARD.media["paper"].says.zh in how
        assert STANDARD.media["paper"].says.zh not in section(made(STANDARD), "how")

    def test_each_third_party(self):
        """PIPL 23: name, contact, purpose, method, categories; and the agreement (21)."""
        parties = section(made(STANDARD, **SUPPLIES_POINT), "third-parties")

        for said in ("快脚配送", COURIER.contact, "送货上门", COURIER.agreement, COURIER.until):
            assert said in parties
        assert STANDARD.categories["contact.address"].name.zh in parties

    def test_no_third_party_is_said_too(self):
        assert "不交给任何第三方" in section(made(STANDARD), "third-parties")

    @pytest.mark.parametrize("parties", [(), (COURIER,)])
    def test_what_a_courier_gets_is_said_only_where_there_is_one(self, parties):
        point = {**SUPPLIES_POINT, "third_parties": parties}
        assert ("配送方只得到" in section(made(STANDARD, **point), "why")) is bool(parties)

    def test_what_is_optional_is_not_called_indispensable(self):
        optional = replace(TEMPERATURE, optional=True)
        for field, lead in ((TEMPERATURE, "为什么非要不可"), (optional, "为什么问")):
            assert f"{lead}：" in section(made(STANDARD, fields=(NAME, field)), "what")

    def test_each_retention_with_rule_and_source(self):
        """How long, from when, how it ends, by which rule (PIPL 19, NDSMR 21)."""
        found = made(STANDARD)
        told = section(found, "how-long")

        assert {c for k in found.kept for c in k.categories} == {f.category for f in found.fields}
        for kept in found.kept:
            assert kept.rule in told
            assert kept.days is None or str(kept.days) in told

    def test_a_clock_that_starts_with_an_event(self):
        """Delivery starts it, and there is a ceiling if delivery never comes."""
        found = made(STANDARD, **SUPPLIES_POINT)
        (kept,) = {(k.starts, k.days, k.ceiling_days) for k in found.kept}

        assert kept[0] != "collection"
        assert str(kept[2]) in section(found, "how-long")

    def test_decisions_by_machine_only_where_there_are_any(self):
        """PIPL 24: the health code's colour is explained, and reviewed by a person."""
        code = made(STANDARD, circumstance="health-code", level="III", fields=(NAME, MOBILE))

        assert "人工复核" in section(code, "decisions")
        assert "decisions" not in {s.id for s in made(STANDARD).sections}

    def test_withdrawal_is_honest(self):
        """On consent all can be withdrawn; what the law asks for can't, and that is said."""
        assert "随时可以撤回同意" in section(made(STANDARD, **SUPPLIES_POINT), "rights")
        assert "必填的依法收集" in section(made(STANDARD), "rights")


class TestBytes:
    def test_never_change(self):
        """Golden vector: change this and every notice already hashed stops verifying."""
        assert golden().encode().decode() == VECTOR["canonical"]
        assert golden().sha256 == VECTOR["sha256"]

    def test_same_facts_same_bytes(self):
        assert made(STANDARD).encode() == made(STANDARD).encode()

    @pytest.mark.parametrize(
        "changes",
        [
            {"level": "II"},
            {"fields": (NAME, MOBILE)},
            {"basis": "law"},
            {"third_parties": (COURIER,)},
            {"organisation": Text("阳光花园社区居委会", "The Committee")},
        ],
    )
    def test_any_change_is_another_notice(self, changes):
        assert made(STANDARD, **changes).sha256 != made(STANDARD).sha256

    def test_comes_back(self):
        """What was stored and hashed is read back as it was."""
        found = made(STANDARD, **SUPPLIES_POINT)

        assert notice.decode(found.encode()) == found
        assert sha256(found.encode()).hexdigest() == found.sha256

    def test_another_spelling_is_refused(self):
        spaced = json.dumps(json.loads(golden().encode()), ensure_ascii=False).encode()

        for data in (spaced, b"{}", b"\xff", b""):
            with pytest.raises(NoteError):
                notice.decode(data)


class TestSignature:
    def test_verifies(self):
        found = golden()
        signed = notice.sign(found, SIGNER)

        assert signed == VECTOR["signed"]
        notice.verify(found, signed, Verifier.from_vkey(VECTOR["vkey"]))

    def test_of_another_version(self):
        """A signature can't be carried over to other words."""
        signed = notice.sign(golden(), SIGNER)

        with pytest.raises(NoteError, match="another notice"):
            notice.verify(replace(golden(), version=3), signed, SIGNER.verifier)

    def test_of_another_key(self):
        other = Signer.from_seed(SIGNER.name, bytes(32))
        with pytest.raises(NoteError):
            notice.verify(golden(), notice.sign(golden(), other), SIGNER.verifier)

    def test_altered(self):
        signed = notice.sign(golden(), SIGNER).replace("\n2\n", "\n3\n")
        with pytest.raises(ForgedError):
            notice.verify(golden(), signed, SIGNER.verifier)

    def test_fingerprint(self):
        """Golden vector: it is printed on posters."""
        assert notice.fingerprint(SIGNER.verifier.public) == VECTOR["fingerprint"]
        assert re.fullmatch("[a-z2-7]{4}( [a-z2-7]{4}){3}", VECTOR["fingerprint"])


class TestPage:
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_text_and_page_say_the_same(self, language):
        """Every statement, the marks and the hash."""
        found = made(STANDARD)
        text, page = notice_page.text(found, language), notice_page.html(found, language)

        for one in found.sections:
            for item in one.items:
                said = notice_page.say(item.text, language)
                assert said in text
                assert notice_page.in_tongues(said, language) in page
        assert found.sha256 in text
        assert found.sha256 in page
        assert ("敏感" if language == "zh" else "sensitive") in text

    def test_what_is_written_once_in_chinese_says_so_on_an_english_page(self):
        """Or an English voice reads an address that nobody understands."""
        said = "Address: 幸福路1号一楼服务台; telephone: 0531-80000000 & <more>."
        marked = '<span lang="zh-CN">幸福路1号一楼服务台</span>'
        assert notice_page.in_tongues(said, "en") == (
            f"Address: {marked}; telephone: 0531-80000000 &amp; &lt;more&gt;."
        )
        assert "<span" not in notice_page.in_tongues(said, "zh")

    def test_what_an_organisation_wrote_is_escaped(self):
        """A name is text, never markup."""
        found = made(STANDARD, organisation=Text("<script>alert(1)</script>", "<b>A</b>"))

        for language in ("zh", "en"):
            page = notice_page.html(found, language)
            assert "<script" not in page
            assert "<b>" not in page
            assert "style=" not in page
