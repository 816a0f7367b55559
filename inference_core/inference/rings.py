"""Where a coefficient lies in the super-resolved map's k-space."""

import numpy as np

from inference_core.terms.conditions import SUPER_RESOLVED_MATRIX

_STEPS = np.arange(SUPER_RESOLVED_MATRIX) - SUPER_RESOLVED_MATRIX // 2
#: Row and column frequency of each coefficient, in cycles over the field of view, `(64, 64)`.
ROWS, COLUMNS = np.meshgrid(_STEPS, _STEPS, indexing="ij")
#: Distance from the zero frequency, in cycles over the field of view, `(64, 64)`.
RADIUS = np.hypot(ROWS, COLUMNS)
