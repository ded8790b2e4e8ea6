"""Two server processes on one installation: one log in one order, nobody lost, nobody twice, and no false alarm."""

import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
from crowd import Crowd, bodies
from test_killed import check_everything

from epilock import assemble, settings

MANY = 120


@pytest.fixture
def clock(clock):
    """The program looks at the machine's clock, whatever that says today."""
    clock.instant = datetime.now(UTC) - timedelta(hours=1)
    return clock


def test_one_sequence_of_the_log(town, clock, program, environ, home):
    form = town.form()
    given = [act for act in form.acts.ids if act != "guardian"]
    town.parts.close()
    path = f"/api/points/garden/{town.point}/submissions"
    crowds = [Crowd(path, bodies(form.notice, given, seed=seed)) for seed in (1, 2)]
    servers = [program.serve() for _ in crowds]
    threads = [
        t for crowd, (_, port) in zip(crowds, servers, strict=True) for t in crowd.come(port)
    ]
    for crowd in crowds:
        crowd.wait_for(MANY)
    for pid, _ in servers:
        os.kill(pid, signal.SIGTERM)
    for thread in threads:
        thread.join(60)
    for pid, _ in servers:
        program.wait(pid)
    assert [len(crowd.answered) >= MANY for crowd in crowds] == [True, True]
    assert [crowd.faults for crowd in crowds] == [[], []]
    ours = [{a["index"] for a in crowd.answered.values()} for crowd in crowds]
    assert ours[0].isdisjoint(ours[1])  # no entry is two persons'
    assert max(ours[0]) > min(ours[1])  # they appended in turn
    assert max(ours[1]) > min(ours[0])
    for crowd in crowds:  # what was not answered in time may be there, and is asked for again
        pid, port = program.serve()
        for thread in crowd.come(port, new=False):
            thread.join(60)
        os.kill(pid, signal.SIGTERM)
        program.wait(pid)
    both = Crowd(path, iter(()))
    for crowd in crowds:
        both.answered |= crowd.answered
        both.checkpoints |= crowd.checkpoints
    parts = assemble.build(settings.read(environ, home=home), now=clock)
    check_everything(both, parts)
    parts.close()
    assert "everything is as it was stored" in program.run("check")
    assert "nothing is frozen" in program.run("watch", "list")
