"""Where NIfTI headers place an image, and images of which nothing gives a position."""

import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.nifti import check_itk_place
from inference_core.imaging.place import check_places, without_place
from inference_core.imaging.reading import read_image

QFORM = np.array([[-2.0, 0, 0, 60], [0, 2.0, 0, -70], [0, 0, 3.0, 10], [0, 0, 0, 1]])


def write(path, sform=QFORM, sform_code=1, qform_code=1, units="mm", shape=(20, 24, 12)):
    header = nib.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.int16)
    header.set_qform(QFORM, 1)
    header.set_sform(sform, 1)
    header.set_xyzt_units(units)
    header["vox_offset"] = 352
    content = bytearray(header.binaryblock + bytes(4))
    struct.pack_into("<hh", content, 252, qform_code, sform_code)
    voxels = np.random.default_rng(0).integers(1, 1000, shape).astype(np.int16)
    path.write_bytes(content + voxels.tobytes(order="F"))
    return path


def moved(mm=(0.0, 0.0, 0.0), degrees=0.0):
    """A place that registration moved from the qform's."""
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[:3, 3] = mm
    return turn @ QFORM


def affine_of(image):
    """From voxel indices to RAS mm, as nibabel has it."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return np.diag([-1, -1, 1, 1]) @ matrix


@pytest.mark.parametrize("sform_code", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("qform_code", [0, 1, 2, 3, 4, 5])
def test_the_sform_counts_if_it_has_a_code(tmp_path, sform_code, qform_code, recwarn):
    if not (sform_code or qform_code):
        pytest.skip("no place: see below")
    path = write(tmp_path / "a.nii", moved((4.0, -2.0, 7.0), 6.0), sform_code, qform_code)
    np.testing.assert_allclose(affine_of(read_image(path)), nib.load(path).affine, atol=1e-5)
    assert len(recwarn.list) == bool(sform_code and qform_code)


@pytest.mark.parametrize(
    ("sform", "says"),
    [
        (moved((0, 0, 0.29)), None),
        (moved((0, 0, 0.31)), "0.31 mm"),
        (moved((0.19, 0, 0)), None),
        (moved(degrees=6.0), r"\d+\.?\d* mm"),
        (moved((0, 0, 5.0)), "5 mm"),
    ],
)
def test_two_places_are_said_beyond_a_tenth_of_a_voxel(tmp_path, sform, says, recwarn):
    path = write(tmp_path / "a.nii", sform, 2, 1)
    if says is None:
        read_image(path, "FLAIR")
        assert not recwarn.list
        return
    what = (
        rf"The sform \(code 2\) and the qform \(code 1\) of the FLAIR '.*' place it {says} apart: the sform was taken"
    )
    with pytest.warns(InputWarning, match=what):
        read_image(path, "FLAIR")


@pytest.mark.parametrize("codes", [(0, 0), (7, -1)])
def test_a_header_without_codes_tells_no_place(tmp_path, codes):
    path = write(tmp_path / "a.nii", QFORM, *codes)
    with pytest.raises(
        InputError, match=r"header of the T1 '.*' gives no position in the patient \(the codes of its sfo"
    ):
        read_image(path, "T1")
    assert without_place(read_image(path, "T1", place_needed=False))


def test_a_sheared_sform_has_a_sentence_of_its_own(tmp_path):
    shear = np.eye(4)
    shear[0, 1] = 0.1
    path = write(tmp_path / "a.nii", QFORM @ shear, 4)
    with pytest.raises(InputError, match="its sform shears the voxels, so that their axes are not perpendicular"):
        read_image(path, "T1")
    # Rounding, of a matrix that was kept with four digits.
    shear[0, 1] = 0.001
    np.testing.assert_allclose(affine_of(read_image(write(path, QFORM @ shear, 4))), QFORM @ shear, atol=3e-3)


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_sheared_axes_of_other_formats_are_named(tmp_path, name):
    image = sitk.Image([8, 8, 8], sitk.sitkInt16) + 1
    sitk.WriteImage(image, str(tmp_path / name))
    old, new = {
        "a.nrrd": (b"(1,0,0) (0,1,0)", b"(1,0,0) (0.3,1,0)"),
        "a.mha": (b"1 0 0 0 1 0 0 0 1", b"1 0 0 0.3 1 0 0 0 1"),
    }[name]
    content = (tmp_path / name).read_bytes()
    assert old in content
    (tmp_path / name).write_bytes(content.replace(old, new))
    with pytest.raises(InputError, match=r"The axes of the T1 '.*' are not perpendicular"):
        read_image(tmp_path / name, "T1")


def test_units_of_length_count(tmp_path):
    metre = np.diag([0.001, 0.001, 0.001, 1])
    path = write(tmp_path / "a.nii", metre @ QFORM, 1, 0, "meter")
    np.testing.assert_allclose(affine_of(read_image(path)), QFORM, atol=1e-5)
    micrometre = np.diag([1000, 1000, 1000, 1])
    path = write(tmp_path / "a.nii", micrometre @ QFORM, 1, 0, "micron")
    np.testing.assert_allclose(affine_of(read_image(path)), QFORM, atol=1e-5)


@pytest.mark.parametrize(
    ("scale", "units", "voxels"),
    [(1, "meter", "2000 x 2000 x 3000 mm"), (1, "micron", "0.002 x 0.002 x 0.003 mm"), (30, "mm", "60 x 60 x 90 mm")],
)
def test_sizes_that_no_image_of_a_head_has_are_refused(tmp_path, scale, units, voxels):
    path = write(tmp_path / "a.nii", np.diag([scale, scale, scale, 1]) @ QFORM, 1, 0, units)
    with pytest.raises(InputError, match=f"The T1 '.*' has 20 x 24 x 12 voxels of {voxels}, which no image of a head"):
        read_image(path, "T1")


def test_images_without_a_place_must_all_lie_on_one_grid(tmp_path, recwarn):
    lost, other, placed = (
        read_image(write(tmp_path / f"{name}.nii", QFORM, code, 0, shape=shape), place_needed=False)
        for name, code, shape in (("a", 0, (20, 24, 12)), ("b", 0, (20, 24, 10)), ("c", 1, (20, 24, 12)))
    )
    check_places({"map": placed, "T1": placed, "FLAIR": placed})
    assert not recwarn.list
    with pytest.warns(
        InputWarning, match="headers of map, T1 and FLAIR give no position in the patient: they were taken"
    ):
        check_places({"map": lost, "T1": lost, "FLAIR": lost})
    for images in ({"map": lost, "T1": placed}, {"map": placed, "T1": lost}, {"map": other, "T1": lost}, {"T1": lost}):
        with pytest.raises(InputError, match="gives no position in the patient"):
            check_places(images)


def test_images_that_simpleitk_read_itself_tell_no_place_either(tmp_path):
    assert without_place(sitk.ReadImage(str(write(tmp_path / "a.nii", QFORM, 0, 0))))
    assert not without_place(sitk.ReadImage(str(write(tmp_path / "a.nii", QFORM, 0, 1))))


def test_files_that_itk_would_place_elsewhere_are_refused_where_it_loads_them(tmp_path):
    check_itk_place(write(tmp_path / "a.nii", moved((9.0, 0, 0)), 1, 1), "labels")
    check_itk_place(write(tmp_path / "a.nii", QFORM, 2, 1), "labels")
    check_itk_place(tmp_path / "not_there.nii", "labels")
    with pytest.raises(InputError, match=r"of the labels place it 9 mm apart, and Slicer would take the qform: make"):
        check_itk_place(write(tmp_path / "a.nii", moved((9.0, 0, 0)), 2, 1), "labels")
    with pytest.raises(InputError, match="The header of the labels gives no position"):
        check_itk_place(write(tmp_path / "a.nii", QFORM, 0, 0), "labels")
