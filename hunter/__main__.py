"""python -m hunter."""

import sys

from hunter.cli.main import main

sys.exit(main())
