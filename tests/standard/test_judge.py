"""What the standard says to forms that others designed."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from epilock.collect.design import read_design
from epilock.errors import InputError
from epilock.standard import load
from epilock.standard.judge import ALLOWED, REFUSED, UNNAMED, judge
from epilock.standard.synonyms import META, Synonyms

FORMS = Path(__file__).parents[1] / "data" / "forms"
EXPECTED = json.loads((FORMS / "expected.json").read_text("utf-8"))


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One field of a form, made up."""

    label: str
    field: str = "f"
    context: str = ""
    translations: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    category: str = ""
    coded: str = ""
    otherwise: str = ""
    image: bool = False
    follows: str = ""
    required: bool = False


def one(circumstance, level, **field):
    """Return the judgement of a form with one field."""
    return judge(load(), [Asked(**field)], circumstance, level)[0]


class TestForms:
    """Whole forms, with the verdicts that were expected of them."""

    @pytest.mark.parametrize("form", EXPECTED, ids=lambda f: f["file"])
    def test_sheet(self, form):
        fields = read_design(FORMS / form["file"]).fields
        found = judge(load(), fields, form["circumstance"], form["level"])
        assert [(j.field, j.category, j.verdict) for j in found] == [
            (c["header"], c["category"], c["verdict"]) for c in form["columns"]
        ]

    def test_who(self):
        """WHO's form asks nothing of an investigation that the standard does not list."""
        fields = read_design(FORMS / "who-crf-2020-2.json").fields
        found = {j.field: j for j in judge(load(), fields, "epi-investigation", "IV")}
        assert {j.verdict for j in found.values()} == {ALLOWED, META}
        assert found["report_country_other"].verdict == META
        assert found["patinfo_resadmin0_other"].category == "contact.area"
        assert found["comorbidity_other"].category == "health.history"
        assert found["expo_travel_city"].category == "location.travel-history"

    def test_who_at_a_gate(self):
        """The same form at the gate of a compound is refused nearly whole."""
        fields = read_design(FORMS / "who-crf-2020-2.json").fields
        found = judge(load(), fields, "residential-entry", "IV")
        assert sum(j.verdict == REFUSED for j in found) > 50

    def test_order_and_names(self):
        """Every field is answered once, in the form's order, under its own name."""
        fields = read_design(FORMS / "returnees.csv").fields
        found = judge(load(), fields, "arrival", "III")
        assert [(j.field, j.label) for j in found] == [(f.field, f.label) for f in fields]


