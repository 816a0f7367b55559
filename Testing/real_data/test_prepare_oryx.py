"""The real examination K_01 from LCModel's output: the same maps as those laid out as images, and a prepared folder."""

import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.commands.cli import main
from inference_core.study.geometry_sources import GeometryOptions
from inference_core.study.map_sources import maps_from_images, maps_from_lcmodel
from inference_core.study.walker import find_patients

#: The examination's own name of each map, by LCModel's; it has no Gly.
MAPS = {
    "GPC+PCh": "tCho",
    "Cr+PCr": "tCr",
    "NAA": "NAA",
    "NAA+NAAG": "tNAA",
    "Gln": "Gln",
    "Glu": "Glu",
    "Ins": "Ins",
}


def array_of(image):
    return sitk.GetArrayFromImage(image)


def map_of(examination, what):
    return sitk.ReadImage(str(examination / "maps" / f"K_01_{what}.nii.gz"))


@pytest.fixture(scope="module")
def spar(examination):
    return examination / "K_01_press_1_raw_act.spar"


@pytest.mark.parametrize("kinds", [(".table", ".csv", ".coord"), (".table",), (".csv",)])
def test_every_voxel_is_that_of_the_maps(examination, spar, tmp_path, kinds):
    for path in (examination / "lcmodel").iterdir():
        if path.suffix in kinds:
            (tmp_path / path.name).symlink_to(path)
    maps = maps_from_lcmodel(tmp_path, spar)
    assert list(maps.metabolites) == ["tCho", "tCr", "NAA", "Gln", "Glu", "Ins"]
    by_name = {one.name: one for one in (*maps.metabolites.values(), *maps.others.values())}
    for name, own in MAPS.items():
        one, conc = by_name[name], map_of(examination, f"conc_{own}")
        np.testing.assert_array_equal(array_of(one.concentration), array_of(conc))
        np.testing.assert_array_equal(array_of(one.crlb), array_of(map_of(examination, f"sd_{own}")))
        np.testing.assert_allclose(one.concentration.GetOrigin(), conc.GetOrigin(), atol=1e-4)
        assert one.concentration.GetSpacing() == conc.GetSpacing()
        assert one.concentration.GetDirection() == conc.GetDirection()
        if ".table" in kinds:
            np.testing.assert_array_equal(array_of(one.snr), array_of(map_of(examination, "snr")))
            np.testing.assert_array_equal(array_of(one.fwhm), array_of(map_of(examination, "fwhm")))
        else:
            # LCModel's .csv has neither.
            assert one.snr is one.fwhm is None


def test_the_coordinates_files_say_what_the_tables_do(examination, spar, tmp_path):
    for path in (examination / "lcmodel").glob("*.coord"):
        (tmp_path / path.name).symlink_to(path)
    maps = maps_from_lcmodel(tmp_path, spar)
    for one, what in ((maps.metabolites["NAA"].concentration, "conc_NAA"), (maps.metabolites["NAA"].snr, "snr")):
        array, expected = array_of(one), array_of(map_of(examination, what))
        read = np.isfinite(array)
        assert read.sum() == 9
        np.testing.assert_array_equal(array[read], expected[read])


def test_the_geometry_may_come_from_an_image(examination, spar):
    reference = GeometryOptions(reference=examination / "maps" / "K_01_snr.nii.gz")
    one, other = (
        maps_from_lcmodel(examination / "lcmodel", *of).image for of in ((None, reference), (spar, GeometryOptions()))
    )
    np.testing.assert_allclose(one.GetOrigin(), other.GetOrigin(), atol=1e-4)
    assert (one.GetSpacing(), one.GetSize()) == (other.GetSpacing(), other.GetSize())


def test_the_images_of_the_maps_read_as_lcmodels_output_does(examination, spar):
    (images,) = maps_from_images(sorted((examination / "maps").glob("*.nii.gz")))
    fitted = maps_from_lcmodel(examination / "lcmodel", spar)
    assert list(images.metabolites) == list(fitted.metabolites)
    for name, one in fitted.metabolites.items():
        for role in ("concentration", "crlb", "snr", "fwhm"):
            np.testing.assert_array_equal(
                array_of(getattr(images.metabolites[name], role)), array_of(getattr(one, role))
            )


def test_the_command_prepares_the_examination(examination, spar, tmp_path):
    parts = {"--lcmodel": examination / "lcmodel", "--spar": spar, "--patient": "K01"}
    # There is no FLAIR: T2 stands in for it.
    parts |= {"--t1": examination / "t1_brain.nii.gz", "--flair": examination / "t2_brain.nii.gz"}
    words = [str(word) for pair in parts.items() for word in pair]
    # Registering whole heads takes longer than all the rest, and these two lie on each other already.
    assert main(["prepare", *words, "--no-registration", str(tmp_path / "out")]) == 0
    (patient,) = find_patients(tmp_path / "out")
    assert sorted(metabolite for _, metabolite in patient.maps) == ["Gln", "Glu", "Ins", "NAA", "tCho", "tCr"]
    folder = tmp_path / "out" / "sub-K01" / "mrsi"
    for metabolite in ("NAA", "Gln"):
        acquired, filtered, valid = (
            array_of(sitk.ReadImage(str(folder / f"sub-K01_res-n14_desc-{kind}_{metabolite}.nii.gz")))
            for kind in ("acquired", "filtered", "valid")
        )
        # The outliers at the edge are kept as they were read, and gone after the filter.
        np.testing.assert_array_equal(acquired, array_of(map_of(examination, f"conc_{metabolite}")))
        np.testing.assert_array_equal(filtered, np.where(valid, acquired, 0))
        assert 250 < valid.sum() < 400
        assert filtered.max() < 20 * np.median(filtered[valid > 0])
    assert (tmp_path / "out" / "sub-K01.html").is_file()
