"""Dialogs answered by the test, never by a person: each is recorded, none waits."""

# ruff: noqa: N801, N815

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import Property
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMenu, QMessageBox

from .pythonqt import seal


@dataclass(frozen=True)
class Shown:
    """A dialog that was shown. `kind`: the class or function; `text`: what a person would have read."""

    kind: str
    text: str
    title: str = ""
    details: str = ""


@dataclass
class Dialogs:
    """What was shown, and the answers the test has prepared, used in order.

    An answer is what the dialog returns (a button, a path, a QDialog code), or a function of the dialog that
    returns it, to look at or fill in the dialog first. A message with one button needs no answer. Any other dialog
    without one raises AssertionError where it is shown.
    """

    shown: list[Shown] = field(default_factory=list)
    answers: deque = field(default_factory=deque)
    opened_urls: list[str] = field(default_factory=list)

    def answer(self, *answers) -> None:
        self.answers.extend(answers)

    @property
    def texts(self) -> list[str]:
        return [dialog.text for dialog in self.shown]

    def clear(self) -> None:
        self.shown.clear()
        self.answers.clear()
        self.opened_urls.clear()

    def respond(self, record: Shown, dialog=None, only_answer=None):
        self.shown.append(record)
        if self.answers:
            answer = self.answers.popleft()
            return answer(dialog) if isinstance(answer, Callable) and not isinstance(answer, type) else answer
        if only_answer is None:
            raise AssertionError(f"{record.kind} was shown and the test has no answer to: {record.text!r}")
        return only_answer


#: The process's one record, emptied before each test.
dialogs = Dialogs()


def _exec_message_box(box):
    buttons = box.standardButtons
    known = [b for b in QMessageBox.StandardButton if b and buttons & b and bin(b).count("1") == 1]
    own = box.buttons()
    single = known[0] if len(known) == 1 and len(own) <= 1 else QMessageBox.Ok if not own else None
    record = Shown(type(box).__name__, box.text, box.windowTitle.strip(), box.informativeText + box.detailedText)
    answer = dialogs.respond(record, box, single)
    pressed = box.button(answer) if isinstance(answer, QMessageBox.StandardButton) else answer
    box._clicked = pressed
    return answer if isinstance(answer, QMessageBox.StandardButton) else own.index(answer)


def _exec_dialog(dialog):
    answer = dialogs.respond(Shown(type(dialog).__name__, dialog.windowTitle, dialog.windowTitle), dialog)
    dialog.done(int(answer))
    return int(answer)


def _exec_menu(menu, *_):
    texts = [action.text for action in menu.actions() if action.text]
    answer = dialogs.respond(Shown("QMenu", " | ".join(texts)), menu)
    action = next(a for a in menu.actions() if a.text == answer) if isinstance(answer, str) else answer
    if action is not None:
        action.trigger()
    return action


def _static_message(kind: str, default_buttons=QMessageBox.Ok):
    def show(parent, title, text, buttons=default_buttons, *_):
        single = buttons if bin(buttons).count("1") == 1 else None
        return dialogs.respond(Shown(f"QMessageBox.{kind}", text, title), None, single)

    return staticmethod(show)


def _static_choice(owner: str, kind: str):
    def show(parent=None, title="", *details, **_):
        return dialogs.respond(Shown(f"{owner}.{kind}", title, title, str(details)))

    return staticmethod(show)


@seal
class ctkMessageBox(QMessageBox):
    """A message box with a box to tick, "Don't show again"."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._key = ""
        self._dont_show_again_visible = False

    def _set_key(self, key):
        self._key = key

    def _set_visible(self, visible):
        self._dont_show_again_visible = visible

    dontShowAgainSettingsKey = Property(str, lambda self: self._key, _set_key)
    dontShowAgainVisible = Property(bool, lambda self: self._dont_show_again_visible, _set_visible)


def install() -> None:
    """Make Qt's dialogs, menus and web links go through `dialogs`."""
    QDialog.exec = QDialog.exec_ = _exec_dialog
    QMessageBox.exec = QMessageBox.exec_ = _exec_message_box
    QMessageBox.clickedButton = lambda box: box.__dict__.get("_clicked")
    QMenu.exec = QMenu.exec_ = _exec_menu
    for kind in ("information", "warning", "critical"):
        setattr(QMessageBox, kind, _static_message(kind))
    QMessageBox.question = _static_message("question", QMessageBox.Yes | QMessageBox.No)
    for kind in ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"):
        setattr(QFileDialog, kind, _static_choice("QFileDialog", kind))
    for kind in ("getText", "getItem", "getInt", "getDouble"):
        setattr(QInputDialog, kind, _static_choice("QInputDialog", kind))
    QDesktopServices.openUrl = staticmethod(lambda url: dialogs.opened_urls.append(url.toString()) or True)
