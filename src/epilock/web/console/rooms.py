"""All pages of the console, in the order in which their addresses are matched."""

from epilock.web.console import (
    account,
    aggregate,
    approval,
    budget,
    destruction,
    door,
    grant,
    home,
    intake,
    level,
    mine,
    opening,
    oversight,
    paper,
    point,
    received,
    record,
    release,
    request,
    study,
    witness,
)

ROUTERS = tuple(
    module.router
    for module in (
        door, home, mine, opening, point, intake, record, aggregate, release, budget, study, request, received, grant, approval,
        destruction, level, oversight, witness, account, paper,
    )
)  # fmt: skip
