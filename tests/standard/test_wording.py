"""What the one form of a label promises: spelling never decides what a field is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.standard.synonyms import Synonyms
from epilock.standard.wording import is_mostly_chinese, name_parts, squash

REDUCE = Synonyms.load().wording.reduce


class TestReduce:
    """Ways of writing one thing end in one form."""

    @pytest.mark.parametrize(
        ("written", "reduced"),
        [
            ("１．姓名：", "姓名"),
            ("*姓 名（必填）", "姓名(必填)"),
            ("（3）现居住地址", "现居住地址"),
            ("二、体温", "体温"),
            ("Q2. Phone number", "phone number"),
            ("PRE1. County", "county"),
            ("14天内旅居史", "14天内旅居史"),
            ("體溫（℃）", "体温(c)"),
            ("聯絡電話", "联络电话"),
            ("身分證字號", "身份证字号"),
            ("車次/航班", "车次|航班"),
            ("姓名 Name", "姓名name"),
            ("Child's full name", "child full name"),
            ("Allergies", "allergy"),
            ("Hospitalised?", "hospitalized"),
            ("idCardNo", "id card no"),
            ("patient_name", "patient name"),
            ("E-mail", "e mail"),
            ("<b>体温</b>", "体温"),
            ("Is ${name} ill?", "is ill"),
            ("手\u200b机", "手机"),
        ],
    )
    def test_one_form(self, written, reduced):
        """Numbering, width, script, case, plural, markup and invisible characters go."""
        assert REDUCE(written) == reduced

    @given(st.text(max_size=200))
    def test_any_text(self, text):
        """Whatever is written is reduced, and reducing again changes little: no error, no growth."""
        assert len(REDUCE(text)) <= 20 * len(text) + 1


class TestNames:
    """Names of columns come apart at capitals and underscores."""

    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("t_user_sfzh", ("t", "user", "sfzh")),
            ("idCardNo", ("id", "card", "no")),
            ("XM_1474", ("xm", "1474")),
            ("身份证", ()),
            ("two words", ()),
        ],
    )
    def test_parts(self, name, parts):
        assert name_parts(name) == parts

    def test_squashed(self):
        """Two spellings of one column are one name."""
        assert squash("ID_Card-No") == squash("idCardNo") == "idcardno"


class TestLanguage:
    """Which language a label is read in."""

    @pytest.mark.parametrize(
        ("label", "chinese"),
        [
            ("体温", True),
            ("姓名 Name", True),
            ("Body temperature", False),
            ("", False),
            ("CT值", True),
        ],
    )
    def test_language(self, label, chinese):
        assert is_mostly_chinese(label) is chinese
