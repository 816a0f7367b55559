"""The page as PDF, printed by an installed browser, which lays it out as it shows it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from inference_core.errors import InputError
from inference_core.files.atomic import atomic_path
from inference_core.files.folders import scratch_folder

#: Environment variable that may name the browser.
BROWSER_VARIABLE = "MRSI_SUPERRES_BROWSER"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge", "microsoft-edge")
#: Where installers put browsers on systems on which they are not on the PATH.
_PLACES = {
    "darwin": (
        "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "/Applications/Chromium.app/Contents/MacOS/Chromium",
        "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    ),
    "win32": tuple(
        str(Path(os.environ.get(variable, "C:/")) / program)
        for variable in ("PROGRAMFILES", "PROGRAMFILES(X86)")
        for program in ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
    ),
}
#: Seconds that printing may take.
_BROWSER_TIMEOUT_S = 120
#: What the user reads where there is none.
NO_BROWSER = (
    "The PDF was left out, since no browser was found: open the report and print it, or name Chromium, Chrome or Edge "
    f"with --browser or the environment variable {BROWSER_VARIABLE}."
)


def find_browser(named: str | Path | None = None) -> Path | None:
    """A browser that can print: the one named, that of `BROWSER_VARIABLE`, or one that is installed; None without.

    Raises:
        InputError: if the one named, here or by the variable, does not exist.
    """
    wanted = str(named or os.environ.get(BROWSER_VARIABLE, ""))
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise InputError(f"The browser '{wanted}' does not exist or can't be run: check the path.")
        return Path(found)
    for name in (*_NAMES, *_PLACES.get(sys.platform, ())):
        if found := shutil.which(name):
            return Path(found)
    return None


def print_pdf(page: str | Path, pdf: str | Path, browser: str | Path) -> Path:
    """Print an HTML file as PDF.

    Args:
        page: the HTML file.
        pdf: file to write, replaced if it exists.
        browser: Chromium, or one made of it, from `find_browser`.

    Returns:
        The PDF.

    Raises:
        InputError: if the browser fails; nothing is left half-written.
    """
    pdf = Path(pdf)
    # A profile of its own: one that is in use would hand the page to the browser that uses it.
    with scratch_folder() as profile, atomic_path(pdf.absolute()) as temporary:
        command = [
            *(str(browser), "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"),
            *(f"--user-data-dir={profile}", f"--print-to-pdf={temporary}"),
            # Chromium refuses to run as root otherwise. The page is our own, and has no scripts.
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            Path(page).resolve().as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_BROWSER_TIMEOUT_S, check=False)
            failed = done.returncode != 0
        except (OSError, subprocess.TimeoutExpired):
            failed = True
        # Browsers do not report that a disk is full.
        if failed or not temporary.is_file() or not _is_whole(temporary.read_bytes()):
            raise InputError(
                f"The browser '{browser}' could not print '{pdf}': open the report and print it, or name another "
                "browser with --browser."
            )
    return pdf


def _is_whole(content: bytes) -> bool:
    """Whether a PDF begins as one, and its end names the place of its table of objects (ISO 32000-1, 7.5.5)."""
    end = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*$", content)
    if not content.startswith(b"%PDF-") or end is None:
        return False
    # A table, or a stream of objects that holds one.
    return re.match(rb"xref|\d+\s+\d+\s+obj", content[int(end[1]) :]) is not None
