"""One examination: whoever asks for a quantity of a patient, in whatever order, gets the same numbers."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core import InputError, InputWarning, SuperResolver
from inference_core.commands.cli import main
from inference_core.errors import collected_warnings, warn_of
from inference_core.imaging.reading import read_image
from inference_core.inference.examination import Examination
from inference_core.inference.patient_result import notices_by_map, super_resolve_patient
from inference_core.inference.uncertainty.calibration import load_calibration
from inference_core.terms.quantity import Quantity
from inference_core.terms.ratios import Ratio
from inference_core.terms.reference import Reference

SAMPLE = Path(__file__).resolve().parents[3] / "Resources" / "SamplePatient"
RATIO = Ratio.parse("tCho/NAA")
RELATIVE = Quantity(RATIO.metabolites, RATIO, Reference())
KEYS = {"tCho": "first", "NAA": "second"}


def sample_file(pattern):
    (path,) = SAMPLE.glob(pattern)
    return path


FILES = {name: sample_file(f"mrsi/*res-n16_desc-acquired_{name}.nii.gz") for name in KEYS}
T1, FLAIR = (sample_file(f"anat/*_{role}.nii.gz") for role in ("T1w", "FLAIR"))


@pytest.fixture(scope="module")
def resolver():
    return SuperResolver.load(device="cpu")


@pytest.fixture(scope="module")
def calibration(resolver):
    return load_calibration(resolver.weights)


def examined(resolver):
    found = Examination(resolver)
    for name, key in KEYS.items():
        found.prepare(key, *(read_image(path, "image") for path in (FILES[name], T1, FLAIR)))
    return found


@pytest.fixture
def examination(resolver):
    return examined(resolver)


class CountingResolver:
    """Counts the slices that each map was super-resolved in."""

    def __init__(self, resolver):
        self.resolver, self.slices = resolver, []

    def __getattr__(self, name):
        return getattr(self.resolver, name)

    def super_resolve(self, prepared, metabolite, sharpness, slices, *rest):
        self.slices += [(metabolite, sharpness, index) for index in slices]
        return self.resolver.super_resolve(prepared, metabolite, sharpness, slices, *rest)


def test_slices_in_any_order_are_those_of_the_whole(examination, resolver, calibration):
    whole = examination.quantity(RELATIVE, KEYS, 0.02).whole()
    certain = examination.quantity(RELATIVE, KEYS, 0.02).whole(calibration)
    another = Examination(resolver)
    for key in KEYS.values():
        another._prepared[key] = examination._prepared[key]
    source = another.quantity(RELATIVE, KEYS, 0.02)
    for index in (3, 0, 4, 1, 2):
        np.testing.assert_array_equal(source.slices([index]).values[0], whole.values[index])
    for index in (2, 4, 0):
        found = source.slices_with_uncertainty([index], calibration)
        np.testing.assert_array_equal(found.values[0], certain.values[index])
        np.testing.assert_array_equal(found.uncertainty[0], certain.uncertainty[index])
        np.testing.assert_array_equal(found.mask[0], certain.mask[index])
    assert whole.reference_level == certain.reference_level


def test_each_slice_is_super_resolved_once_at_each_sharpness(examination, resolver):
    counting = CountingResolver(resolver)
    examination.resolver = counting
    source = examination.quantity(RELATIVE, KEYS, 0.0)
    source.slices([2])
    source.whole()
    for name, key in KEYS.items():
        examination.quantity(Quantity((name,)), {name: key}, 0.0).whole()
    assert len(counting.slices) == len(set(counting.slices)) == 2 * 5
    examination.quantity(RELATIVE, KEYS, 0.02).whole()
    assert len(counting.slices) == len(set(counting.slices)) == 4 * 5


def test_kept_maps_are_bounded(examination):
    for step in range(6):
        source = examination.quantity(RELATIVE, KEYS, step / 100)
    assert len(examination._maps) == 7
    assert source.slices([2]).values.any()


def test_the_level_is_taken_before_the_uncertainty_masks_the_ratio(resolver, calibration):
    """Of an earlier sample patient the commands gave 0.17180, of what was left of the ratio, and the panel 0.17279."""
    # With the network's own detail, as those numbers were taken.
    examination = examined(resolver.with_detail("network"))
    found = examination.quantity(RELATIVE, KEYS, 0.0).whole(calibration)
    plain = examination.quantity(Quantity(RATIO.metabolites, RATIO), KEYS, 0.0)
    without, masked = plain.whole(), plain.whole(calibration)
    assert found.reference_level == pytest.approx(0.17268, abs=5e-6)
    assert found.reference_level == float(np.median(without.values[without.mask]))
    # Of what is left, the median is another one.
    assert (without.mask & ~masked.mask).any()
    assert float(np.median(masked.values[masked.mask])) == pytest.approx(0.17131, abs=5e-6)
    np.testing.assert_array_equal(found.mask, masked.mask)
    np.testing.assert_array_equal(found.values, masked.values / np.float32(found.reference_level))


def test_the_command_gives_the_numbers_of_the_examination(examination, calibration, tmp_path):
    words = ["--map", *map(str, FILES.values()), "--t1", str(T1), "--flair", str(FLAIR), "--device", "cpu"]
    output, error = tmp_path / "ratio.nii.gz", tmp_path / "error.nii.gz"
    words += ["--metabolite", "tCho/NAA", "--reference", "brain", "--output", str(output), "--uncertainty", str(error)]
    assert main(["predict", *words]) == 0
    expected = examination.quantity(RELATIVE, KEYS, 0.0).whole(calibration)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(output))), expected.values)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(error))), expected.uncertainty)
    assert json.loads((tmp_path / "ratio.json").read_text())["ReferenceValue"] == expected.reference_level


def test_without_a_calibration_the_measured_maps_tell_where_the_denominator_may_be_zero(examination):
    found = examination.quantity(Quantity(RATIO.metabolites, RATIO), KEYS, 0.0).whole()
    naa = examination.quantity(Quantity(("NAA",)), {"NAA": "second"}, 0.0).whole()
    measured = {name: examination.prepared(key).low_resolution for name, key in KEYS.items()}
    there = (measured["tCho"] > 0) & (measured["NAA"] > 0)
    least = 0.1 * np.median(measured["NAA"][there])
    np.testing.assert_array_equal(found.mask, naa.mask & examination.prepared("first").brain & (naa.values > least))
    assert found.uncertainty is None
    np.testing.assert_array_equal(found.measured_mask, there & (measured["NAA"] > least))


def test_a_map_is_prepared_once_and_brings_its_notices(resolver, patient):
    examination, images = Examination(resolver), patient(size=(16, 16, 1))
    failed = sitk.GetArrayFromImage(images[0])
    failed[0, 8, 8] = np.nan
    broken = sitk.GetImageFromArray(failed)
    broken.CopyInformation(images[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        examination.prepare("NAA", broken, *images[1:])
        assert examination.prepare("NAA", None, None, None) is examination.prepared("NAA")
        examination.prepare("tCho", *images)
    (notice,) = examination.notices("NAA")
    assert notices_by_map(examination, {"NAA": "NAA", "tCho": "tCho"}) == (f"NAA: {notice}",)
    assert notices_by_map(examination, {"NAA": "NAA", "tCho": "NAA"}) == (notice,)
    assert examination.prepared("tCho").t1 is examination.prepared("NAA").t1


def test_another_treatment_of_the_detail_takes_the_maps_that_are_prepared(examination, resolver):
    other = examination.treated_by(resolver.with_detail("zero-filled"))
    key = next(iter(examination._prepared))
    assert other.prepared(key) is examination.prepared(key)
    values = [own.quantity(Quantity(("NAA",)), {"NAA": key}, 0.0).whole().values for own in (examination, other)]
    assert (values[0] != values[1]).any()
    assert other.movement(key, "NAA", 0.0).sentence == "The measured data were kept exactly."
    moved = examination.treated_by(resolver.with_consistency("noise")).movement(key, "NAA", 0.0)
    assert 0 <= moved.mean <= 1


def test_a_patient_is_warned_of_once(resolver, patient):
    images = patient(size=(34, 34, 1))
    with pytest.warns(InputWarning) as told:
        found = super_resolve_patient(resolver, {"NAA": images[0], "tCho": images[0]}, *images[1:])
    assert [str(one.message) for one in told] == list(found.notices)


def test_collected_warnings_are_the_users_alone():
    def warned():
        with collected_warnings() as sentences:
            warn_of(["One.", "Two.", "One."])
            warnings.warn("old", DeprecationWarning, stacklevel=1)
        return sentences

    with pytest.warns(DeprecationWarning, match="old"):
        assert warned() == ["One.", "Two."]


def test_maps_on_other_grids_are_refused(examination, patient):
    examination.prepare("elsewhere", *patient(size=(16, 16, 5)))
    with pytest.raises(InputError, match="maps of tCho and NAA are not on one grid"):
        examination.quantity(RELATIVE, KEYS | {"NAA": "elsewhere"}, 0.0)
