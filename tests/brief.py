"""Whether a test run is a brief one, beside a whole one on another Python: ``DSMR_TEST_BRIEF=1``."""

import os
from typing import Final

BRIEF: Final = os.environ.get("DSMR_TEST_BRIEF") == "1"
