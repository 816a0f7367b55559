"""Measured matrices of a real examination and of maps on a real patient's anatomy."""

from collections import Counter

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from glioma_maps import simulate_maps

from inference_core import METABOLITES
from inference_core.imaging.measured_support import as_measured, measured_support
from inference_core.networks import kspace


@pytest.fixture(scope="module")
def maps(glioma_patient):
    return simulate_maps(glioma_patient, seed=0)


def test_a_scanners_maps_are_as_measured(examination):
    files = sorted((examination / "maps").glob("*.nii.gz"))
    assert len(files) >= 6
    for file in files:
        image = sitk.ReadImage(str(file))
        measured, support = as_measured(image)
        assert measured is image
        assert (support.rows, support.columns, support.interpolation) == (14, 14, None)


def _low_resolution(array, n):
    return kspace.low_resolution(torch.from_numpy(array), (n, n))


def test_maps_on_a_patients_anatomy_are_as_measured(maps):
    for number, metabolite in enumerate(METABOLITES):
        for array in (maps.acquired[metabolite], sitk.GetArrayFromImage(maps.truth[metabolite])):
            assert measured_support(sitk.GetImageFromArray(array)).interpolation is None
            for n in range(12 + number % 3, 33, 3):
                low = sitk.GetImageFromArray(_low_resolution(array, n).numpy())
                assert measured_support(low).interpolation is None


def test_zero_filled_maps_on_a_patients_anatomy_are_found(maps, record_property):
    found = Counter()
    for number, metabolite in enumerate(METABOLITES):
        for n in range(12 + number % 3, 33, 3):
            filled = kspace.zero_filled(_low_resolution(maps.acquired[metabolite], n), (64, 64)).numpy()
            support = measured_support(sitk.GetImageFromArray(np.round(filled * 3000 / filled.max())))
            exact = (support.rows, support.columns) == (n, n)
            found["exact" if exact else "miss" if support.interpolation is None else "wrong"] += 1
    record_property("zero-filling found", dict(found))
    print(dict(found))
    assert found["exact"] >= 0.7 * found.total()
    assert found["wrong"] <= 0.05 * found.total()
