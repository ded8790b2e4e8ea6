"""FHIR questionnaires: WHO's own, and those that break the rules."""

import json
from pathlib import Path

import pytest

from epilock.collect.design import read_design
from epilock.errors import FileFormatError, TooLargeError

WHO = Path(__file__).parents[1] / "data" / "forms" / "who-crf-2020-2.json"


def form(*items, **more):
    return json.dumps(
        {"resourceType": "Questionnaire", "status": "active", "item": items, **more}
    ).encode()


def fields(*items):
    return {f.field: f for f in read_design(form(*items), "form.json").fields}


class TestWho:
    """WHO's case report form for confirmed COVID-19, revision 2020-2."""

    def test_read(self):
        design = read_design(WHO)
        assert (design.kind, design.language, len(design.fields)) == ("fhir", "en", 62)

    def test_groups_and_displays_ask_nothing(self):
        ids = {f.field for f in read_design(WHO).fields}
        assert ids.isdisjoint(
            {"instruction", "section_patient_info", "patinfo_placereside", "patcourse_asymp_help"}
        )

    def test_context(self):
        found = {f.field: f for f in read_design(WHO).fields}
        assert (
            found["patinfo_resadmin0"].context
            == "Patient information > Case usual place of residency:"
        )
        assert found["patinfo_resadmin0_other"].follows == "patinfo_resadmin0"
        assert found["outcome_contacts_followed_unknown"].follows == "outcome_contacts_followed"


class TestItems:
    """Items as they come."""

    def test_nested(self):
        """An item under a question continues it and knows its text."""
        found = fields(
            {
                "linkId": "a",
                "type": "choice",
                "text": "Symptoms",
                "item": [{"linkId": "b", "type": "string", "text": "If other"}],
            }
        )
        assert (found["b"].follows, found["b"].context) == ("a", "Symptoms")

    def test_without_type(self):
        """A type may be missing: text asks, items make a group, nothing is nothing."""
        found = fields(
            {"linkId": "x"},
            {"linkId": "g", "text": "Guardian", "item": [{"linkId": "n", "text": "Name"}]},
        )
        assert list(found) == ["n"]
        assert found["n"].context == "Guardian"

    def test_words(self):
        """Translations are asked; codes and definitions only help."""
        found = fields({
            "linkId": "q1", "type": "date", "text": "Q1", "required": True, "code": [{"display": "Birth date"}],
            "definition": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.birthDate",
            "_text": {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/translation", "extension": [
                {"url": "lang", "valueCode": "zh"}, {"url": "content", "valueString": "出生日期"}]}]},
        })  # fmt: skip
        assert found["q1"].translations == ("出生日期",)
        assert found["q1"].wordings == ("Birth date", "q1", "birthDate")
        assert found["q1"].required

    def test_code(self):
        """A code of LOINC or SNOMED CT tells what a label does not; other terminologies are not known."""
        loinc, other = ({"system": s, "code": "8310-5"} for s in ("http://loinc.org", "urn:x"))
        found = fields(
            {"linkId": "a", "type": "quantity", "text": "Value", "code": [other, loinc]},
            {"linkId": "b", "type": "quantity", "text": "Value", "code": [other, {"code": 1}]},
        )
        assert (found["a"].coded, found["b"].coded) == ("health.temperature", "")

    def test_attachment(self):
        field = fields({"linkId": "p", "type": "attachment", "text": "ID card"})["p"]
        assert (field.image, field.otherwise) == (True, "image.scene")

    def test_bundle(self):
        one = {
            "resourceType": "Questionnaire",
            "title": "T",
            "item": [{"linkId": "a", "type": "string", "text": "Name"}],
        }
        bundle = {
            "resourceType": "Bundle",
            "entry": [{"resource": one}, {"resource": {"resourceType": "ValueSet"}}],
        }
        assert read_design(json.dumps(bundle).encode(), "b.json").title == "T"


class TestBroken:
    """One clear error each."""

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"{", "line 1"),
            (b"[]", "Questionnaire"),
            (b'{"resourceType": "Patient"}', "Questionnaire"),
            (b'{"resourceType": "Bundle", "entry": []}', "0 questionnaires"),
            (b'{"resourceType": "Questionnaire"}', "asks nothing"),
            (b'{"resourceType": "Questionnaire", "item": {}}', "no list"),
            (b'{"resourceType": "Questionnaire", "item": [3]}', "no object"),
            (
                b'{"resourceType": "Questionnaire", "item": [{"linkId": "a", "text": 3}]}',
                "'a' is no text",
            ),
            (b"[" * 100_000, "nested"),
            (b'{"a":' * 100_000, "nested"),
            (b'{"a": ' + b"9" * 5_000 + b"}", "JSON"),
            (b'{"a": "\xff"}', "UTF-8"),
        ],
    )
    def test_error(self, content, says):
        with pytest.raises(FileFormatError, match=says):
            read_design(content, "form.json")

    def test_too_deep(self):
        item = {"linkId": "z", "type": "string", "text": "Name"}
        for n in range(60):
            item = {"linkId": str(n), "type": "group", "item": [item]}
        with pytest.raises(TooLargeError, match="deeper"):
            fields(item)

    def test_too_many(self):
        with pytest.raises(TooLargeError, match="2000"):
            fields(*({"linkId": str(n), "type": "string", "text": "x"} for n in range(2_001)))

    def test_too_large(self):
        with pytest.raises(TooLargeError, match="8 MB"):
            read_design(b"[" + b"0," * (5 * 2**20) + b"0]", "form.json")
