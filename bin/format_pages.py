"""Styles and scripts in one form: `python -m bin.format_pages`; `--check` only says what is not.

The formatter is deno's, one binary from PyPI. It breaks no comment and no string, so lines that are still
over the limit are named, to be broken by hand. Exit 0: all is well. Exit 1: something is not, and is named.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("*.css", "*.js")
LONGEST_LINE = 110  # as Python's, in pyproject.toml
DENO = Path(sys.executable).parent / "deno"


def sources(root: Path = ROOT) -> list[Path]:
    """Every style sheet and script of the pages."""
    return sorted(path for kind in KINDS for path in (root / "pages").rglob(kind))


def long_lines(paths: Sequence[Path]) -> Iterator[str]:
    """`FILE:LINE` of each line over the limit."""
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if len(line) > LONGEST_LINE:
                yield f"{path}:{number}"


def run_formatter(paths: Sequence[Path], check: bool) -> bool:
    """Format in place, or only look; whether all is well. Raises `FileNotFoundError` without deno."""
    options = ["--quiet", "--no-config", f"--line-width={LONGEST_LINE}", *(["--check"] if check else [])]
    with tempfile.TemporaryDirectory() as cache:  # nothing is left in the home folder
        environment = os.environ | {"DENO_DIR": cache, "DENO_NO_UPDATE_CHECK": "1"}
        return subprocess.run([DENO, "fmt", *options, *paths], env=environment, check=False).returncode == 0


def main(arguments: Sequence[str]) -> int:
    """Format or check; 1 where something is left to do."""
    paths = sources()
    formatted = run_formatter(paths, "--check" in arguments)
    too_long = list(long_lines(paths))
    for place in too_long:
        sys.stderr.write(f"{place} is longer than {LONGEST_LINE} characters\n")
    return 0 if formatted and not too_long else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
