"""The standard: what may be collected, how, where it is kept, who may see it, and when it goes.

In come data files (TOML) and an emergency's level history; out go answers, each with its rule and source.
Always true: pure. No clock, no database, no file after loading; what is not listed is refused.
"""

from epilock.standard.compiled import Standard
from epilock.standard.load import load, load_named, versions

__all__ = ["Standard", "load", "load_named", "versions"]
