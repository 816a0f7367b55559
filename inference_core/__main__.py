"""`python -m inference_core COMMAND` is `mrsi-superres COMMAND` without an install."""

import sys

from inference_core.commands.cli import main

sys.exit(main())
