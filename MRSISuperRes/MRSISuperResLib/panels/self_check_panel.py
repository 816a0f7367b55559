"""What the panel states of the self-check, and of how far the measured data were moved; and what to do about it."""

import html

from slicer.i18n import tr as _

from inference_core.terms.detail import DEFAULT_DETAIL
from MRSISuperResLib.panels.messages import show_message
from MRSISuperResLib.scene.parameters import DETAIL_NAMES
from MRSISuperResLib.scene.result_certainty import ResultCertainty
from MRSISuperResLib.scene.result_volume import ResultVolume

#: Lines that a sentence takes in a panel of usual width, by the detail: what is below does not move when it comes.
_LINES = {"network": 4, "matched": 5, "zero-filled": 5}


class SelfCheckPanel:
    """Fills the labels, and changes the detail at a click where the data contradict it.

    Args:
        ui: the panel's widgets, by name.
    """

    def __init__(self, ui):
        self.ui = ui
        self.parameters = None
        ui.matchDetailButton.connect("clicked(bool)", lambda _checked=False: self._use("matched"))
        ui.zeroFillButton.connect("clicked(bool)", lambda _checked=False: self._use("zero-filled"))

    def refresh(self, result: ResultVolume | None, certainty: ResultCertainty) -> None:
        """State what is known of a result, or None."""
        shown = result is not None and result.exists and result.label is not None
        checked = certainty.checked if shown else None
        checks = checked.checks if checked is not None else ()
        label = self.ui.selfCheckLabel
        label.visible = shown
        lines = _LINES.get(result.label.detail, 0) if shown else 0
        label.minimumHeight = lines * label.fontMetrics().lineSpacing()
        label.text = " ".join(check.sentence for check in checks) or _pending(certainty)
        label.toolTip = _by_ring(checks) or _(
            "The outer part of the map's own measured k-space is held back, the rest super-resolved, and the result "
            "compared with what was held back."
        )
        show_message(self.ui.selfCheckWarning, " ".join(check.warning for check in checks if check.warning), "warning")
        contradicted = any(check.contradicted for check in checks)
        detail = result.label.detail if shown else ""
        self.ui.selfCheckFrame.visible = contradicted and detail != "zero-filled"
        self.ui.matchDetailButton.visible = detail == "network"
        self.ui.movementLabel.text = self._movement(checked, result.label if shown else None)
        self.ui.calibrationLabel.visible = bool(detail) and detail != DEFAULT_DETAIL
        self.ui.calibrationLabel.text = _(
            "The uncertainty was calibrated with this detail: {0}. With another, it may be too small or too large."
        ).format(DETAIL_NAMES[DEFAULT_DETAIL])

    def _movement(self, checked, label) -> str:
        if label is None:
            return "\u2013"
        if checked is None:
            known = label.consistency == "hard"
            return (
                _("The measured data were kept exactly.")
                if known
                else _("Not known yet: computed once \u03bb is left alone.")
            )
        told = {name: movement.sentence for name, movement in checked.movements.items()}
        if not told:
            return _("Not known: the self-check failed.")
        if len(set(told.values())) == 1:
            return next(iter(told.values()))
        return " ".join(f"{name}: {sentence}" for name, sentence in told.items())

    def _use(self, detail: str) -> None:
        self.parameters.detail = DETAIL_NAMES[detail]


def _pending(certainty: ResultCertainty) -> str:
    """What stands in for a self-check that is not known."""
    if certainty.sentence and not certainty.estimating:
        return certainty.sentence
    if certainty.estimating:
        return _("Self-check: being computed\u2026")
    return _("Self-check: not known yet.")


def _by_ring(checks: tuple) -> str:
    """Rich text: the rings of the held-back k-space, and how much of each is noise."""
    parts = []
    for check in (check for check in checks if check.rings):
        rows = "".join(
            _("<tr><td>n = {0:.0f} to {1:.0f}</td><td align='right'>{2}</td><td align='right'>{3}</td></tr>").format(
                ring.from_resolution, ring.to_resolution, _percent(ring.explained), _percent(ring.noise)
            )
            for ring in check.rings
        )
        heads = _("<tr><th align='left'>detail of</th><th>explained</th><th>noise, {0}</th></tr>").format(
            html.escape(check.noise_certainty)
        )
        parts.append(
            f"<p><b>{html.escape(check.metabolite)}</b>, \u03bb = {check.sharpness:.3f}, "
            + _("{0} slices").format(len(check.slices))
            + f"</p><table cellpadding='3'>{heads}{rows}</table>"
        )
    return "".join(parts)


def _percent(share: float) -> str:
    return "\u2013" if share != share else f"{share:.0%}"
