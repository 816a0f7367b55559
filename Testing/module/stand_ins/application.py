"""`slicer.app`: a real QApplication with what Slicer adds to it."""

# ruff: noqa: N801, N802, N815

import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Property, QLocale, QSettings, Signal
from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication

from .pythonqt import seal

#: The version that these stand-ins speak for.
VERSION = (5, 12)
FONT, FONT_PACKAGE = "DejaVu Sans", "fonts-dejavu-core"


@dataclass
class CommandOptions:
    """How Slicer would have been started."""

    testingEnabled: bool = False
    noMainWindow: bool = False
    runPythonAndExit: bool = False


class ExtensionsManager:
    """`slicer.app.extensionsManagerModel()`: which extensions a test says are installed."""

    def __init__(self):
        self.installed: set[str] = set()

    def isExtensionInstalled(self, name) -> bool:
        return name in self.installed

    def isExtensionEnabled(self, name) -> bool:
        return name in self.installed


@seal
class qSlicerApplication(QApplication):
    """The application object. A session gives it a scene (`set_world`) and a module manager."""

    startupCompleted = Signal()

    def __init__(self, work_folder: Path):
        super().__init__(["Slicer"])
        self._work_folder = work_folder
        self._world = self._layout_manager = self._io_manager = self._module_manager = None
        self._options, self._extensions = CommandOptions(), ExtensionsManager()
        self.setOrganizationName("NA-MIC")
        self.setApplicationName("Slicer")
        self.setApplicationVersion(f"{VERSION[0]}.{VERSION[1]}.0")
        for name in ("temporary", "extensions", "settings", "home"):
            (work_folder / name).mkdir(parents=True, exist_ok=True)
        QSettings.setDefaultFormat(QSettings.IniFormat)
        QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(work_folder / "settings"))
        QLocale.setDefault(QLocale(QLocale.English, QLocale.UnitedStates))
        self.setStyle("Fusion")
        if FONT not in QFontDatabase.families():
            raise RuntimeError(f"These tests need the font {FONT}; on Debian: apt-get install {FONT_PACKAGE}")
        font = QFont(FONT)
        font.setPixelSize(13)
        self.setFont(font)
        self.setCursorFlashTime(0)
        self._settings = QSettings()

    def set_world(self, world, layout_manager, io_manager, module_manager) -> None:
        self._world, self._layout_manager = world, layout_manager
        self._io_manager, self._module_manager = io_manager, module_manager

    def mrmlScene(self):
        return self._world.scene

    def applicationLogic(self):
        return self._world.application_logic

    def layoutManager(self):
        """None where Slicer runs without a main window."""
        return self._layout_manager

    def coreIOManager(self):
        return self._io_manager

    ioManager = coreIOManager

    def moduleManager(self):
        return self._module_manager

    def extensionsManagerModel(self):
        return self._extensions

    def commandOptions(self):
        return self._options

    def testingEnabled(self):
        return self._options.testingEnabled

    def settings(self):
        return self._settings

    userSettings = settings
    revisionUserSettings = settings

    def pythonConsole(self):
        return None

    def pauseRender(self):
        self._world.application_logic.PauseRender()
        if self._layout_manager is not None:
            self._layout_manager.setRenderPaused(True)

    def resumeRender(self):
        self._world.application_logic.ResumeRender()
        if self._layout_manager is not None:
            self._layout_manager.setRenderPaused(False)

    def setRenderPaused(self, paused):
        (self.pauseRender if paused else self.resumeRender)()

    def process_events(self, milliseconds: int = 0) -> None:
        """Let Qt work for at least that long."""
        until = time.monotonic() + milliseconds / 1000
        self.processEvents()
        while time.monotonic() < until:
            time.sleep(0.001)
            self.processEvents()

    temporaryPath = Property(str, lambda self: str(self._work_folder / "temporary"))
    slicerHome = Property(str, lambda self: str(self._work_folder / "home"))
    extensionsInstallPath = Property(str, lambda self: str(self._work_folder / "extensions"))
    majorVersion = Property(int, lambda self: VERSION[0])
    minorVersion = Property(int, lambda self: VERSION[1])
    os = Property(str, lambda self: "linux")
    arch = Property(str, lambda self: "amd64")
    revision = Property(str, lambda self: "0")
    mainApplicationName = Property(str, lambda self: "Slicer")
    mainApplicationVersion = Property(str, lambda self: f"{VERSION[0]}.{VERSION[1]}.0")
