"""Where the course's own files are: its notebooks and its words."""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
# in a wheel they are part of the package (pyproject.toml says which); in a checkout they lie
# beside it, where readers look for them
ROOT = PACKAGE / "course" if (PACKAGE / "course").is_dir() else PACKAGE.parent
NOTEBOOKS = ROOT / "notebooks"
ASSIGNMENTS = NOTEBOOKS / "assignments" / "source"
WORDS = ROOT / "data" / "unique_english_words.txt"
