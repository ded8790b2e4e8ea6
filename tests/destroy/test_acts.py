"""Every act that takes something away for ever, in one table; what is not in it fails here.

Each either is a duty of the clock, a right of the person concerned that the law wants carried out at once, or
was proposed by one person, approved by another, and waited while supervisors could see it. What only takes away
what can be had again says so. The table is compared with the calls that the source really makes.
"""

import ast
import importlib
from pathlib import Path

import pytest

import epilock

SOURCE = Path(epilock.__file__).parent
CLOCK, RIGHT, TWO, NOTHING = "clock", "right", "two persons, cooled", "nothing is lost"

# What destroys: names of functions that are called as an attribute (``keys.destroy(...)``), and those that only
# edges call, by the module they belong to.
DEEP = {"destroy"}
EDGE = {
    "destroy.run": {"run", "complete", "purge"},
    "deidentify.pseudonyms.study": {"end"},
    "use.release.file": {"destroy"},
    "collect.offline": {"forget_ended", "end"},
    "collect.paper": {"sweep"},
    "store.removal": {"erase", "move", "purge"},
}

ACTS = {
    ("caretaker", "destroy.run.run"): (CLOCK, "what is due, and orders that were approved and cooled"),
    ("caretaker", "destroy.run.purge"): (CLOCK, "rows whose keys are gone"),
    ("caretaker", "collect.offline.forget_ended"): (CLOCK, "keys of leases that are over"),
    ("cli.destroy", "destroy.run.run"): (CLOCK, "the same, by hand"),
    ("cli.destroy", "destroy.run.purge"): (CLOCK, "the same, by hand"),
    ("cli.destroy", "destroy.run.complete"): (NOTHING, "an event: the record goes on under another number"),
    ("destroy.beside", "destroy.run.run"): (CLOCK, "the same, by hand in the console"),
    ("caretaker", "collect.paper.sweep"): (CLOCK, "photographs of paper that may exist no longer"),
    ("web.console.sheet", "collect.paper.sweep"): (CLOCK, "those whose page somebody attests as gone"),
    ("web.console.record", "destroy.run.complete"): (NOTHING, "an event: the record goes on elsewhere"),
    ("web.receipt", "destroy.run.complete"): (RIGHT, "PIPL 15, 47: who has the receipt withdraws"),
    ("web.correction", "destroy.run.complete"): (RIGHT, "PIPL 46: a corrected record takes its place"),
    ("web.console.approval", "destroy.run.complete"): (
        RIGHT, "PIPL 47 without a receipt: an officer saw who asks, another person approves",
    ),
    ("web.console.received", "destroy.run.complete"): (
        RIGHT, "PIPL 47: the person objected by receipt, a custodian agrees",
    ),
    ("web.console.approval", "deidentify.pseudonyms.study.end"): (TWO, "the key of a study"),
    ("cli.study", "deidentify.pseudonyms.study.end"): (TWO, "the key of a study"),
    ("web.console.offline", "collect.offline.end"): (
        NOTHING, "a stolen device: its key ends; what it had sent is stored",
    ),
    ("use.release.run", "use.release.file.destroy"): (NOTHING, "a table of records that are there"),
    ("destroy.erasure", "store.removal.erase"): (RIGHT, "rows of a record whose keys are gone"),
    ("destroy.move", "store.removal.move"): (NOTHING, "rows of a record that goes on elsewhere"),
    ("destroy.run", "store.removal.purge"): (CLOCK, "rows whose keys are gone"),
    ("destroy.run", "keys.destroy"): (CLOCK, "what was announced"),
    ("backup.replay", "keys.destroy"): (CLOCK, "what the log says was destroyed after the backup"),
    ("backup.replay", "store.removal.erase"): (CLOCK, "what the log says was erased after the backup"),
    ("backup.replay", "store.removal.move"): (CLOCK, "what the log says was moved after the backup"),
    ("backup.restore", "destroy.run.complete"): (CLOCK, "what was announced before the backup"),
    ("store.keyservice.desk", "keys.destroy"): (CLOCK, "what the log shows to be announced or due"),
    ("deidentify.pseudonyms.study", "keys.destroy"): (TWO, "the key of a study"),
    ("use.release.file", "keys.destroy"): (NOTHING, "a table of records that are there"),
    ("collect.offline", "keys.destroy"): (CLOCK, "keys of leases that are over"),
    ("store.photograph", "keys.destroy"): (CLOCK, "photographs of paper that may exist no longer"),
}  # fmt: skip
PROOF = {
    CLOCK: [
        "destroy/test_run.py",
        "destroy/test_due.py",
        "watch/test_watch.py::TestFreeze",
        "life/test_photographed.py",
    ],
    RIGHT: [
        "destroy/test_erasure.py",
        "destroy/test_request.py",
        "destroy/test_subject_request.py",
    ],
    TWO: ["destroy/test_order.py", "deidentify/test_study.py::TestEnd"],
    NOTHING: ["destroy/test_move.py", "life/test_offline.py", "life/test_releasing.py"],
}


def modules():
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        if not name.startswith(
            ("migrations.", "__main__", "demo.")
        ):  # a demonstration has its own data
            yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree):
    """Names in a module to the module of ours that they stand for."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("epilock"):
            for each in node.names:
                inside = (node.module or "").removeprefix("epilock").lstrip(".")
                found[each.asname or each.name] = f"{inside}.{each.name}".lstrip(".")
    return found


def calls():
    """Who calls what of the functions that destroy."""
    for name, tree in modules():
        known = imported(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func
            if isinstance(called, ast.Attribute):
                owner = called.value
                words = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
                place = known.get(words, "")
                if called.attr in EDGE.get(place, ()):
                    yield name, f"{place}.{called.attr}"
                if called.attr in DEEP and words == "keys":
                    yield name, f"keys.{called.attr}"
            elif isinstance(called, ast.Name):
                place, _, what = known.get(called.id, "").rpartition(".")
                if what in EDGE.get(place, ()):
                    yield name, f"{place}.{what}"


def test_every_destructive_call_stands_in_the_table():
    assert set(calls()) == ACTS.keys()


def test_what_destroys_is_called_as_the_table_thinks():
    for place, names in EDGE.items():
        module = importlib.import_module(f"epilock.{place}")
        assert [name for name in names if not callable(getattr(module, name, None))] == []


@pytest.mark.parametrize("kind", PROOF)
def test_each_kind_is_proved_somewhere(kind):
    assert kind in {kind for kind, _ in ACTS.values()}
    for place in PROOF[kind]:
        path, _, name = place.partition("::")
        text = (Path(__file__).parents[1] / path).read_text(encoding="utf-8")
        assert not name or f"class {name}" in text


# What people decide and can take back, so that it need not wait: nothing in it is gone.
REVERSIBLE = {
    "accounts.administer.set_roles": "an account without roles gets them back; the log shows both",
    "collect.point.close_point": "another point is opened; what was collected stays",
    "use.grant.revoke": "another grant is asked for",
    "destroy.hold.release": "another than who placed it; what is due then is the clock's",
}


@pytest.mark.parametrize("act", REVERSIBLE)
def test_what_is_taken_back(act):
    module, _, name = act.rpartition(".")
    assert callable(getattr(importlib.import_module(f"epilock.{module}"), name))


def test_a_log_is_sealed_by_two():
    tree = ast.parse((SOURCE / "cli/succession.py").read_text(encoding="utf-8"))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in {
            "seal",
            "succeed",
            "end",
            "announce",
        }:
            called = {
                getattr(n.func, "id", "") for n in ast.walk(function) if isinstance(n, ast.Call)
            }
            assert "_two" in called, function.name