class TestStrictest:
    """One field that asks several things is as bad as the worst of them."""

    def test_compound(self):
        judged = one("residential-entry", "II", label="姓名、身份证号及住址")
        assert (judged.verdict, judged.category) == (REFUSED, "identity.resident-id")
        assert judged.also == ("identity.name", "contact.address")
        assert "其中“居民身份证号”“详细住址”不可以问：拆开" in judged.advice.zh

    @pytest.mark.parametrize("label", ["身份证号 姓名", "姓名　身份证号", "体温 姓名 身份证号"])
    def test_a_blank_hides_nothing(self, label):
        judged = one("residential-entry", "II", label=label)
        assert (judged.verdict, judged.category) == (REFUSED, "identity.resident-id")
        assert "identity.name" in judged.also

    @pytest.mark.parametrize("first", ["", "姓名\n", "姓名 "])
    @pytest.mark.parametrize("blank", [" ", "　", "\n", "\n\n"])
    @pytest.mark.parametrize("asked", ["请上传人脸照片", "银行卡号", "居(村)委会"])
    def test_a_consent_hides_nothing(self, first, blank, asked):
        """What follows "I have read and agree" is asked, in the same line or the next."""
        label = f"{first}我已阅读并同意{blank}{asked}"
        assert one("residential-entry", "II", label=label).verdict == REFUSED

    def test_a_consent_is_no_question(self):
        """What it names itself is what is consented to; what stands in a list behind it is asked."""
        label = "我已阅读并同意收集姓名和住址"
        assert one("residential-entry", "II", label=label).verdict == META
        label = "监护人知情同意、银行卡号、宗教信仰"
        assert one("residential-entry", "II", label=label).verdict == REFUSED

    def test_a_line_s_word_is_kept(self):
        """Where the lines closed up would say less than they do one by one."""
        judged = one("residential-entry", "II", label="orf1ab\n基因组")
        assert "biometric.gene" in (judged.category, *judged.also)

    def test_no_forbidden_field_beside_an_allowed_one_is_allowed(self):
        """By the standard's own names, with a blank between, in both orders and at every circumstance."""
        standard = load()
        for where in standard.circumstances:
            names = {c: standard.categories[c].name.zh for c in standard.categories}
            leave = {c for c in names if standard.ask(where, c, "II").allowed}
            pairs = [(a, b) for a in leave for b in names if b not in leave]
            asked = [
                Asked(label=label, field=label)
                for a, b in pairs
                for label in (f"{names[a]} {names[b]}", f"{names[b]}　{names[a]}")
                if not _takes_in(a, b)
            ]
            found = {j.label for j in judge(standard, asked, where, "II") if j.verdict == ALLOWED}
            assert found == set()

    def test_half_unnamed(self):
        judged = one("arrival", "IV", label="目的地及事由")
        assert (judged.verdict, judged.category) == (UNNAMED, None)

    def test_translation(self):
        """What only one language of a form asks is asked."""
        judged = one("venue-check-in", "III", label="手机号", translations=("ID card number",))
        assert (judged.verdict, judged.category) == (REFUSED, "identity.resident-id")

    def test_badge(self):
        """A harmless category on a question for an identity number hides nothing."""
        judged = one("residential-entry", "II", label="身份证号", category="identity.name")
        assert (judged.verdict, judged.category) == (REFUSED, "identity.resident-id")
        assert "登记为“姓名”" in judged.advice.zh

    def test_declared(self):
        """A declared category counts where the words say nothing of their own."""
        judged = one("residential-entry", "II", label="请填写", category="identity.name")
        assert (judged.verdict, judged.category) == (ALLOWED, "identity.name")

    def test_no_such_category(self):
        judged = one("school", "IV", label="体温", category="health.temperatur")
        assert (judged.verdict, judged.rule) == (UNNAMED, "form/no-such-category")
        assert "health.temperature" in judged.advice.en


class TestAdvice:
    """What would be allowed instead."""

    def test_later_level(self):
        judged = one("residential-entry", "II", label="住址")
        assert judged.rule == "level/residential-entry/contact.address/I"
        assert judged.advice.en.startswith(
            "Only as an optional question. It may be asked from Level I on."
        )

    def test_stricter_form(self):
        """Where the street is enough, the address is refused for it."""
        judged = one("health-code", "III", label="住址")
        assert judged.advice.en.startswith("Ask for Area of residence")

    def test_optional(self):
        """What is allowed only as optional must not be required."""
        judged = one("residential-entry", "I", label="住址", required=True)
        assert (judged.verdict, judged.optional) == (ALLOWED, True)
        assert "选填" in judged.advice.zh
        assert one("residential-entry", "I", label="住址").advice.zh == ""

    def test_unknown(self):
        judged = one("residential-entry", "II", label="政治面貌")
        assert judged.rule == "form/category-not-named"
        assert "体温" in judged.advice.zh

    def test_nothing_allowed(self):
        """At normal times a gate writes nothing down."""
        assert one("residential-entry", "N", label="姓名").verdict == REFUSED
        assert "nothing" in one("residential-entry", "N", label="政治面貌").advice.en

    def test_ended(self):
        assert one("residential-entry", "E", label="姓名").verdict == REFUSED


