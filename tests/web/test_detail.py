"""What an error says to people: each sentence of the table is one of the program's, and is found by its shape."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import epilock
from epilock.web import language
from epilock.web.detail import Details
from epilock.web.language import Speaker

PHRASES = language.load()
TABLE = {key: text for key, text in PHRASES.items() if key.startswith("detail.")}
DETAILS = Details(PHRASES)
LANGUAGES = language.languages(PHRASES, language.LANGUAGES)
ZH, EN = (Speaker(PHRASES, LANGUAGES[code]) for code in ("zh", "en"))
PLACE = re.compile(r"\{[a-z_]+\}")


def raised() -> Iterator[str]:
    """Every sentence that the program raises, or returns as an error, its values as ``{}``."""
    for path in Path(next(iter(epilock.__path__))).rglob("*.py"):
        module = ast.parse(path.read_text("utf-8"))
        named = {
            node.targets[0].id: sentence(node.value)
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(module):
            match node:
                case ast.Call(func=ast.Name(id=kind), args=[ast.Name(id=name), *_]):
                    if kind.endswith("Error"):
                        yield named.get(name, "")
                case ast.Call(func=ast.Name(id=kind), args=[first, *_]):
                    if kind.endswith("Error"):
                        yield sentence(first)
                case ast.Raise(exc=ast.Call(args=[first, *_])):
                    yield sentence(first)


def sentence(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=pieces):
            return "".join(sentence(p) if isinstance(p, ast.Constant) else "{}" for p in pieces)
        case _:
            return ""


RAISED = set(raised())


@pytest.mark.parametrize("key", TABLE)
def test_each_sentence_is_one_that_the_program_raises(key):
    """A sentence that is put otherwise there must be put otherwise here."""
    assert PLACE.sub("{}", TABLE[key].en) in RAISED


@pytest.mark.parametrize("key", TABLE)
def test_it_is_found_by_its_shape_with_its_values(key):
    text = TABLE[key]
    values = {name.strip("{}"): f"v{n}" for n, name in enumerate(PLACE.findall(text.en))}
    assert DETAILS.say(ZH, text.en.format_map(values)) == text.zh.format_map(values)
    assert DETAILS.say(EN, text.en.format_map(values)) == text.en.format_map(values)


@pytest.mark.parametrize(
    "other", ["", "no sentence of ours", "please sign in now", "x\ny is closed already"]
)
def test_another_sentence_is_not_guessed(other):
    assert DETAILS.say(ZH, other) is None


def test_what_a_value_holds_is_no_pattern_and_no_place():
    said = DETAILS.say(ZH, "{point}.*(x is closed already")
    assert said == "{point}.*(x已经关闭。"
