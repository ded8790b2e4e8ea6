"""Budgets of privacy, and the answers with noise that were paid for out of them."""

from epilock.ledger import entry as e
from epilock.ledger.audit.told import Readers, Told, ToldBudget


def _budget(told: Told, index: int, said: e.PrivacyBudget) -> None:
    whole = told.budgets.get((said.org, said.dataset, None, None))
    if said.purpose is None or said.recipient is None:
        if whole is None:
            told.budgets[said.org, said.dataset, None, None] = ToldBudget(said.epsilon)
        else:
            told.bad("declared-twice", f"budget of {said.dataset}", index)
        return
    if whole is None:
        told.bad("undeclared", f"budget of {said.dataset}", index)
        return
    mine = told.budgets.setdefault(
        (said.org, said.dataset, said.purpose, said.recipient), ToldBudget(0)
    )
    whole.spent += said.epsilon - mine.allotted
    mine.allotted = said.epsilon
    if whole.spent > whole.allotted:
        told.bad("budget-exceeded", said.dataset, index)


def _release(told: Told, index: int, said: e.NoisyRelease) -> None:
    mine = told.budgets.get((said.org, said.dataset, said.purpose, said.recipient))
    if mine is None:
        told.bad("undeclared", f"budget of {said.dataset} for {said.recipient}", index)
        return
    mine.spent += said.epsilon
    if mine.spent > mine.allotted:
        told.bad("budget-exceeded", said.dataset, index)


READERS: Readers = {e.PrivacyBudget: _budget, e.NoisyRelease: _release}
