"""A patient's metabolites on one grid, and the table of regions made of them."""

import csv
import io

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import nn

from inference_core import InputError, SuperResolver
from inference_core.inference.patient_result import super_resolve_patient
from inference_core.inference.uncertainty.calibration import Calibration, IntervalModel
from inference_core.networks import kspace
from inference_core.regions.table import as_csv, region_rows
from inference_core.terms.conditions import METABOLITES
from inference_core.terms.ratios import Ratio


class ZeroFilling(nn.Module):
    """Keeps the measured k-space, and adds nothing."""

    def forward(self, low_resolution, t1, flair, n, metabolite, sharpness):
        return kspace.zero_filled(low_resolution, (64, 64))


class Brighter(ZeroFilling):
    """Makes a tenth of the signal up."""

    def forward(self, low_resolution, *rest):
        return 1.1 * super().forward(low_resolution, *rest)


def head(size, spacing, levels):
    """An image of a round head in the middle of a field of view of 192 mm, flat inside but for its left."""
    _z, y, x = (np.indices(size).T * spacing).T - (np.array(size).reshape(3, 1, 1, 1) - 1) * spacing / 2
    inside = np.hypot(x / 1.0, y / 1.2) < 65
    image = sitk.GetImageFromArray(np.where(inside, np.where(x > 20, levels[1], levels[0]), 0).astype(np.float32))
    image.SetSpacing((spacing,) * 3)
    image.SetOrigin([-(count - 1) * spacing / 2 for count in size[::-1]])
    return image


def maps_of(levels):
    """Low-resolution maps, 16 x 16, as measured: truncated from 64 x 64."""
    maps = {}
    for name, pair in levels.items():
        fine = head((3, 64, 64), 3.0, pair)
        array = kspace.low_resolution(torch.from_numpy(sitk.GetArrayFromImage(fine)), (16, 16)).numpy()
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((12.0, 12.0, 3.0))
        image.SetOrigin(fine.GetOrigin())
        maps[name] = image
    return maps


@pytest.fixture(scope="module")
def mri():
    return head((9, 192, 192), 1.0, (1.0, 1.0))


def region(place, radius=14.0):
    """A ball of 1 mm voxels, 3 mm around the middle slice."""
    _z, y, x = np.indices((9, 192, 192)) - np.array([4, 95.5, 95.5]).reshape(3, 1, 1, 1)
    image = sitk.GetImageFromArray((np.hypot(x - place[0], y - place[1]) < radius).astype(np.uint8))
    image.SetOrigin((-95.5, -95.5, -4.0))
    return image


LEVELS = {"NAA": (8.0, 4.0), "GPC+PCh": (2.0, 4.0)}
CHOLINE_OVER_NAA = Ratio.parse("tCho/NAA")
CALIBRATION = Calibration(IntervalModel(np.full(len(METABOLITES), -2.0), np.zeros(14), np.zeros((4, 2))), 2.0, {})


def test_regions_have_their_levels_and_ratios(mri):
    result = super_resolve_patient(
        SuperResolver(ZeroFilling(), "cpu"),
        maps_of(LEVELS),
        mri,
        mri,
        calibration=CALIBRATION,
        ratios=[CHOLINE_OVER_NAA],
    )
    assert list(result.metabolites) == ["NAA", "tCho"]
    regions = {"right": region((-25, 0)), "left": region((42, 0))}
    rows = {(r.region, r.quantity): r for r in region_rows(result, regions)}
    assert len(rows) == 6
    for name, index in (("right", 0), ("left", 1)):
        for quantity, levels in (("NAA", LEVELS["NAA"]), ("tCho", LEVELS["GPC+PCh"])):
            row = rows[name, quantity]
            assert row.mean == pytest.approx(levels[index], rel=0.08)
            assert row.low <= row.median <= row.high
            assert row.low_resolution_mean == pytest.approx(levels[index], rel=0.15)
            # As much as measured, but for ringing outside the brain that the mask takes away.
            assert abs(row.signal_change) < 0.02
            assert row.uncertainty == pytest.approx(
                np.exp(-2) * np.median(result.metabolites[quantity].values[1][result.brain[1]]), rel=0.1
            )
        assert rows[name, "tCho/NAA"].mean == pytest.approx(LEVELS["GPC+PCh"][index] / LEVELS["NAA"][index], rel=0.2)
        assert rows[name, "tCho/NAA"].signal_change is None
        assert rows[name, "NAA"].volume_ml == pytest.approx(np.pi * 14**2 * 9 / 1000, rel=0.03)


def test_a_ratio_that_means_nothing_in_a_region_leaves_the_rest_of_the_table(mri):
    maps = maps_of({"NAA": (8.0, 0.0), "GPC+PCh": (2.0, 4.0)})
    result = super_resolve_patient(
        SuperResolver(ZeroFilling(), "cpu"), maps, mri, mri, calibration=CALIBRATION, ratios=[CHOLINE_OVER_NAA]
    )
    rows = {r.quantity: r for r in region_rows(result, {"left": region((48, 0), 6.0)})}
    assert rows["tCho"].mean == pytest.approx(4, rel=0.1)
    assert (rows["tCho/NAA"].volume_ml, rows["tCho/NAA"].mean, rows["tCho/NAA"].uncertainty) == (0, None, None)
    assert as_csv([rows["tCho/NAA"]]).splitlines()[1].startswith("left,tCho/NAA,0,,,,,,")


def test_made_up_signal_shows(mri):
    result = super_resolve_patient(SuperResolver(Brighter(), "cpu"), maps_of(LEVELS), mri, mri)
    (row, _) = region_rows(result, {"right": region((-25, 0))})
    assert row.signal_change == pytest.approx(0.1, abs=0.02)
    assert row.uncertainty is None


def test_the_table_reads_as_csv(mri):
    result = super_resolve_patient(
        SuperResolver(ZeroFilling(), "cpu"), maps_of(LEVELS), mri, mri, ratios=[CHOLINE_OVER_NAA]
    )
    rows = region_rows(result, {"a, b": region((0, 0))})
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert [row["quantity"] for row in read] == ["NAA", "tCho", "tCho/NAA"]
    assert read[0]["region"] == "a, b"
    assert float(read[0]["mean"]) == pytest.approx(rows[0].mean, rel=1e-5)
    assert read[2]["signal_change"] == ""


def test_unusable_maps_and_regions_are_refused(mri):
    resolver = SuperResolver(ZeroFilling(), "cpu")
    maps = maps_of(LEVELS)
    with pytest.raises(InputError, match="two maps of tCho"):
        super_resolve_patient(resolver, maps | {"tCho": maps["NAA"]}, mri, mri)
    with pytest.raises(InputError, match="at least one"):
        super_resolve_patient(resolver, {}, mri, mri)
    elsewhere = sitk.Image(maps["NAA"])
    elsewhere.SetOrigin((-90.0, -94.5, -3.0))
    with pytest.raises(InputError, match="NAA and tCho are not on one grid"):
        super_resolve_patient(resolver, {"NAA": maps["NAA"], "tCho": elsewhere}, mri, mri)
    result = super_resolve_patient(resolver, maps, mri, mri)
    with pytest.raises(InputError, match="'lesion' is empty"):
        region_rows(result, {"lesion": region((0, 0), 0.0)})
    with pytest.raises(InputError, match="'lesion' holds no voxel"):
        region_rows(result, {"lesion": region((90, 90), 4.0)})
