"""What patients' brains are made from: tissue fractions on a grid, of the MNI152 templates or of one subject.

The templates are the symmetric ICBM 2009a averages of 152 adults (Fonov et al. 2011, NeuroImage 54:313) that nilearn
bundles.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from inference_core.imaging.hole_filling import fill_holes

#: Subsampling of the distance maps: they are smooth, and cost seconds at full resolution.
COARSE = 2


@dataclass(frozen=True)
class Templates:
    """Tissue fractions on one grid: `(x, y, z)` arrays, voxel `i` at `origin + i` mm (RAS).

    Attributes:
        origin: `(3,)`.
        brain, gm, wm: float32 fractions, 0..1.
        white: like `wm`, but smooth.
        coarse_depth: mm from the brain's surface, every second voxel.
        coarse_ventricle: nearness of the ventricles, 0..1, every second voxel.
        blurred: whether this is an average, that sulci must be added to.
        details: of a subject, what T1 and FLAIR show beyond the tissues (logarithms); else nothing.
    """

    origin: np.ndarray
    brain: np.ndarray
    gm: np.ndarray
    wm: np.ndarray
    white: np.ndarray
    coarse_depth: np.ndarray
    coarse_ventricle: np.ndarray
    blurred: bool
    details: tuple[np.ndarray, ...] = ()

    @classmethod
    def of(
        cls,
        origin: np.ndarray,
        solid: np.ndarray,
        gm: np.ndarray,
        wm: np.ndarray,
        white: np.ndarray,
        blurred: bool,
        details: tuple[np.ndarray, ...] = (),
    ) -> "Templates":
        """From the brain without holes, `solid`, `(x, y, z)` bool at 1 mm, and the rest as above."""
        from scipy.ndimage import binary_opening, distance_transform_edt, gaussian_filter

        brain = gaussian_filter(solid.astype(np.float32), 0.8)
        step = (slice(None, None, COARSE),) * 3
        depth = distance_transform_edt(solid[step]).astype(np.float32) * COARSE
        csf = np.clip(1 - gm - wm, 0, 1)[step] * solid[step]
        # Opening keeps the ventricles and drops the sulci that reach as deep.
        ventricle = binary_opening((csf > 0.5) & (depth > 24))
        near = gaussian_filter(ventricle.astype(np.float32), 3.0 / COARSE)
        return cls(origin, brain, gm, wm, white, depth, near, blurred, details)


@lru_cache(maxsize=1)
def mni152() -> Templates:
    """The MNI152 templates at 1 mm, loaded once a process (about 3 s)."""
    from nilearn.datasets import load_mni152_gm_template, load_mni152_template, load_mni152_wm_template

    t1_image = load_mni152_template(resolution=1)
    gm, wm = (
        np.ascontiguousarray(load(resolution=1).dataobj, dtype=np.float32)
        for load in (load_mni152_gm_template, load_mni152_wm_template)
    )
    solid = fill_holes(np.asarray(t1_image.dataobj) > 0)
    return Templates.of(t1_image.affine[:3, 3].copy(), solid, gm, wm, wm, blurred=True)
