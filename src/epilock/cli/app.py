"""The commands, gathered: where each group stands is decided here and nowhere else."""

import typer

from epilock.cli import (
    anchor,
    demo,
    destroy,
    drill,
    grant,
    intake,
    ledger,
    mirror,
    monitor,
    operation,
    point,
    policy,
    receipt,
    registers,
    staff,
    standard,
    succession,
    verify,
    witness,
)

app = typer.Typer(
    name="epilock", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="Personal information in emergencies: each piece with a lock, a purpose, a clock, a witness.",
)  # fmt: skip
app.command()(operation.init)
app.command()(operation.serve)
app.command()(operation.check)
app.command()(verify.verify)
app.command()(monitor.monitor)
app.command()(mirror.mirror)
app.add_typer(standard.app, name="standard")
app.add_typer(registers.organisation, name="organisation")
app.add_typer(staff.app, name="staff")
app.add_typer(registers.emergency, name="emergency")
app.add_typer(registers.mandate, name="mandate")
app.add_typer(point.app, name="point")
app.add_typer(receipt.app, name="receipt")
app.add_typer(grant.app, name="grant")
app.add_typer(intake.app, name="import")
app.add_typer(destroy.app, name="destroy")
app.add_typer(ledger.app, name="ledger")
app.add_typer(succession.app, name="log-key")
app.add_typer(policy.app, name="policy")
app.add_typer(witness.app, name="witness")
app.add_typer(verify.app, name="verifier")
app.add_typer(anchor.app, name="anchor")
app.add_typer(drill.app, name="drill")
app.add_typer(demo.app, name="demo")