class TestHints:
    """What a type says, and what leans on another question."""

    def test_type_collects(self):
        judged = one("supplies", "III", label="Where do you live?", category="location.precise")
        assert (judged.verdict, judged.category) == (REFUSED, "location.precise")

    def test_metadata(self):
        assert one("supplies", "III", label="start", category=META).verdict == META

    def test_other_names(self):
        """The name of a question speaks only where its label says nothing."""
        assert (
            one("staffing", "N", label="Q1", wordings=("mobile_no",)).category == "contact.mobile"
        )
        assert one("staffing", "N", label="姓名", wordings=("sfzh",)).category == "identity.name"
        assert one("staffing", "N", label="备注", wordings=("name",)).verdict == UNNAMED

    def test_suggestion(self):
        assert one("supplies", "III", label="?", otherwise="image.scene").category == "image.scene"
        assert one("supplies", "III", label="x1", otherwise=META).verdict == META

    def test_picture(self):
        """A picture of an identity card is more than its number."""
        judged = one("arrival", "IV", label="身份证", image=True)
        assert (judged.verdict, judged.category) == (REFUSED, "image.id-document")

    def test_follow_up(self):
        """A follow-up follows the question it names, not the one above it."""
        fields = [
            Asked(field="a", label="症状"), Asked(field="b", label="姓名"),
            Asked(field="c", label="其他请说明", follows="a"), Asked(field="d", label="如有请注明"),
        ]  # fmt: skip
        found = judge(load(), fields, "quarantine", "III")
        assert [j.category for j in found[2:]] == ["health.symptoms", "health.symptoms"]

    def test_follow_up_of_nothing(self):
        assert one("quarantine", "III", label="其他请说明").verdict == UNNAMED


class TestCodes:
    """Table and standard speak of the same things."""

    def test_categories(self):
        assert set(Synonyms.load().categories) == set(load().categories)

    def test_circumstances(self):
        named = {c for s in Synonyms.load()._words.values() for c in s.at}
        assert named <= set(load().circumstances)

    def test_pictures(self):
        pictures = Synonyms.load().pictures
        assert {*pictures, *pictures.values()} <= set(load().categories)

    @pytest.mark.parametrize(
        ("circumstance", "level"), [("schol", "IV"), ("school", "V"), ("", "I")]
    )
    def test_unknown(self, circumstance, level):
        """The answer to a wrong code lists the right ones."""
        with pytest.raises(InputError, match="there are"):
            judge(load(), [], circumstance, level)


def sheet(*labels, circumstance="quarantine", level="II"):
    """Return the categories of a sheet's columns."""
    asked = [Asked(label=label, field=f"c{n}") for n, label in enumerate(labels)]
    return [j.category for j in judge(load(), asked, circumstance, level)]


class TestNeighbours:
    """A bare telephone or relation beside another person's name is that person's."""

    def test_second_telephone(self):
        kin = "contact.emergency-contact"
        found = sheet("姓名", "电话", "紧急联系人", "与本人关系", "电话")
        assert found == ["identity.name", "contact.mobile", kin, kin, kin]
        assert sheet("Name", "Phone", "Next of kin", "Phone")[2:] == [kin, kin]

    def test_first_telephone(self):
        """The first telephone of a form is its person's own, where the circumstance has a use for it."""
        assert sheet("姓名", "紧急联系人", "电话")[2] == "contact.mobile"
        assert (
            sheet("学生姓名", "家长姓名", "联系电话", circumstance="school")[2] == "family.guardian"
        )

    def test_person_with_telephone(self):
        """Who has given a telephone already does not take the next one."""
        assert sheet("姓名", "手机", "家长电话", "手机号")[3] == "contact.mobile"


class TestCoded:
    """A terminology's code counts before the group, after the label's own words."""

    @pytest.mark.parametrize(
        ("label", "category"), [("Value", "health.temperature"), ("Cough?", "health.symptoms")]
    )
    def test_code(self, label, category):
        field = {"label": label, "context": "Travel history", "coded": "health.temperature"}
        assert one("fever-clinic", "II", **field).category == category


def _takes_in(a, b):
    """Tell whether one is a person or place that takes in the other: "家长 电话" is the guardian."""
    holders = Synonyms.load().holders
    return any(o in holders[h].absorbs for h, o in ((a, b), (b, a)) if h in holders)
