"""Where `inference_core` is: beside the module, in an installed extension and in a source checkout alike."""

import importlib.util
import sys
from pathlib import Path

#: The module's folder: `qt-scripted-modules` where the extension is installed, `MRSISuperRes` in a checkout.
MODULE_FOLDER = Path(__file__).resolve().parent.parent


def find_inference_core() -> None:
    """Make `import inference_core` work, preferring the copy that came with this module to any other.

    Raises:
        ImportError: if neither the module's folder nor the one above it holds `inference_core`.
    """
    for folder in (MODULE_FOLDER, MODULE_FOLDER.parent):
        if (folder / "inference_core" / "__init__.py").is_file():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
                importlib.invalidate_caches()
            return
    raise ImportError(
        f"MRSISuperRes's folder inference_core is missing beside '{MODULE_FOLDER}': install the extension again, or "
        "keep the source checkout together."
    )


def bundled(relative: str) -> Path:
    """A file or folder of the extension's `Resources`, installed or in a checkout.

    Args:
        relative: path below `Resources`, such as "SamplePatient".

    Raises:
        FileNotFoundError: if it is in neither place.
    """
    for folder in (MODULE_FOLDER, MODULE_FOLDER.parent):
        if (path := folder / "Resources" / relative).exists():
            return path
    raise FileNotFoundError(f"'Resources/{relative}' is missing beside '{MODULE_FOLDER}': install the extension again.")
