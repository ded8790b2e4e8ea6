"""Meters: what the process counts about itself, for whoever runs it (Prometheus).

Rules kept in this file:
  1. Nothing here names a person, an organisation, an address or a record; labels are of a closed list.
  2. Counters are made once for an installation and passed by name; there is no global register.
  3. What the database knows better is read when it is asked for (``web.machine``), not counted here.
"""

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram

BATCHES = (1, 2, 5, 10, 20, 50, 100, 200, 512)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STORED, REPEATED, REFUSED, FAILED = "stored", "repeated", "refused", "failed"


@dataclass(frozen=True, slots=True)
class Meters:
    """The counters of one installation.

    Attributes:
        registry: Where they are collected.
        submissions: By outcome: stored, repeated, refused, failed.
        batch: Submissions in a batch.
        commit: Seconds to seal, store and commit a batch.
        answers: Answers of the site, by kind (submission, other) and status.
        seconds: Seconds to answer, by kind.
        decisions: Decisions to open, by verdict and the kind of rule.
        sign_ins: By outcome: in, wrong, late.
        rounds: Rounds in the background, by what they do and whether they failed.
    """

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    submissions: Counter = field(init=False)
    batch: Histogram = field(init=False)
    commit: Histogram = field(init=False)
    answers: Counter = field(init=False)
    seconds: Histogram = field(init=False)
    decisions: Counter = field(init=False)
    sign_ins: Counter = field(init=False)
    rounds: Counter = field(init=False)

    def __post_init__(self) -> None:
        to = self.registry
        made = {
            "submissions": Counter(
                "epilock_submissions", "Submissions that came to the writer.", ["outcome"], registry=to
            ),
            "batch": Histogram(
                "epilock_batch_submissions", "Submissions in a batch.", buckets=BATCHES, registry=to
            ),
            "commit": Histogram(
                "epilock_commit_seconds", "Time to seal, store and commit a batch.",
                buckets=SECONDS, registry=to,
            ),
            "answers": Counter(
                "epilock_answers", "Answers of the site.", ["kind", "status"], registry=to
            ),
            "seconds": Histogram(
                "epilock_answer_seconds", "Time to answer.", ["kind"], buckets=SECONDS, registry=to
            ),
            "decisions": Counter(
                "epilock_decisions", "Decisions to open records.", ["verdict", "rule"], registry=to
            ),
            "sign_ins": Counter(
                "epilock_sign_ins", "Attempts to sign in.", ["outcome"], registry=to
            ),
            "rounds": Counter(
                "epilock_rounds", "Rounds in the background.", ["what", "outcome"], registry=to
            ),
        }  # fmt: skip
        for name, meter in made.items():
            object.__setattr__(self, name, meter)

    def decided(self, verdict: str, rule: str) -> None:
        """Count a decision; of its rule only the kind, for the rest may be what somebody typed."""
        self.decisions.labels(verdict, rule.partition("/")[0]).inc()
