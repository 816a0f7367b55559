"""What a batch is asked to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BatchRequest:
    """A study and what to make of it, as its user says it; `plan_batch` checks it.

    Attributes:
        study: folder of patients, see `find_patients`.
        output: folder for the results, made if only its last part is missing. Each result is an image with a JSON
            sidecar in `sub-*/mrsi`; the table of all rows is `batch.tsv`.
        sharpness: values of lambda, 0 to 0.1, or a single one.
        participants: labels of those to take, "01" or "sub-01"; all if empty. Their table is named for them, so that
            an array of jobs writes a table each.
        metabolites: those to take, by any of their names; all if empty.
        ratios: those to make, too, such as "tCho/NAA", of all maps; the usual ones that the maps allow if empty, none
            if None. Where their denominators may be zero is told by the maps' uncertainties, which takes as long as
            those.
        reference: give ratios in multiples of their median in the "brain", or in a label image, which this pattern
            finds in each patient's folder, such as `anat/*_dseg.nii.gz`.
        mirror: whether the same place on the brain's other side is meant instead.
        uncertainty: whether each result has its uncertainty beside it, with nine passes of the network instead of one.
        self_check: whether each map is checked against its own measured k-space.
    """

    study: str | Path
    output: str | Path
    sharpness: Sequence[float] | float = (0.0,)
    participants: Sequence[str] = ()
    metabolites: Sequence[str] = ()
    ratios: Sequence[str] | None = None
    reference: str | None = None
    mirror: bool = False
    uncertainty: bool = False
    self_check: bool = True
