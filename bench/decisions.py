"""Decisions: the gate's compiled table against casbin's ``FastEnforcer`` with the same rules.

casbin gets one policy row for each thing that is allowed, its own index over all five fields (without
it every question would be compared with every row), and questions it answers the same way; that it
does is checked before anything is timed.
"""

import random

import casbin
from casbin.model import FastModel

from bench import row
from bench.row import Row
from bench.turns import in_turns, rate
from epilock.standard import load
from epilock.standard.model import Verdict
from epilock.use.gate import Key, compile_table

FIELDS = (0, 1, 2, 3, 4)  # of a policy, by which casbin indexes its rows
MODEL = """
[request_definition]
r = circumstance, category, purpose, range, form
[policy_definition]
p = circumstance, category, purpose, range, form
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.circumstance == p.circumstance && r.category == p.category && r.purpose == p.purpose \
&& r.range == p.range && r.form == p.form
"""


def measure(questions: int = 2_000, rounds: int = 7) -> list[Row]:
    """Return the rows; each side answers ``questions`` in each of the ``rounds``."""
    table = compile_table(load())
    asked = _questions(table, questions)
    enforcer = _enforcer(table)
    for key in asked:
        assert bool(enforcer.enforce(*key)) == _allowed(table, key), key

    def ours() -> int:
        for key in asked:
            _allowed(table, key)
        return len(asked)

    def theirs() -> int:
        for key in asked:
            enforcer.enforce(*key)
        return len(asked)

    found = in_turns({"ours": lambda _: rate(ours), "casbin": lambda _: rate(theirs)}, rounds)
    return [
        row.figure("casbin FastEnforcer, decisions/s", found["casbin"]),
        row.figure("ours, decisions/s", found["ours"]),
        row.at_least("ours / casbin", found["ours"] / found["casbin"], 50, 0),
    ]


def _allowed(table, key: Key) -> bool:
    """Ask as ``Gate`` does: what is not in the table is refused."""
    verdict: Verdict | None = table.get(key)
    return verdict is not None and verdict.allowed


def _enforcer(table) -> casbin.FastEnforcer:
    model = FastModel(FIELDS)
    model.load_model_from_text(MODEL)
    enforcer = casbin.FastEnforcer(model, enable_log=False, cache_key_order=FIELDS)
    enforcer.add_policies([list(key) for key, verdict in table.items() if verdict.allowed])
    return enforcer


def _questions(table, count: int) -> list[Key]:
    """Return questions of which a third is allowed, a third refused, a third about nothing we know."""
    chance = random.Random(1)  # noqa: S311 - which questions are asked is no secret
    allowed = [key for key, verdict in table.items() if verdict.allowed]
    refused = [key for key, verdict in table.items() if not verdict.allowed]
    kinds = (
        lambda: chance.choice(allowed),
        lambda: chance.choice(refused),
        lambda: (*chance.choice(allowed)[:4], "unknown"),
    )
    return [kinds[n % 3]() for n in range(count)]
