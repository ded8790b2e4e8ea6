"""Forms that someone else designed: what comes in is a file, what goes out is what it asks.

A file is one of: our own point (TOML), an XLSForm workbook (ODK, KoboToolbox), a FHIR R4
Questionnaire (JSON), or a sheet (CSV, XLSX) whose header row says what is written down. Its kind is
told from its content; the name only settles doubt. Or it is no file: questions that someone pasted.

Always true: a reader answers with a ``Design`` or an ``InputError``, within a second or so and in
bounded memory, whatever the bytes; it reads headers and questions and never keeps or repeats a
value that someone filled in.
"""

from epilock.collect.design.field import Design, DesignField
from epilock.collect.design.pasted import read_pasted
from epilock.collect.design.read import MAX_BYTES, read_design

__all__ = ["MAX_BYTES", "Design", "DesignField", "read_design", "read_pasted"]
