"""FSL-MRS's results folder: which files are maps, and amounts on one scale."""

import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from fsl_mrs_results import BASIS, FREQUENCY, true_map, write_results

from inference_core.errors import InputError, InputWarning
from inference_core.study.fsl_mrs import check_comparable, comparability_doubt
from inference_core.study.map_sources import maps_from_images
from inference_core.study.unused_maps import unused_images
from inference_core.study.walker import find_parts_in


def array_of(image):
    return sitk.GetArrayFromImage(image)


def read(folder):
    """The maps of a results folder, found as `prepare` finds them."""
    (maps,) = maps_from_images(find_parts_in(folder).maps)
    return maps


@pytest.fixture
def results(tmp_path):
    write_results(tmp_path / "fit")
    return tmp_path / "fit"


def test_raw_amounts_are_brought_back_to_one_scale(results, tmp_path):
    truth = write_results(tmp_path / "not rescaled", rescaled=False).T
    maps, unscaled = read(results), read(tmp_path / "not rescaled")
    assert list(maps.metabolites) == ["tCho", "tCr", "NAA", "Glu", "Ins"]
    for name, own in maps.metabolites.items():
        values = array_of(own.concentration)
        # Up to a factor that all voxels share: that of the basis set, 1 here.
        np.testing.assert_allclose(values, array_of(unscaled.metabolites[name].concentration), rtol=1e-5)
        assert np.corrcoef(values[truth > 0], truth[truth > 0])[0, 1] > 0.999
        assert "scaled back" in own.amount_note
        assert not unscaled.metabolites[name].amount_note
    # What the files hold is flat.
    raw = array_of(sitk.ReadImage(str(results / "concs/raw/NAA.nii.gz")))[truth > 0]
    assert raw.std() < 0.02 * raw.mean()


def test_amounts_whose_slices_lie_along_another_axis_are_scaled_likewise(tmp_path):
    # Slices along the first axis: 3 x 14 x 14 voxels of 15 x 14 x 14 mm.
    affine = np.array([[0, -14.0, 0, 105], [0, 0, -14, 105], [15, 0, 0, -8], [0, 0, 0, 1]])
    amounts = np.moveaxis(true_map((14, 14, 3)), 2, 0)
    write_results(tmp_path / "fit", amounts=amounts, affine=affine)
    with pytest.warns(InputWarning, match="axes were reordered, to 14 x 14 x 3 voxels"):
        maps = read(tmp_path / "fit")
    values, truth = array_of(maps.metabolites["tCho"].concentration), true_map((14, 14, 3)).T
    assert np.corrcoef(values[truth > 0], truth[truth > 0])[0, 1] > 0.999


def test_amounts_scaled_by_water_are_taken_where_they_are(tmp_path):
    truth = write_results(tmp_path / "fit", water=True).T
    maps = read(tmp_path / "fit")
    np.testing.assert_allclose(array_of(maps.metabolites["NAA"].concentration), 2.5 * BASIS["NAA"] * truth, rtol=1e-5)
    assert maps.metabolites["NAA"].source.parent.name == "molality"


def test_sums_have_the_quality_of_their_parts(results):
    maps = read(results)
    choline, naa = maps.metabolites["tCho"], maps.metabolites["NAA"]
    there = array_of(choline.concentration) > 0
    assert choline.name == "GPC+PCh"
    np.testing.assert_allclose(array_of(choline.crlb)[there], 8)
    np.testing.assert_allclose(array_of(choline.snr)[there], 5 * (BASIS["GPC"] + BASIS["PCho"]))
    # In Hz in the file; the frequency is in the header of the fitted signal.
    np.testing.assert_allclose(array_of(choline.fwhm)[there], (6 + BASIS["GPC"] / 10) / FREQUENCY, rtol=1e-5)
    assert "sum of that of GPC and PCh" in choline.quality_note
    np.testing.assert_allclose(array_of(naa.snr)[there], 5 * BASIS["NAA"])
    assert not naa.quality_note


