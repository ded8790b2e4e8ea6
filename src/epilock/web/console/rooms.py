"""All pages of the console, in the order in which their addresses are matched."""

from epilock.web.console import (
    account,
    aggregate,
    alarm,
    approval,
    arrival,
    attest,
    budget,
    destruction,
    door,
    factor,
    grant,
    home,
    intake,
    level,
    log,
    mine,
    offline,
    opening,
    oversight,
    paper,
    point,
    proof,
    provider,
    received,
    record,
    release,
    request,
    roster,
    seen,
    setting,
    sheet,
    study,
    witness,
)

ROUTERS = tuple(
    module.router
    for module in (
        door, proof, home, mine, factor, arrival, opening, point, offline, sheet, intake, record, aggregate, release, budget, study, request,
        received, grant, approval, destruction, level, seen, oversight, alarm, log, witness, roster, attest, provider, account, paper, setting,
    )
)  # fmt: skip
