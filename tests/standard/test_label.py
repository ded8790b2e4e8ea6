"""What a label asks for: the promises of the synonym table, on wordings it was not written from."""

import re
import tomllib
from collections import defaultdict
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.errors import StandardFileError
from epilock.standard import label as label_
from epilock.standard import load
from epilock.standard.label import (
    MAX_LABEL,
    MAX_LOOK_UPS,
    MAX_PIECES,
    MAX_ROW,
    UNKNOWN,
    Match,
    Reader,
    guess,
    is_day,
    things,
)
from epilock.standard.parting import _end, close
from epilock.standard.synonyms import _GAP, SPECIAL, Synonyms

TABLE = resources.files("epilock.standard") / "synonyms.toml"
HEADERS = Path(__file__).parents[1] / "data" / "forms" / "headers.tsv"


def read_headers() -> list[tuple[str, str, str]]:
    """Return (circumstance, header, expected) of the labelled list."""
    lines = HEADERS.read_text("utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]  # type: ignore[misc] # three columns, as the next test shows


def test_the_standard_s_own_names_are_understood_everywhere():
    """A form that asks in the standard's words is never told that they are unknown, or mean another thing."""
    standard = load()
    wrong = {
        (where, category.code, name)
        for where in standard.circumstances
        for category in standard.categories.values()
        for name in (category.name.zh, category.name.en)
        if guess(name, circumstance=where).parts != (category.code,)
    }
    assert wrong == set()


class TestLabelledHeaders:
    """Headers labelled by hand before any run, in both languages and at every circumstance."""

    def test_the_list_itself(self):
        """At least 1,650 headers, each with three columns and an answer the standard has."""
        headers = read_headers()
        assert len(headers) >= 1_650
        answers = {e for _, _, e in headers} - {"meta", "unknown"}
        assert answers <= set(Synonyms.load().categories)

    def test_accuracy(self):
        """98 of 100 are read as they were labelled; where several are asked, one of them."""
        wrong = []
        for circumstance, header, expected in read_headers():
            match = guess(header, circumstance=circumstance)
            found = set(match.parts) or {"meta" if match.meta else "unknown"}
            if expected not in found:
                wrong.append((header, expected, found))
        assert len(wrong) <= 0.02 * len(read_headers()), wrong

    def test_nothing_personal_is_waved_through(self):
        """No header that asks something personal is taken for one that asks nothing."""
        waved = [
            (header, expected)
            for circumstance, header, expected in read_headers()
            if expected != "meta" and guess(header, circumstance=circumstance).meta
        ]
        assert waved == []


class TestPersons:
    """Another person's name and telephone are that person; the rest stays what it is."""

    @pytest.mark.parametrize(
        ("label", "match"),
        [
            ("学生姓名", Match("identity.name")),
            ("家长姓名及电话", Match("family.guardian")),
            ("学生姓名及家长电话", Match("identity.name", also=("family.guardian",))),
            ("家长工作单位", Match("work.employer", also=("family.guardian",))),
            ("监护人身份证号", Match("identity.resident-id", also=("family.guardian",))),
            ("联系方式（家长）", Match("contact.mobile", also=("family.guardian",))),
            ("紧急联系人姓名、电话", Match("contact.emergency-contact")),
            ("Parent/guardian name and mobile", Match("family.guardian")),
            ("Phone number of next of kin", Match("contact.emergency-contact")),
            ("密切接触者姓名", Match("tracing.close-contacts")),
            ("紧急联系人及与本人关系", Match("contact.emergency-contact")),
            ("Emergency contact relationship", Match("contact.emergency-contact")),
            ("家长单位", Match("work.employer", also=("family.guardian",))),
            ("采样员姓名", Match(meta=True)),
            ("被采样人姓名", Match("identity.name")),
            ("志愿者编号", UNKNOWN),
            ("同住人健康状况", Match("health.symptoms", also=("family.household",))),
        ],
    )
    def test_person(self, label, match):
        if label == "联系方式（家长）":
            assert set(guess(label).parts) == set(match.parts)
        else:
            assert guess(label) == match


class TestCompounds:
    """Things joined are several; words in a row are one, named by its head."""

    @pytest.mark.parametrize(
        ("label", "parts"),
        [
            ("姓名及电话", ("identity.name", "contact.mobile")),
            ("姓名、身份证号、住址", ("identity.name", "identity.resident-id", "contact.address")),
            ("Name / phone", ("identity.name", "contact.mobile")),
            ("身份证姓名", ("identity.name",)),
            ("身份证住址", ("contact.address",)),
            ("健康码手机号", ("contact.mobile",)),
            ("身份证照片", ("image.id-document",)),
            ("体温（如发热请填身份证号）", ("health.temperature",)),
            ("基本信息（姓名、身份证号）", ("identity.name", "identity.resident-id")),
            ("Date of vaccination", ("health.vaccination",)),
            ("体\n温", ("health.temperature",)),
            ("紧急\n联系人", ("contact.emergency-contact",)),
            ("姓名\n电话", ("identity.name", "contact.mobile")),
            ("体温\n（℃）", ("health.temperature",)),
            ("Name of employer", ("work.employer",)),
        ],
    )
    def test_parts(self, label, parts):
        assert guess(label).parts == parts

    def test_half_unnamed(self):
        """A known thing beside an unnamed one does not make the other known."""
        match = guess("事由及目的地")
        assert match.parts == ("location.travel-history",)
        assert match.unnamed

    @pytest.mark.parametrize(
        ("label", "parts"),
        [
            ("身份证号 姓名", ("identity.resident-id", "identity.name")),
            ("身份证号　姓　名", ("identity.resident-id", "identity.name")),
            ("家庭住址 手机号 姓名", ("contact.address", "contact.mobile", "identity.name")),
            ("1. 姓名 2. 身份证号", ("identity.name", "identity.resident-id")),
            ("身份证号 - 姓名", ("identity.resident-id", "identity.name")),
            ("身份证号 ID No. 姓名 Name", ("identity.resident-id", "identity.name")),
            ("身份证号 name", ("identity.resident-id", "identity.name")),
            ("身份证 姓名", ("identity.resident-id", "identity.name")),
            ("身份证 复印件 姓名", ("image.id-document", "identity.name")),
            ("基本信息（姓名 身份证号）", ("identity.name", "identity.resident-id")),
            ("是否去过 武汉 身份证号", ("location.travel-history", "identity.resident-id")),
            ("姓名 男/女", ("identity.name", "identity.sex")),
            ("国家、证号", ("identity.nationality", "identity.resident-id")),
            ("银行卡号、微信号", ("finance.bank-account", "online.account")),
            ("家长姓名 电话", ("family.guardian",)),
            ("是否 发热", ("health.symptoms",)),
            ("联系 电话", ("contact.mobile",)),
            ("姓 名", ("identity.name",)),
            ("身份 证号", ("identity.resident-id",)),
            ("密 切 接 触 者 姓 名", ("tracing.close-contacts",)),
            ("Full name", ("identity.name",)),
            ("Date of birth", ("identity.birth-date",)),
            ("姓名 Full name", ("identity.name",)),
            ("体温 （早 晚）", ("health.temperature",)),
            ("体温 ℃", ("health.temperature",)),
            ("1. 姓名", ("identity.name",)),
            ("IP 地址", ("online.ip",)),
            ("工作 单位", ("work.employer",)),
            ("性别 男 女", ("identity.sex",)),
            ("身 分證字號", ("identity.resident-id",)),
        ],
    )
    def test_a_blank_parts_things_that_each_have_a_name(self, label, parts):
        """And stands within one thing where the table knows the word around it."""
        assert guess(label).parts == parts

    def test_beside_what_has_no_category(self):
        """What is known beside it stays known, and the rest unnamed."""
        match = guess("身份证号 血型")
        assert (match.parts, match.unnamed) == (("identity.resident-id",), True)


def vocabulary() -> list[tuple[str, str]]:
    """Return (word, category) of every Chinese word that names one by itself, wherever it is asked."""
    table = Synonyms.load()
    words = [(w, s) for w, s in table._words.items() if not w.isascii() and not s.at]
    return sorted((w, s.code) for w, s in words if s.code not in SPECIAL and not s.weak)


def sentences() -> list[str]:
    """Return what forms say of themselves, and what takes in whatever stands in it ("我已阅读…")."""
    data = tomllib.loads(TABLE.read_text("utf-8"))
    open_ = [w for c in data["category"].values() for w in c.get("zh", ()) if _GAP.search(w)]
    words = [*data["meta"]["zh"], *data["none"]["zh"], *open_]
    return sorted({_GAP.sub("以上", w) for w in words if not w.isascii()})


def signs(n: int) -> list[str]:
    """Return ``n`` Chinese characters in no order that makes words, none twice in a row of 20,000."""
    return [chr(0x4E00 + i * 7919 % 20_902) for i in range(n)]


STRONG = vocabulary()
FEW = 8  # look-ups of a label as a whole
SENTENCES = sentences()
BLANKS = st.sampled_from([" ", "　", "  ", "\n", "\n\n", " - ", "_"])
READER = Reader(Synonyms.load())


def lost(a: str, b: str, blank: str) -> set[str]:
    """Return the categories of ``a`` and ``b`` that are not asked by both beside each other.

    A person takes in what is theirs ("家长 电话") and what they are to another, and an account its bank's.
    """
    table, beside = Synonyms.load(), READER.read(f"{a}{blank}{b}").parts
    holder = table.holders.get(READER.read(a).category)
    inside = holder.absorbs if holder else frozenset()
    if holder and "关系" in b:
        inside |= {READER.read(b).category}
    return {c for label in (a, b) for c in READER.read(label).parts} - set(beside) - inside


class TestNothingHides:
    """Two questions with only a blank between them are judged as two."""

    def test_of_the_standard_s_names(self):
        """Each category beside each other one, in both orders."""
        names = [c.name.zh for c in load().categories.values()]
        pairs = [(a, b) for a in names for b in names if a != b]
        hidden = [(a, b) for a, b in pairs if lost(a, b, " ")]
        assert hidden == []

    @settings(max_examples=600)
    @given(
        a=st.sampled_from(STRONG),
        b=st.sampled_from(STRONG),
        blank=BLANKS,
    )
    def test_of_all_its_words(self, a, b, blank):
        assert lost(a[0], b[0], blank) == set()

    @settings(max_examples=600)
    @given(said=st.sampled_from(SENTENCES), word=st.sampled_from(STRONG), blank=BLANKS)
    def test_behind_what_a_form_says_of_itself(self, said, word, blank):
        """Nor where a sentence would take in all that follows it."""
        assert lost(said, word[0], blank) == set()
        between = READER.read(f"姓名{blank}{said}{blank}{word[0]}").parts
        assert {"identity.name", *READER.read(f"{said}{blank}{word[0]}").parts} <= {*between}

    @settings(max_examples=300)
    @given(word=st.sampled_from(STRONG))
    def test_a_blank_within_a_word_hides_nothing(self, word):
        """Wherever it stands between its characters, the word asks what it asks."""
        label, code = word
        for broken in {re.sub(f"^(.{{{n}}}[一-鿿]) ?(?=[一-鿿])", r"\1 ", label) for n in range(9)}:
            assert code in READER.read(broken).parts

    def test_of_many(self):
        """Nor in a label of more pieces than are put together."""
        words = [w for w, _ in STRONG[:: len(STRONG) // MAX_PIECES]]
        label = " ".join((*words, "我已阅读并同意", "宗教信仰"))
        asked = {c for w in words for c in READER.read(w).parts}
        asked -= {"identity.name"}  # which the person before takes in
        assert {*asked, "belief.religion"} <= {*READER.read(label).parts}


class TestPace:
    """What is looked up does not grow with the blanks of a form, whatever stands between them."""

    def test_a_label_all_blanks(self):
        """It is looked up a few times as a whole, not at each of its blanks."""
        reader = Reader(Synonyms.load())
        reader.read(" ".join(signs(MAX_LABEL // 2)))
        assert len(reader.looked_up) <= FEW

    def test_a_label(self):
        """Of as many pieces as are put together: some ten look-ups a piece."""
        reader = Reader(Synonyms.load())
        reader.read(" ".join(signs(MAX_PIECES)))
        assert len(reader.looked_up) <= 12 * MAX_PIECES

    def test_a_form(self):
        """Its look-ups have an end, behind which each label costs a few."""
        reader, asked = Reader(Synonyms.load()), signs(500 * 40)
        for n in range(500):
            reader.read(" ".join(asked[n * 40 : n * 40 + 40]))
        assert len(reader.looked_up) <= MAX_LOOK_UPS + 12 * MAX_PIECES + 500 * FEW

    def test_a_row(self, monkeypatch):
        """A row of more questions than a form has is parted at each blank, and a paste has an end too."""
        reader = Reader(Synonyms.load())
        monkeypatch.setattr(label_, "Reader", lambda _: reader)
        asked = signs(10_000)
        assert things([" ".join(asked)]) == asked
        assert len(reader.looked_up) <= FEW
        things(" ".join(asked[n : n + 400]) for n in range(0, len(asked), 400))
        assert len(reader.looked_up) <= MAX_LOOK_UPS + 12 * MAX_ROW

    def test_brackets(self):
        """Compared with the brackets beside it only, each blank still is within or without."""
        pieces = READER.parting.pieces("姓名（甲 乙） 电话（丙 丁） 住址 （戊 己） 体温")
        assert [text for _, text in pieces] == [
            "姓名（甲 乙）", "电话（丙 丁）", "住址 （戊 己）", "体温",
        ]  # fmt: skip

    def test_end(self):
        """Of what is long only the end is closed."""
        assert _end("甲" * 500 + " 乙   丙 丁") == "甲甲甲甲甲乙丙丁"
        assert _end("姓 名") == close("姓 名")


class TestMeta:
    """Only a label that says nothing else holds nothing personal."""

    @pytest.mark.parametrize(
        "label",
        [
            "日期",
            "序号",
            "登记日期",
            "填表时间",
            "Date",
            "Serial no.",
            "Form ID",
            "Submission date",
        ],
    )
    def test_meta(self, label):
        assert guess(label) == Match(meta=True)

    @pytest.mark.parametrize(
        "label",
        [
            "结婚日期",
            "探亲时间",
            "备注",
            "事由",
            "Wedding date",
            "Remarks",
            "ID",
            "宠物编号",
            "Serial killer fan",
            "",
            "?",
            "　",
        ],
    )
    def test_unknown(self, label):
        """A word about form-filling beside an unknown word leaves the label unknown."""
        assert not guess(label).known

    @pytest.mark.parametrize(
        ("label", "not_"),
        [
            ("体温计数量", "health.temperature"),
            ("手机品牌", "contact.mobile"),
            ("Phone model", "contact.mobile"),
        ],
    )
    def test_longer_word_wins(self, label, not_):
        assert not_ not in guess(label).parts


class TestContext:
    """A group tells what its items are about, if their own words do not."""

    @pytest.mark.parametrize(
        ("label", "context", "category"),
        [
            ("Country:", "Case usual place of residency:", "contact.area"),
            (
                "City:",
                "If yes, please specify the places the patient travelled to",
                "location.travel-history",
            ),
            ("Name", "Emergency contact", "contact.emergency-contact"),
            ("Phone", "Details > Emergency contact", "contact.emergency-contact"),
            ("上午", "体温（℃）", "health.temperature"),
            ("姓名", "监护人信息", "family.guardian"),
            ("Body temperature", "Emergency contact", "health.temperature"),
        ],
    )
    def test_group(self, label, context, category):
        assert guess(label, context).category == category

    def test_inherits(self):
        """The field for "other" is whatever the question above it is."""
        match = guess("If Other, please specify:", "Comorbidity or condition present")
        assert match == Match("health.history", inherits=True)

    def test_condition(self):
        """A question that begins "if yes" and names nothing is about what the one before is about."""
        assert guess("如是，请写明哪几天", "体温异常") == Match("health.temperature", inherits=True)
        assert guess("If yes, since when?").inherits
        assert guess("如有发热，请写明日期") == Match("health.symptoms")

    def test_line_numbers(self):
        """What numbers the lines is nobody's, in whatever group."""
        assert guess("序号", "紧急联系人") == Match(meta=True)

    @pytest.mark.parametrize(
        ("label", "circumstance", "category"),
        [
            ("到达时间", "arrival", "location.travel-history"),
            ("到达时间", "venue-check-in", "location.check-in"),
            ("房号", "accommodation", "location.accommodation"),
            ("房号", "residential-entry", "contact.address"),
            ("Room no.", "quarantine", "health.isolation"),
        ],
    )
    def test_place_decides(self, label, circumstance, category):
        """A few words mean different things at different points."""
        assert guess(label, circumstance=circumstance).category == category

    @pytest.mark.parametrize(
        ("label", "day"),
        [
            ("2月3日", True),
            ("第二天", True),
            ("2020-02-03", True),
            ("Day 4", True),
            ("姓名", False),
        ],
    )
    def test_day(self, label, day):
        assert is_day(label) is day


class TestAnyLabel:
    """No label breaks the reader."""

    @given(st.text(max_size=300), st.text(max_size=100))
    def test_any_text(self, label, context):
        assert isinstance(guess(label, context), Match)

    def test_prose(self):
        """A label as long as a letter is not searched for words."""
        assert guess("姓名" * MAX_LABEL) == UNKNOWN


class TestTable:
    """The packaged table, and what a table is refused for."""

    def test_both_languages(self):
        """Every category has words in both languages, and a column name."""
        table = Synonyms.load()
        seen = defaultdict(set)
        for word, sense in table._words.items():
            seen[sense.code].add(word.isascii())
        lacking = {c for c in table.categories if seen[c] != {True, False}}
        assert lacking == set()
        assert {s.code for s in table._codes.values()} >= set(table.categories)

    def test_every_word_is_found(self):
        """Also in the middle of a label, where it is sought by how words begin."""
        table = Synonyms.load()
        for word, sense in table._words.items():
            for text in (word, f"; {word};", f"{word} ;"):
                at = text.index(word)
                assert (at, at + len(word), sense) in table._found(text), text

    def test_a_label_is_searched_once(self):
        """A form is judged as fast as its words are found, however many questions lean on a group."""
        searched = []

        class Counting(Synonyms):
            def find(self, label, text, circumstance):
                searched.append(label)
                return super().find(label, text, circumstance)

        reader = Reader(Counting(made_up(a=["电话"], b=["家长"])))
        for label in ("甲", "电话", "紧急联系人"):
            reader.read(label, "家长")
            reader.says_only(label)
            reader.names_person(label)
        assert sorted(searched) == sorted(["家长", "甲", "电话", "紧急联系人"])

    def test_two_senses(self):
        """A word that stands for two categories is refused, and named."""
        with pytest.raises(StandardFileError, match="體溫"):
            Synonyms(made_up(a=["体温"], b=["體溫"]))

    def test_two_names(self):
        with pytest.raises(StandardFileError, match="tw"):
            Synonyms(made_up(a=["甲"], b=["乙"], codes=["tw"]))

    def test_nothing_left(self):
        with pytest.raises(StandardFileError, match="empty"):
            Synonyms(made_up(a=["*"], b=["乙"]))

    def test_missing_table(self):
        with pytest.raises(StandardFileError, match="missing"):
            Synonyms({"version": "1"})


def made_up(a, b, codes=()):
    """Return the data of a small table."""
    return {
        "version": "1", "fold": {"traditional": "體溫", "simplified": "体温"}, "words": {}, "image": {},
        "filler": {"self": [], "prefixes": [], "inherits": [], "relations": ["关系"], "of_place": [], "conditional": [], "zh": ["的"], "en": ["the"]},
        "meta": {}, "none": {}, "depends": [], "staff": {"zh": [], "en": []}, "swallows": {}, "coding": {},
        "category": {"a": {"zh": a, "codes": codes}, "b": {"zh": b, "codes": codes}},
    }  # fmt: skip
