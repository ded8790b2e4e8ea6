"""What an error says to people: each sentence of the table is one of the program's, and is found by its shape."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import epilock
from epilock.collect.design import pasted, read_pasted
from epilock.collect.design.read import UPLOADED
from epilock.errors import TooLargeError
from epilock.sheets.archive import DIRECTORY
from epilock.standard.load import load
from epilock.web import language
from epilock.web.detail import Details
from epilock.web.language import Speaker

PHRASES = language.load()
TABLE = {key: text for key, text in PHRASES.items() if key.startswith("detail.")}
DETAILS, STANDARD = Details(PHRASES), load()
LANGUAGES = language.languages(PHRASES, language.LANGUAGES)
ZH, EN = (Speaker(PHRASES, LANGUAGES[code]) for code in ("zh", "en"))
PLACE = re.compile(r"\{[a-z_]+\}")


def raised() -> Iterator[tuple[str, str, str]]:
    """Every sentence of an error, or a problem in a file: where it stands, its kind, and it with its values as ``{}``."""
    root = Path(next(iter(epilock.__path__)))
    for path in root.rglob("*.py"):
        where, module = path.relative_to(root).as_posix(), ast.parse(path.read_text("utf-8"))
        named = {
            node.targets[0].id: sentence(node.value)
            for node in module.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                kind = getattr(node.func, "id", getattr(node.func, "attr", ""))
                said = words(kind, node)
                name = said.id if isinstance(said, ast.Name) else ""
                yield where, kind, named.get(name, "") if name else sentence(said)
                instead = next((k.value for k in node.keywords if k.arg == "allowed"), None)
                yield where, "allowed", sentence(instead)


def words(kind: str, node: ast.Call) -> ast.expr | None:
    """What an error of this kind, or a problem, is made with."""
    if kind == "Damage":
        return node.args[1] if len(node.args) > 1 else None
    if kind == "Problem":
        return next((k.value for k in node.keywords if k.arg == "what"), None)
    return node.args[0] if node.args and kind.endswith(("Error", "__init__")) else None


def sentence(node: ast.expr | None) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=pieces):
            return "".join(sentence(p) if isinstance(p, ast.Constant) else "{}" for p in pieces)
        case _:
            return ""


FOUND = set(raised())
RAISED = {said for _, _, said in FOUND}
# Whose sentences its staff and administrators read; the table of places is read at the start, by who runs the machine.
ACCOUNTS = re.compile(
    r"accounts/(?!place)\w+\.py"
    r"|web/console/(account|arrival|attest|desk|door|factor|mine|proof|provider|roster)\.py"
)
# What officers read on their pages.
DESK = re.compile(
    r"collect/(intake/|point|issue)|registry/|destroy/(freeze|hold|move|order|request)"
    r"|deidentify/pseudonyms/study|use/(aggregate|allotment|grant|review|search)|web/console/"
)
# What residents, volunteers and whoever checks a form read.
MET = re.compile(
    r"collect/(design/|form|offline|outbox|paper|photograph|record|template|writer)|sheets/archive"
    r"|web/(correction|form_check|hall|holding|offline|receipt|security|submit|subject_request|takeaway|ticket)\.py"
)
PROGRAMS = {  # what only a program can do wrong
    "the submission: {}", "client must be a UUID, new for each filled form", "language must be one of {}",
    "the receipt id in a sealed form must be a version 4 UUID", "a photograph's SHA-256 has 64 hexadecimal digits",
    "the bucket of the day could not be made", "the writer is stopped",
    'a box is sent as {"csrf": ..., "box": base64}', 'boxes are asked about as {"lease": ..., "boxes": [SHA-256]}', "a body needs its length (Content-Length)",
}  # fmt: skip
INSIDE = {
    "TamperedError",  # answered as a fault of ours, without its sentence
    "UnfinishedError",  # a redirect
    "UnsupportedAlgorithmError", "ValueError",  # caught in their own module, and said otherwise
}  # fmt: skip


@pytest.mark.parametrize("where", sorted({w for w, _, _ in FOUND if ACCOUNTS.fullmatch(w)}))
def test_what_people_read_about_accounts_is_in_both_languages(where):
    table = {PLACE.sub("{}", text.en) for text in TABLE.values()}
    said = {said for w, kind, said in FOUND if w == where and kind not in INSIDE and said}
    assert said - table == set()


def test_what_the_watcher_finds_is_in_both_languages():
    """Who decides whether a freeze is lifted reads what went around the program."""
    table = {PLACE.sub("{}", text.en) for text in TABLE.values()}
    said = {s for w, kind, s in FOUND if w.startswith("watch/") and kind == "Damage" and s}
    assert len(said) > 15
    assert said - table == set()


@pytest.mark.parametrize("key", TABLE)
def test_each_sentence_is_one_that_the_program_raises(key):
    """A sentence that is put otherwise there must be put otherwise here."""
    assert PLACE.sub("{}", TABLE[key].en) in RAISED | {pasted.NAME, UPLOADED, DIRECTORY}


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


@pytest.mark.parametrize("where", sorted({w for w, _, _ in FOUND if MET.match(w)}))
def test_what_a_person_meets_who_fills_in_or_checks_a_form_is_in_both_languages(where):
    table = {PLACE.sub("{}", text.en) for text in TABLE.values()}
    said = {said for w, kind, said in FOUND if w == where and kind not in INSIDE and said}
    assert said - table - PROGRAMS == set()


@pytest.mark.parametrize("where", sorted({w for w, _, _ in FOUND if DESK.match(w)}))
def test_what_an_officer_reads_is_in_both_languages(where):
    table = {PLACE.sub("{}", text.en) for text in TABLE.values()}
    said = {said for w, kind, said in FOUND if w == where and kind not in INSIDE and said}
    assert said - table == set()


def test_a_value_that_is_a_sentence_of_the_table_is_said_too():
    with pytest.raises(TooLargeError) as raised:
        read_pasted("a" * (pasted.MAX_PASTED + 1))
    assert DETAILS.say(ZH, str(raised.value)) == "贴上的内容：超过20,000个字符，请改为上传文件。"


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("the standard gives R1 no leave for tracing (masked) in vaccination",
         "标准不允许收集单位为“疫情溯源”以“打码”的方式使用“疫苗接种”的记录。"),
        ("the standard gives R1 or R3 no leave for tracing (masked) in vaccination",
         "标准不允许收集单位、区级卫生健康部门和应急指挥机构为“疫情溯源”以“打码”的方式使用“疫苗接种”的记录。"),
        ("this needs the role administrator or supervisor", "这一步需要角色：管理员、监督员。"),
        ("held for investigation to the end of 2026-03-20, assessment a-1",
         "因调查封存到2026-03-20结束，依据评估a-1。"),
        ("vaccination may not be kept on 'paper'", "标准不允许疫苗接种保存在纸质登记。"),
        ("this request is approved already", "这个请求已经决定过（已批准，已销毁）。"),
        ("grant g-1 is revoked: it cannot be revoked", "授权g-1现在的状态是已收回，不能变成已收回。"),
        ("contact.mobile may not be asked in school at level I",
         "学校在一级不可以问手机号。"),
        ("kind must be one of a, b", "kind只能是：a, b。"),
        ("nowhere may not be kept on 'air'", "标准不允许nowhere保存在'air'。"),
    ],
)  # fmt: skip
def test_a_code_is_said_by_its_name(sentence, said):
    assert DETAILS.say(ZH, sentence, STANDARD) == said


def test_what_a_person_typed_is_never_taken_for_a_code():
    assert DETAILS.say(ZH, "vaccination is closed already", STANDARD) == "vaccination已经关闭。"


def test_what_a_value_holds_is_no_pattern_and_no_place():
    said = DETAILS.say(ZH, "{point}.*(x is closed already")
    assert said == "{point}.*(x已经关闭。"
