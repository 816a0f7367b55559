"""How true the details of several methods are, over maps of simulated patients."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from inference_core.research.data.simulated import Lesions
from inference_core.research.data.slice_set import SliceSet
from inference_core.research.evaluation.map_batches import map_batches
from inference_core.research.evaluation.methods import Method
from inference_core.research.evaluation.true_details import invented_spots, region_contrasts, share_recovered


def detail_scores(
    methods: Mapping[str, Method],
    slices: SliceSet,
    lesions: Lesions,
    resolutions: Sequence[int],
    chosen: Sequence[int] | None = None,
    progress: Callable[[Iterable], Iterable] = iter,
) -> list[dict]:
    """Each method's contrasts of tumours and MRI-occult spots, and invented spots, over all maps.

    Args:
        methods: by name.
        slices: maps and ground truth.
        lesions: of the same slices.
        resolutions: input resolutions n.
        chosen: indices of the slices to look at; None for all.
        progress: wraps the batches, such as `tqdm.tqdm`.

    Returns:
        For each method its name, "maps" looked at, spots "invented"; the share of "tumour recovered", and of spots
        "raised recovered" and "lowered recovered"; and how many of these are "kept" and "in all".
    """
    totals = {name: {"tumour": [], "raised": [], "lowered": [], "invented": 0, "maps": 0} for name in methods}
    for part in progress(map_batches(slices, resolutions, chosen=chosen)):
        batch = part.of(slices)
        truths = batch.target.numpy()[:, 0]
        for name, method in methods.items():
            outputs = method(batch).cpu().numpy()[:, 0]
            for index, output, truth in zip(part.indices, outputs, truths, strict=True):
                occult = lesions.occult[part.metabolite, index]
                _add(totals[name], output, truth, slices.valid[part.metabolite, index], lesions.tumour[index], occult)
    return [
        {
            "method": name,
            "maps": own["maps"],
            "invented": own["invented"],
            **{f"{kind} recovered": share_recovered(own[kind]) for kind in ("tumour", "raised", "lowered")},
            **{f"{kind} kept": sum(c.kept for c in own[kind]) for kind in ("raised", "lowered")},
            **{f"{kind} in all": len(own[kind]) for kind in ("raised", "lowered")},
        }
        for name, own in totals.items()
    ]


def together(lesions: Iterable[Lesions]) -> Lesions:
    """Those of several patients, in their order."""
    lesions = list(lesions)
    return Lesions(
        np.concatenate([own.tumour for own in lesions]), np.concatenate([own.occult for own in lesions], axis=1)
    )


def _add(
    total: dict, output: np.ndarray, truth: np.ndarray, valid: np.ndarray, tumour: np.ndarray, occult: np.ndarray
) -> None:
    known = tumour | (occult != 0)
    for kind, region in (("tumour", tumour), ("raised", occult > 0), ("lowered", occult < 0)):
        total[kind] += region_contrasts(output, truth, region, valid, known & ~region)
    total["invented"] += invented_spots(output, truth, valid, known)
    total["maps"] += 1
