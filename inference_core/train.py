"""Train a network on a folder of patients or on simulated ones: `python inference_core/train.py --help`."""

import sys
from pathlib import Path

if __name__ == "__main__":
    if not __package__:
        # Run by its path from a checkout, where the package's parent is not on Python's path.
        sys.path[0] = str(Path(__file__).resolve().parent.parent)
    from inference_core.commands.train import main

    sys.exit(main())
