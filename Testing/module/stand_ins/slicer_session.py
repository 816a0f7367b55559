"""One process's Slicer, as far as it can be had here: start it, open a module's panel, use it, look at it."""

import contextlib
import gc
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .environment import install_environment

app = install_environment()

import shiboken6  # noqa: E402
import slicer  # noqa: E402
from PySide6.QtCore import QBuffer, QCoreApplication, QEvent, QTimer, qInstallMessageHandler  # noqa: E402
from PySide6.QtWidgets import QComboBox, QWidget  # noqa: E402

from . import missing_modules, pythonqt, pytorch_utils, user_input  # noqa: E402
from .dialogs import dialogs  # noqa: E402
from .io_manager import IOManager  # noqa: E402
from .layout import qSlicerLayoutManager  # noqa: E402
from .look import dark_palette  # noqa: E402
from .main_window import qSlicerMainWindow  # noqa: E402
from .modules import qSlicerModuleManager  # noqa: E402
from .mrml_world import MrmlWorld  # noqa: E402
from .pytorch_utils import TorchState  # noqa: E402
from .sample_data import make_sample_data  # noqa: E402
from .slice_blend import slice_rgba  # noqa: E402

_REPOSITORY = Path(__file__).resolve().parents[3]


class SlicerSession:
    """Slicer for the length of a test. `start` gives a fresh scene; `stop` closes all that the test opened.

    `errors`: exceptions raised in slots, observers and threads, which nothing else would report.
    """

    def __init__(self, main_window: bool, panel_size, views_size, blocked_folders):
        self.dialogs = dialogs
        self.torch = pytorch_utils.world
        self.errors: list[str] = []
        self.qt_messages: list[str] = []
        self.pip_installs: list = []
        self.module = None
        self._blocked_names: set[str] = set()
        self._stashed_modules: dict = {}
        self._stack = contextlib.ExitStack()
        self._main_window = None
        self._panel_window = None
        self._watch_errors()
        self._stack.enter_context(missing_modules.blocked(blocked_folders, self._is_blocked))
        dialogs.clear()
        pytorch_utils.world.reset()
        self._install_fakes()
        app.setPalette(dark_palette())
        options = app.commandOptions()
        options.testingEnabled, options.noMainWindow = False, not main_window
        app.settings().clear()
        manager = qSlicerModuleManager()
        self.world = MrmlWorld(Path(app.temporaryPath))
        slicer.mrmlScene = self.world.scene
        layout_manager = None
        if main_window:
            self._main_window = qSlicerMainWindow(manager, panel_size, views_size)
            layout_manager = qSlicerLayoutManager(self.world, self._main_window.viewport())
        app.set_world(self.world, layout_manager, IOManager(self.world), manager)
        manager.add_core("Colors", lambda: self.world.color_logic)
        manager.add_core("Volumes", lambda: self.world.volumes_logic)
        manager.add_core("Segmentations", lambda: self.world.segmentations_logic)
        if main_window:
            self._main_window.show()
        self.process_events()

    @classmethod
    def start(
        cls,
        main_window: bool = True,
        panel_size: tuple[int, int] = (480, 1100),
        views_size: tuple[int, int] = (1120, 1100),
        blocked_folders: tuple = (_REPOSITORY / "MRSISuperRes", _REPOSITORY / "inference_core"),
    ) -> "SlicerSession":
        """A fresh scene in the process's one application.

        `main_window` False is Slicer's `--no-main-window`: no layout manager, no slice views. Code under
        `blocked_folders` can't import what Slicer doesn't bundle.
        """
        return cls(main_window, panel_size, views_size, blocked_folders)

    # The surroundings

    def _is_blocked(self, name: str) -> bool:
        if name == "torch":
            return not pytorch_utils.world.torch_can_be_imported
        if name == "PyTorchUtils":
            return pytorch_utils.world.state is TorchState.NO_EXTENSION
        return name in missing_modules.NOT_IN_SLICER or name in self._blocked_names

    def block_import(self, *names: str) -> None:
        """Let the module's imports of these fail from now on, as where they aren't installed."""
        self._blocked_names.update(names)
        self._forget_core()

    def set_torch(self, state: TorchState | str) -> None:
        """Choose what the user meets: PyTorch installed, absent, declined, offline, or no extension."""
        pytorch_utils.world.state = state = TorchState(state)
        app.extensionsManagerModel().installed = set() if state is TorchState.NO_EXTENSION else {"PyTorch"}
        if state is not TorchState.INSTALLED:
            self._forget_core()

    def _forget_core(self) -> None:
        """Code that was imported while everything was there must be imported again."""
        for name in [n for n in sys.modules if n.partition(".")[0] in ("inference_core", "MRSISuperResLib")]:
            self._stashed_modules.setdefault(name, sys.modules.pop(name))

    def _install_fakes(self) -> None:
        names = ("PyTorchUtils", "SampleData")
        saved = {name: sys.modules.get(name) for name in names}
        sys.modules["PyTorchUtils"] = pytorch_utils.make_pytorch_utils()
        sys.modules["SampleData"] = make_sample_data(Path(app.temporaryPath) / "RemoteIO")
        app.extensionsManagerModel().installed = {"PyTorch"}
        plain_pip = slicer.util.pip_install
        slicer.util.pip_install = lambda requirements, **options: self.pip_installs.append((requirements, options))

        def undo():
            slicer.util.pip_install = plain_pip
            for name, module in saved.items():
                if module is None:
                    sys.modules.pop(name, None)
                else:
                    sys.modules[name] = module

        self._stack.callback(undo)

    def _watch_errors(self) -> None:
        plain_hook, plain_thread_hook = sys.excepthook, threading.excepthook

        def hook(kind, error, trace):
            self.errors.append("".join(traceback.format_exception(kind, error, trace)))

        def thread_hook(arguments):
            if arguments.exc_type is not SystemExit:
                hook(arguments.exc_type, arguments.exc_value, arguments.exc_traceback)

        sys.excepthook, threading.excepthook = hook, thread_hook
        plain_handler = qInstallMessageHandler(lambda kind, context, text: self.qt_messages.append(text))

        def undo():
            sys.excepthook, threading.excepthook = plain_hook, plain_thread_hook
            qInstallMessageHandler(plain_handler)

        self._stack.callback(undo)

    # The module

    @property
    def scene(self):
        return self.world.scene

    @property
    def main_window(self):
        return self._main_window

    @property
    def python(self):
        """The module's Python module, as imported from its file."""
        return sys.modules[self.module.name]

    def load_module(self, path: str | Path):
        """Load a scripted module's file as Slicer does when it starts; startup is then complete.

        Returns `slicer.modules.<name>`.
        """
        self.module = app.moduleManager().load(Path(path))
        app.startupCompleted.emit()
        self.process_events()
        return self.module

    def open_panel(self):
        """Open the module's panel. Returns the module's ScriptedLoadableModuleWidget, after `setup` and `enter`."""
        frame = self.module.widgetRepresentation()
        if self._main_window is not None:
            slicer.util.selectModule(self.module.name)
        else:
            frame.resize(480, 1100)
            frame.show()
            frame.enter()
        self.process_events()
        return frame.self()

    def leave_panel(self) -> None:
        """Turn to another module: `exit`, but the panel stays made."""
        if self._main_window is not None:
            slicer.util.selectModule("")
        else:
            self.module.widgetRepresentation().exit()
        self.process_events()

    def close_panel(self) -> None:
        """`exit` if the panel is open, then `cleanup`, and delete it, as Slicer does when it quits."""
        if self.module is None or not self.module.has_widget():
            return
        if self.module.widgetRepresentation().isEntered:
            self.leave_panel()
        if self._main_window is not None:
            self._main_window.show_panel(None, "")
        # Slicer's base class calls cleanup on this signal.
        app.moduleManager().moduleAboutToBeUnloaded.emit(self.module.name)
        self.module.drop_widget()
        self.process_events()

    def _close_main_window(self) -> None:
        if self._main_window is not None:
            app.layoutManager().stop()
            self._main_window.close()
            self._main_window.delete()
            self._main_window = None

    def reload_module(self):
        """Slicer's Reload button. Returns the new widget."""
        slicer.util.reloadScriptedModule(self.module.name)
        self.process_events()
        return self.module.widgetRepresentation().self()

    def stop(self) -> None:
        """Close the panel and the scene. Idempotent."""
        if self.world is None:
            return
        try:
            self.close_panel()
            if self.module is not None:
                for name in [n for n in vars(slicer.modules) if n.lower().startswith(self.module.name.lower())]:
                    delattr(slicer.modules, name)
                sys.modules.pop(self.module.name, None)
                self.module = None
            self.scene.Clear(1)
            pythonqt.disconnect(app)
            self._close_main_window()
            self.process_events()
            QCoreApplication.sendPostedEvents(None, QEvent.DeferredDelete)
            self.process_events()
        finally:
            sys.modules.update(self._stashed_modules)
            self._stack.close()
            self.world = None

    # The scene

    def close_scene(self) -> None:
        """File > Close Scene."""
        self.scene.Clear(0)
        self.process_events()

    def save_scene(self, path: str | Path) -> None:
        """Save to a `.mrb` bundle, a `.mrml` file or a folder. RuntimeError if that fails."""
        if not slicer.util.saveScene(str(path), {}):
            raise RuntimeError(f"The scene can't be saved to {path}.")

    def load_scene(self, path: str | Path) -> None:
        """Add a saved scene to the open one; call `close_scene` first to replace it."""
        slicer.util.loadScene(str(path), {})
        self.process_events()

    # Time

    def process_events(self, milliseconds: int = 0) -> None:
        app.process_events(milliseconds)

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10.0, what: str = "") -> None:
        """Let Qt work until the condition holds. TimeoutError after `timeout_s`."""
        until = time.monotonic() + timeout_s
        app.processEvents()
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"Not within {timeout_s} s: {what or condition}. Errors so far: {self.errors}")
            time.sleep(0.001)
            app.processEvents()

    # A person's hands

    def click(self, widget: QWidget) -> None:
        self.show_in_panel(widget)
        user_input.click(widget)
        app.processEvents()

    def show_in_panel(self, widget: QWidget) -> None:
        """Scroll the panel to a widget, as a person would first."""
        if self._main_window is not None:
            area = self._main_window.module_panel().findChild("QScrollArea", "ScrollArea")
            if area.widget().isAncestorOf(widget):
                area.ensureWidgetVisible(widget)
                app.processEvents()

    def drag_slider(
        self,
        slider: QWidget,
        value: float,
        steps: int = 5,
        on_move: Callable[[], None] | None = None,
        release: bool = True,
    ) -> float:
        """Press the handle, move it there in several steps, release. Returns the value it came to.

        `on_move` is called after each step; with `release` False the button stays pressed.
        """
        self.show_in_panel(slider)
        user_input.press_slider(slider)
        span = slider.maximum - slider.minimum
        start = slider.value
        for step in range(1, steps + 1):
            wanted = start + (value - start) * step / steps
            user_input.move_slider(slider, (wanted - slider.minimum) / span)
            app.processEvents()
            if on_move is not None:
                on_move()
        if release:
            self.release_slider(slider)
        return slider.value

    def release_slider(self, slider: QWidget) -> None:
        user_input.release_slider(slider)
        app.processEvents()

    def choose(self, selector, node) -> None:
        """Pick a node, or None, from a node selector's list."""
        self.show_in_panel(selector)
        box = selector.comboBox()
        user_input.pick(box, box.findData(node.GetID() if node is not None else ""))
        app.processEvents()

    def choose_text(self, box: QComboBox, text: str) -> None:
        """Pick a row by its text."""
        self.show_in_panel(box)
        user_input.pick(box, box.findText(text))
        app.processEvents()

    def type_text(self, line, text: str) -> None:
        self.show_in_panel(line)
        user_input.type_text(line, text)
        app.processEvents()

    def key(self, widget: QWidget, which, *modifiers) -> None:
        user_input.key(widget, which, *modifiers)
        app.processEvents()

    # What a person sees

    def slice_logic(self, view: str):
        widget = app.layoutManager().sliceWidget(view)
        if widget is None:
            raise KeyError(f"There is no slice view {view}; there are {app.layoutManager().sliceViewNames()}.")
        return widget.sliceLogic()

    def slice_rgba(self, view: str = "Red") -> np.ndarray:
        """A slice view's blended pixels `(row, column, 4)`, uint8, the upper row first."""
        return slice_rgba(self.slice_logic(view))

    def scroll(self, view: str, mm: float) -> None:
        """Move a view's slice by so many mm along its normal, as its slider does."""
        logic = self.slice_logic(view)
        logic.StartSliceOffsetInteraction()
        logic.SetSliceOffset(logic.GetSliceOffset() + mm)
        logic.EndSliceOffsetInteraction()
        app.processEvents()

    def resize(self, panel_size: tuple[int, int], views_size: tuple[int, int]) -> None:
        """Resize the window's parts, (width, height) in pixels."""
        self._main_window.resize_parts(panel_size, views_size)
        self.process_events()

    def grab(self, path: str | Path | None = None, widget: QWidget | None = None) -> bytes:
        """A picture of the window, or of one widget in it, as PNG; the same state gives the same bytes."""
        widget = widget or self._main_window or self.module.widgetRepresentation()
        focused = app.focusWidget()
        if focused is not None:
            focused.clearFocus()
        self.process_events(20)
        buffer = QBuffer()
        buffer.open(QBuffer.WriteOnly)
        if not widget.grab().save(buffer, "PNG"):
            raise OSError("The picture can't be written as PNG.")
        png = bytes(buffer.data())
        if path is not None:
            Path(path).write_bytes(png)
        return png

    # What must not be left behind

    @staticmethod
    def active_timers() -> list[QTimer]:
        """Timers of Python code that are still running."""
        timers = (o for o in gc.get_objects() if issubclass(type(o), QTimer) and shiboken6.isValid(o))
        return [timer for timer in timers if timer.active]
