"""Settings of real servers in tests, with a pseudo-language whose catalogue is below PSEUDO_LOCALE."""

from __future__ import annotations

import os
from pathlib import Path

from tests.pseudo_language import RIGHT_TO_LEFT
from tests.served_settings import *  # noqa: F403
from tests.served_settings import LANGUAGES as OFFERED

LANGUAGES = [*OFFERED, (RIGHT_TO_LEFT, "Pseudo")]
LOCALE_PATHS = [Path(os.environ["PSEUDO_LOCALE"])]