def test_one_signals_quality_is_not_taken_for_anothers(results):
    # Lac's is there, and of tCr's parts there is none.
    for part in ("Cr", "PCr"):
        for what in ("snr", "fwhm"):
            (results / "qc" / f"{part}_{what}.nii.gz").unlink()
    maps = read(results)
    assert maps.metabolites["tCr"].snr is maps.metabolites["tCr"].fwhm is None


def test_what_is_not_used_is_listed_with_its_reason(results):
    parts = find_parts_in(results)
    maps = maps_from_images(parts.maps)
    listed = [one.sentence(results) for one in (*parts.unused, *unused_images(parts.maps, maps, others=False))]
    for sentence in (
        "'concs/internal' is not used: it holds ratios to the internal reference; the maps in 'concs/raw' are taken.",
        "'nuisance' is not used: it holds parameters of the fitted model, no maps of metabolites.",
        "'concs/raw/Cr.nii.gz' is not used: tCr is taken from 'Cr+PCr.nii.gz'.",
        "'concs/raw/PCho.nii.gz' is not used: PCh is none of the network's metabolites but a part of GPC+PCh; "
        "--others keeps it.",
        "'concs/raw/Glu+Lac.nii.gz' is not used: its name contains Glu and Lac, which may be a ratio: give each "
        "metabolite a map of its own.",
    ):
        assert sentence in listed
    assert not unused_images([path for path in parts.maps if "NAA" in path.name], maps, others=True)


def test_parts_alone_are_no_total(tmp_path):
    write_results(tmp_path / "fit", combine=())
    parts = find_parts_in(tmp_path / "fit")
    maps = maps_from_images(parts.maps)
    assert list(maps[0].metabolites) == ["NAA", "Glu", "Ins"]
    reasons = {one.path.name: one.reason for one in unused_images(parts.maps, maps, others=False)}
    assert reasons["Cr.nii.gz"] == (
        "beside PCr it is a part of tCr: let the fit give their sum (fsl_mrsi: --combine Cr PCr)"
    )


@pytest.mark.filterwarnings("ignore::inference_core.errors.InputWarning")
def test_raw_amounts_whose_scale_is_lost_are_refused(results):
    (results / "fit" / "residual.nii.gz").unlink()
    with pytest.raises(InputError, match=r"were scaled voxel by voxel .* do not compare between voxels\. Keep"):
        read(results)
    shutil.rmtree(results / "fit")
    with pytest.raises(InputError, match="were scaled voxel by voxel"):
        read(results)
    # Without the options nothing tells.
    (results / "options.txt").unlink()
    with pytest.warns(InputWarning, match="may be scaled voxel by voxel"):
        read(results)


def test_damaged_signals_are_refused(results):
    path = results / "fit" / "residual.nii.gz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="can't be read"):
        read(results)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="can't be read as an image"):
        read(results)


def test_raw_amounts_are_refused_where_nothing_scales_them_back(results, tmp_path):
    with pytest.raises(InputError, match="scaled voxel by voxel: they do not compare"):
        check_comparable(results / "concs" / "raw" / "NAA.nii.gz")
    write_results(tmp_path / "other", rescaled=False, water=True)
    for name in ("raw", "molality"):
        check_comparable(tmp_path / "other" / "concs" / name / "NAA.nii.gz")
        assert not comparability_doubt(tmp_path / "other" / "concs" / name / "NAA.nii.gz")
    check_comparable(tmp_path / "NAA.nii.gz")
    assert not comparability_doubt(tmp_path / "NAA.nii.gz")


def test_raw_amounts_without_options_may_not_compare(results):
    (results / "options.txt").unlink()
    with pytest.warns(InputWarning, match=r"may hold raw concentrations .* no options.txt beside 'concs' tells"):
        check_comparable(results / "concs" / "raw" / "NAA.nii.gz")
    assert "may hold raw" in comparability_doubt(results / "concs" / "raw" / "NAA.nii.gz")
