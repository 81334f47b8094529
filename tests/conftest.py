"""Every test runs offline, without a display, and on any console."""

import os
import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
settings.register_profile("any clock", deadline=None)  # a first call may import a library
settings.load_profile("any clock")
os.environ.update(
    UNSLOTH_AUTO_INSTALL="0",
    UNSLOTH_OFFLINE="1",
    HF_HUB_OFFLINE="1",
    OMP_WAIT_POLICY="PASSIVE",
    TOKENIZERS_PARALLELISM="false",
    MPLBACKEND="Agg",
)
