import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.geometry import padded_array, super_resolved_grid
from inference_core.imaging.reading import check_map, check_mri, check_overlap, check_volume, read_image


def one_sentence(error):
    """A message for the user: one line, one sentence, no traceback in it."""
    message = str(error.value)
    assert "\n" not in message
    assert message.endswith(".")
    assert "Traceback" not in message
    return message


def test_images_are_read_with_their_geometry(tmp_path, patient, orientation):
    low_resolution = patient(direction=orientation)[0]
    for name in ("map.nii.gz", "map.nrrd", "map.mha"):
        sitk.WriteImage(low_resolution, str(tmp_path / name))
        image = read_image(tmp_path / name, "map")
        np.testing.assert_allclose(image.GetOrigin(), low_resolution.GetOrigin(), atol=1e-4)
        np.testing.assert_allclose(image.GetDirection(), low_resolution.GetDirection(), atol=1e-5)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"The T1 '.*t1\.nii\.gz' does not exist") as error:
        read_image(tmp_path / "t1.nii.gz", "T1")
    one_sentence(error)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(InputError, match="is a folder") as error:
        read_image(tmp_path, "map")
    one_sentence(error)


@pytest.mark.parametrize("name", ["map.nii.gz", "map.nii", "map.nrrd", "map.txt"])
@pytest.mark.parametrize("content", [b"", b"this is no image", b"\x1f\x8b\x08\x00" + bytes(40)])
def test_unreadable_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="can't be read as an image") as error:
        read_image(tmp_path / name, "map")
    one_sentence(error)


@pytest.mark.parametrize("name", ["t1.nii.gz", "t1.nii", "t1.nrrd", "t1.mha"])
@pytest.mark.parametrize("share", [0.3, 0.99])
def test_truncated_files_are_refused(tmp_path, patient, name, share):
    path = tmp_path / name
    sitk.WriteImage(patient()[2], str(path))
    assert read_image(path, "T1").GetSize() == (50, 56, 38)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match="can't be read as an image") as error:
        read_image(path, "T1")
    one_sentence(error)


def test_damaged_files_are_refused(tmp_path, patient):
    path = tmp_path / "t1.nii.gz"
    sitk.WriteImage(patient()[2], str(path))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="can't be read as an image"):
        read_image(path, "T1")


@pytest.mark.parametrize(
    ("image", "what"),
    [
        (sitk.Image([8, 8, 8, 2], sitk.sitkFloat32), r"is 4-D \(8 x 8 x 8 x 2 voxels\), not 3-D: extract one volume"),
        (sitk.Image([8, 8], sitk.sitkFloat32), r"is 2-D \(8 x 8 voxels\), not 3-D: save it as 3-D with one slice"),
        (sitk.Image([8, 8, 8], sitk.sitkVectorUInt8, 3), "holds 3 values a voxel"),
        (sitk.Image([8, 8, 8], sitk.sitkComplexFloat32), "holds complex numbers"),
    ],
)
def test_images_that_are_no_scalar_volumes_are_refused(tmp_path, image, what):
    path = tmp_path / "image.nii.gz"
    sitk.WriteImage(image, str(path))
    for refuse in (
        lambda: check_volume(image, "FLAIR"),
        lambda: check_mri(image, "FLAIR"),
        lambda: check_map(image),
        lambda: read_image(path, "FLAIR"),
    ):
        with pytest.raises(InputError, match=what) as error:
            refuse()
        one_sentence(error)


def test_a_fourth_axis_of_one_volume_is_dropped(patient):
    low_resolution = patient()[0]
    assert check_map(sitk.JoinSeries(low_resolution)).GetSize() == low_resolution.GetSize()


@pytest.mark.parametrize("pixel", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt32, sitk.sitkInt64, sitk.sitkFloat64])
def test_all_real_pixel_types_are_accepted(patient, pixel):
    low_resolution, t1, _ = (sitk.Cast(image, pixel) for image in patient())
    assert check_map(low_resolution).GetPixelID() == pixel
    assert check_mri(t1, "T1").GetPixelID() == sitk.sitkFloat32


@pytest.mark.parametrize(
    ("value", "what"), [(0, "only zeros"), (np.nan, "no positive value"), (-2, "no positive value")]
)
def test_maps_without_values_are_refused(patient, replace_array, value, what):
    low_resolution = patient()[0]
    with pytest.raises(InputError, match=what) as error:
        check_map(replace_array(low_resolution, np.full((3, 16, 16), value, np.float32)))
    one_sentence(error)


@pytest.mark.parametrize("value", [0, np.nan, -np.inf])
def test_mri_without_values_is_refused(patient, replace_array, value):
    t1 = patient()[1]
    with pytest.raises(InputError, match="The T1 holds no positive value") as error:
        check_mri(replace_array(t1, np.full(t1.GetSize()[::-1], value, np.float32)), "T1")
    one_sentence(error)


def test_mri_is_zero_where_it_is_not_finite(patient, replace_array):
    t1 = patient()[1]
    array = sitk.GetArrayFromImage(t1)
    background = array == 0
    array[background] = np.nan
    array[30, 30, 30] = np.inf
    checked = sitk.GetArrayFromImage(check_mri(replace_array(t1, array), "T1"))
    assert not checked[background].any()
    assert checked[30, 30, 30] == 0
    assert np.isfinite(checked).all()


def test_mri_elsewhere_is_refused(patient, sample):
    low_resolution = patient()[0]
    grid = super_resolved_grid(low_resolution)
    values = padded_array(low_resolution, grid)
    for shift in ((400.0, 0.0, 0.0), (0.0, 0.0, -200.0)):
        t1 = sample(lambda world: np.ones(world.shape[:-1]), (40, 40, 30), (4.0, 4.0, 4.0), shift=shift)
        with pytest.raises(InputError, match="The T1 does not overlap the map") as error:
            check_overlap(t1, values, grid, "T1")
        one_sentence(error)


def test_mri_of_less_than_half_the_map_warns(patient, sample, recwarn):
    low_resolution = patient()[0]
    grid = super_resolved_grid(low_resolution)
    values = padded_array(low_resolution, grid)

    def slab(thickness, shift):
        ones = sample(lambda world: np.ones(world.shape[:-1]), (60, 60, thickness), (4.0, 4.0, 1.0), shift=shift)
        check_overlap(ones, values, grid, "FLAIR")

    slab(60, (0.0, 0.0, 0.0))
    slab(60, (0.0, 0.0, 20.0))
    assert not recwarn.list
    with pytest.warns(InputWarning, match="The FLAIR covers only [23][0-9]% of the map"):
        slab(10, (0.0, 0.0, 10.0))
