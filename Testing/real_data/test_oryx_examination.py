"""A real MRSI examination (Oryx K_01, 14 x 14 x 3 voxels), its T2 standing in for the FLAIR that it lacks."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from inference_core import SuperResolver
from inference_core.networks import kspace

#: Each metabolite of the examination, and how far its result's mean may be from the zero-filled map's. Unfiltered, the
#: last three hold failed fits at the edge, up to 50 times as bright as the brain, whose ringing is all over the map.
MEASURED = {"tCho": 0.15, "tCr": 0.15, "NAA": 0.15, "Gln": 0.6, "Glu": 0.6, "Ins": 0.6}


@pytest.fixture(scope="module")
def results(examination):
    """The prepared input and the result of every metabolite, with what was warned of."""
    resolver = SuperResolver.load(device="cpu")
    t1, t2 = (sitk.ReadImage(str(examination / f"{name}_brain.nii.gz")) for name in ("t1", "t2"))
    results = {}
    for metabolite in MEASURED:
        image = sitk.ReadImage(str(examination / "maps" / f"K_01_conc_{metabolite}.nii.gz"))
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            prepared = resolver.prepare(image, t1, t2)
        array = resolver.super_resolve(prepared, metabolite, 0.02)
        results[metabolite] = prepared, array, [str(w.message) for w in warned]
    return results, t1


def test_its_resolution_was_trained_on(results):
    for prepared, _, warned in results[0].values():
        assert prepared.n == 14
        assert not any("trained range" in message for message in warned)


def test_results_are_finite_and_in_the_inputs_units(results):
    for metabolite, (prepared, array, _) in results[0].items():
        assert array.shape == (3, 64, 64)
        assert np.isfinite(array).all()
        filled = kspace.zero_filled(torch.from_numpy(prepared.low_resolution), (64, 64)).numpy()
        expected = pytest.approx(filled[prepared.brain].mean(), rel=MEASURED[metabolite])
        assert array[prepared.brain].mean() == expected


def test_nothing_appears_outside_the_brain(results):
    by_metabolite, t1 = results
    for prepared, array, _ in by_metabolite.values():
        grid = prepared.grid
        reference = sitk.GetImageFromArray(array)
        reference.SetOrigin(grid.origin)
        reference.SetSpacing(grid.spacing)
        reference.SetDirection(grid.direction)
        brain = sitk.Resample(sitk.Cast(t1 > 0, sitk.sitkFloat32), reference, sitk.Transform(), sitk.sitkLinear, 0.0)
        near = sitk.GetArrayFromImage(sitk.BinaryDilate(brain > 0, (2, 2, 0)))
        assert not array[near == 0].any()


def test_measured_k_space_is_kept_before_masking(results):
    resolver = SuperResolver.load(device="cpu")
    for metabolite, (prepared, _, _) in results[0].items():
        everywhere = replace(prepared, brain=np.ones_like(prepared.brain))
        unmasked = resolver.super_resolve(everywhere, metabolite, 0.0)
        low_resolution = torch.from_numpy(prepared.low_resolution)
        measured = kspace.measured_kspace(low_resolution, (64, 64))

        def deviation(image, measured=measured):
            return (kspace.truncate(kspace.to_kspace(image), (14, 14)) - measured).norm()

        # Exact but for the magnitude, which turns ringing below 0 around and changes the zero-filled map likewise.
        assert deviation(torch.from_numpy(unmasked)) < 2.5 * deviation(kspace.zero_filled(low_resolution, (64, 64)))
