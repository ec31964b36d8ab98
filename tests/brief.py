"""Whether a test run is a brief one, beside a whole one on another Python: ``DSMR_TEST_BRIEF=1``."""

import os
from typing import Final, TypeVar

BRIEF: Final = os.environ.get("DSMR_TEST_BRIEF") == "1"

CaseT = TypeVar("CaseT", bound=type)


def tried_once(case: CaseT) -> CaseT:
    """Tests of processes, disks and servers take long, and are the same on every Python: a brief run skips them."""
    if BRIEF:
        case.skip = "it is tried on another Python"  # type: ignore[attr-defined]
    return case
