"""Add what one answer brings many of."""

import json
from pathlib import Path

from hooking.cli.baking import complete

complete(Path(), json.loads(r'{{ cookiecutter | tojson }}'))
