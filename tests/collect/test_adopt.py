"""A form of others keeps its sense when it is adopted: each question can be answered as it is asked, or left empty."""

import json

import pytest

from epilock.collect.adopt import adopt
from epilock.standard import load


def questionnaire(*items):
    said = [{"linkId": f"q{n}", "required": True, **item} for n, item in enumerate(items, 1)]
    return json.dumps({"resourceType": "Questionnaire", "item": said}).encode()


def fields(*items):
    """The fields that become of the questions ``items``, in an investigation."""
    content = questionnaire(*items)
    return adopt(
        load(), content, ".json", circumstance="epi-investigation", method="interview"
    ).fields


def options(*displays):
    return [{"valueCoding": {"display": each}} for each in displays]


class TestAdopt:
    @pytest.mark.parametrize(
        "item",
        [
            {"type": "date", "text": "Date of the PCR test"},
            {"type": "string", "text": "Test result: if other, please specify"},
            {"type": "choice", "text": "Test result", "answerOption": options("Contact", "Traveller")},
            {"type": "choice", "text": "Test result", "answerOption": options("Positive", "Other")},
        ],
    )  # fmt: skip
    def test_what_its_category_s_list_does_not_answer_is_answered_in_words(self, item):
        (field,) = fields(item)
        assert (field.category, field.words) == ("health.test-result", True)

    @pytest.mark.parametrize(
        "item",
        [
            {"type": "choice", "text": "Test result"},  # of a list that stands elsewhere
            {"text": "Test result"},
            {"type": "choice", "text": "Test result", "answerOption": options("Positive", "Negative")},
            {"type": "choice", "text": "核酸检测结果", "answerOption": options("阳性", "阴性")},
        ],
    )  # fmt: skip
    def test_what_it_answers_is_chosen_from_it(self, item):
        (field,) = fields(item)
        assert (field.category, field.words) == ("health.test-result", False)

    def test_a_category_without_a_list_is_asked_as_ever(self):
        (field,) = fields({"type": "date", "text": "Symptoms began on"})
        assert not field.words

    @pytest.mark.parametrize(
        ("item", "optional"),
        [
            ({"text": "Symptoms"}, False),
            ({"text": "Symptoms", "enableWhen": [{"question": "q0"}]}, True),
            ({"text": "If symptoms began, on which day"}, True),
        ],
    )
    def test_what_depends_on_another_answer_may_be_left_empty(self, item, optional):
        (field,) = fields({"type": "string", **item})
        assert field.optional is optional
