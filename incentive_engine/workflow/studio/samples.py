"""The sample policies that come with the program, to begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

from incentive_engine.data.tables.files import atomic_file
from incentive_engine.insight.budget.policy_options import default_policy


def copy_samples(folder: Path) -> tuple[Path, ...]:
    """Copy the sample policies into a folder, and return those that were not there.

    Raises
    ------
    DataError
        When the folder may not be written to, or the disk is full.
    """
    copies = []
    for source in sorted(default_policy().parent.glob("*.yaml")):
        target = folder / source.name
        if not target.exists():
            with atomic_file(target) as partial:
                shutil.copyfile(source, partial)
            copies.append(target)
    return tuple(copies)
