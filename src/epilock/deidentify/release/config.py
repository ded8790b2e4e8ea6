"""The configuration of a release: what is told apart, how it is coarsened, and what must hold.

A TOML file or a table of the same keys (``docs/reference/deidentify.md``). Rules kept in this file:
  1. It is read strictly (``declared``): a key that is not known is refused, not passed over.
  2. Paths are relative to the folder of the file.
  3. Everything that can be wrong without the table is told before the table is read.
  4. A column is a quasi-identifier, sensitive, kept, or left out of the release: one of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epilock.deidentify import declared
from epilock.deidentify.criteria import metric as metrics
from epilock.deidentify.criteria import model
from epilock.deidentify.criteria.model import Model
from epilock.deidentify.declared import check_keys, made, value
from epilock.deidentify.rules.kinds import KINDS
from epilock.deidentify.rules.rule import Rule
from epilock.deidentify.search.methods import DEFAULT, METHODS
from epilock.errors import InputError

MOST_ATTRIBUTES = 64
DEFAULT_METRIC: metrics.Name = "loss"
KEYS = (
    "quasi_identifiers", "hierarchies", "suppression_limit", "metric", "weights", "keep", "population",
    "search", "models", "dataset", "record",
)  # fmt: skip
MODELS: dict[str, type[Model]] = {
    each.kind: each
    for each in (
        model.KAnonymity, model.KMap, model.StrictRisk, model.DistinctLDiversity,
        model.EntropyLDiversity, model.RecursiveLDiversity, model.TCloseness, model.DeltaPresence,
        model.AverageRisk, model.PopulationUniqueness,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that was found good.

    Attributes:
        quasi_identifiers: Columns by which somebody could be recognised, in order.
        models: What the release must satisfy.
        hierarchies: File or rule of an attribute; one without has the value and ``*``.
        suppression_limit: Largest share of rows that may be left out, 0 to 1.
        metric: What is minimised.
        weights: How much an attribute counts, 1 if left out.
        keep: Columns that pass unchanged.
        population: File of the population, or None.
        search: Which method is taken.
        dataset: Name of the data set in the register of releases, or None.
        record: Column of the records' ids, which is never released, or None.
    """

    quasi_identifiers: tuple[str, ...]
    models: tuple[Model, ...]
    hierarchies: Mapping[str, Path | Rule] = field(default_factory=dict)
    suppression_limit: float = 0
    metric: str = DEFAULT_METRIC
    weights: Mapping[str, float] = field(default_factory=dict)
    keep: tuple[str, ...] = ()
    population: Path | None = None
    search: str = DEFAULT
    dataset: str | None = None
    record: str | None = None

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The sensitive attributes, in the order in which models name them."""
        named = (getattr(each, "attribute", None) for each in self.models)
        return tuple(dict.fromkeys(name for name in named if name is not None))

    @property
    def needs_population(self) -> bool:
        """Whether a model compares the table with a population."""
        return any(map(_of_population, self.models))


def read(path: Path) -> Config:
    """Return the configuration in the TOML file ``path``.

    Raises:
        InputError: It can't be read, or a key is wrong.
        FileFormatError: It is no TOML, or not UTF-8.
        TooLargeError: It is larger than 1 MiB.
    """
    return parse(declared.read(path), path.parent)


def parse(given: Mapping[str, Any], folder: Path) -> Config:
    """Return the configuration that the table ``given`` states; paths are relative to ``folder``.

    Raises:
        InputError: A key is unknown, missing or wrong; the message names it.
    """
    check_keys(given, KEYS)
    quasi = _names(given, "quasi_identifiers")
    if not 1 <= len(quasi) <= MOST_ATTRIBUTES:
        raise InputError(
            f"quasi_identifiers must name 1 to {MOST_ATTRIBUTES} columns by which somebody could be recognised"
        )
    models = _models(given.get("models", []))
    config = Config(
        quasi_identifiers=quasi,
        models=models,
        suppression_limit=_share(given.get("suppression_limit", 0)),
        metric=_one_of("metric", given.get("metric", DEFAULT_METRIC), metrics.NAMES),
        weights=_weights(given.get("weights", {})),
        keep=_names(given, "keep"),
        population=_file(given, "population", folder),
        search=_one_of("search", given.get("search", DEFAULT), tuple(METHODS)),
        dataset=_text(given, "dataset"),
        record=_text(given, "record"),
    )
    _check_roles(config)
    hierarchies = _hierarchies(given.get("hierarchies", {}), config, folder)
    _check_distances(models, hierarchies)
    return Config(**{name: getattr(config, name) for name in KEYS} | {"hierarchies": hierarchies})


def _names(given: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names: tuple[str, ...] = value(tuple[str, ...], given.get(key, []), key)
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{key} names {name} twice; name each column once")
    return names


def _text(given: Mapping[str, Any], key: str) -> str | None:
    found: str | None = value(str, given[key], key) if key in given else None
    return found


def _share(given: Any) -> float:
    share: float = value(float, given, "suppression_limit")
    if not 0 <= share <= 1:
        raise InputError(
            f"suppression_limit must be a share of the rows, 0 to 1, not {share}; 5 % is 0.05"
        )
    return share


def _one_of(key: str, given: Any, known: Sequence[str]) -> str:
    if not isinstance(given, str) or given not in known:
        shown = repr(given) if isinstance(given, str) else "another type"
        raise InputError(f"{key} must be one of {', '.join(known)}, not {shown}")
    return given


def _weights(given: Any) -> dict[str, float]:
    if not isinstance(given, Mapping):
        raise InputError("weights must be a table of attributes and numbers")
    return {name: value(float, each, f"weights.{name}") for name, each in given.items()}


def _file(given: Mapping[str, Any], key: str, folder: Path) -> Path | None:
    if key not in given:
        return None
    return folder / Path(value(str, given[key], key))


def _models(given: Any) -> tuple[Model, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(each, Mapping) for each in given):
        raise InputError("models must be tables: [[models]], each with kind and its parameters")
    if not given:
        raise InputError(
            'models is missing: at least one, such as [[models]] kind = "k-anonymity", k = 5'
        )
    return tuple(_model(each, f"models[{number}]") for number, each in enumerate(given, 1))


def _model(given: Mapping[str, Any], where: str) -> Model:
    kind = _one_of(f"{where}.kind", given.get("kind"), tuple(MODELS))
    parameters = {key: each for key, each in given.items() if key != "kind"}
    return made(MODELS[kind], parameters, where)


def _of_population(each: Model) -> bool:
    return isinstance(each, model.KMap | model.DeltaPresence) or (
        isinstance(each, model.StrictRisk) and each.adversary == "journalist"
    )


def _check_roles(config: Config) -> None:
    """Raise if a column has two roles, or a role that something else asks for is not given (rule 4)."""
    sensitive = config.sensitive
    for name in config.quasi_identifiers:
        if name in sensitive:
            raise InputError(
                f"{name} is a quasi-identifier and the sensitive attribute of a model; a column is one of both:"
                " take it out of quasi_identifiers, or the model out of models"
            )
    for name in config.keep:
        if name in config.quasi_identifiers:
            raise InputError(
                f"keep names {name}, which is a quasi-identifier: it can't pass unchanged"
            )
    if config.record in {*config.quasi_identifiers, *sensitive, *config.keep}:
        raise InputError(
            f"record names {config.record}, which has another role: the records' ids are never released"
        )
    metrics.check_weights(config.metric, config.quasi_identifiers, config.weights)
    if config.needs_population and config.population is None:
        kinds = ", ".join(each.kind for each in config.models if _of_population(each))
        raise InputError(
            f"population is missing: {kinds} compares the table with the file of the population that it is from"
        )


def _check_distances(models: Sequence[Model], hierarchies: Mapping[str, Path | Rule]) -> None:
    for number, each in enumerate(models, 1):
        if (
            isinstance(each, model.TCloseness)
            and each.distance == "hierarchical"
            and each.attribute not in hierarchies
        ):
            raise InputError(
                f"models[{number}]: the hierarchical distance needs a hierarchy of {each.attribute}; give"
                f" hierarchies.{each.attribute}"
            )


def _hierarchies(given: Any, config: Config, folder: Path) -> dict[str, Path | Rule]:
    if isinstance(given, str):
        return _in_directory(folder / given, config)
    if not isinstance(given, Mapping):
        raise InputError(
            "hierarchies must be a directory, or a table of attributes and their files or rules"
        )
    known = {*config.quasi_identifiers, *config.sensitive}
    found: dict[str, Path | Rule] = {}
    for name, each in given.items():
        if name not in known:
            raise InputError(
                f"hierarchies.{name}: it is no quasi-identifier and no sensitive attribute"
            )
        if isinstance(each, str):
            found[name] = folder / each
        elif isinstance(each, Mapping):
            found[name] = _rule(each, f"hierarchies.{name}")
        else:
            raise InputError(
                f'hierarchies.{name} must be a file, or a rule such as {{ rule = "interval", widths = [5] }}'
            )
    return found


def _rule(given: Mapping[str, Any], where: str) -> Rule:
    kind = _one_of(f"{where}.rule", given.get("rule"), tuple(KINDS))
    return made(KINDS[kind], {key: each for key, each in given.items() if key != "rule"}, where)


def _in_directory(folder: Path, config: Config) -> dict[str, Path | Rule]:
    """Return the file of each attribute: its stem is the attribute, or ends in ``_`` and it."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv")
    except OSError as error:
        raise InputError(
            f"hierarchies: the directory {folder} can't be read: {error.strerror}"
        ) from None
    ranked = {
        each.attribute
        for each in config.models
        if isinstance(each, model.TCloseness) and each.distance != "equal"
    }
    found: dict[str, Path | Rule] = {}
    for name in (*config.quasi_identifiers, *sorted(ranked)):
        fitting = [path for path in files if path.stem == name or path.stem.endswith(f"_{name}")]
        if len(fitting) > 1:
            names = ", ".join(path.name for path in fitting)
            raise InputError(
                f"hierarchies: {names} all fit {name}; keep one of them there, or name files one by one in"
                " a table"
            )
        if fitting:
            found[name] = fitting[0]
        elif name not in ranked:
            raise InputError(
                f"hierarchies: {folder} has no file {name}.csv or …_{name}.csv; add it, or name files one by"
                " one in a table: an attribute that is left out there becomes * as a whole"
            )
    return found
