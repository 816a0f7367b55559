"""Files of every format that is read: complete ones are read as they are, cut and damaged ones refused."""

import re
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference_core.errors import InputError
from inference_core.imaging.place import without_place
from inference_core.imaging.reading import read_image

#: Each file to write, whether to compress it, and the file that holds its voxels.
FORMATS = [
    ("a.nii", False, "a.nii"),
    ("a.nii.gz", True, "a.nii.gz"),
    ("a.hdr", False, "a.img"),
    ("a.img", False, "a.img"),
    ("a.nrrd", False, "a.nrrd"),
    ("a.nrrd", True, "a.nrrd"),
    ("a.nhdr", False, "a.raw"),
    ("a.nhdr", True, "a.raw.gz"),
    ("a.mha", False, "a.mha"),
    ("a.mha", True, "a.mha"),
    ("a.mhd", False, "a.raw"),
    ("a.mhd", True, "a.zraw"),
    ("a.gipl", False, "a.gipl"),
    ("a.gipl.gz", True, "a.gipl.gz"),
    ("a.mnc", False, "a.mnc"),
]
IDS = [f"{name}{' compressed' if compress else ''}" for name, compress, _ in FORMATS]


@pytest.fixture
def image(sample, orientation):
    """Of 16-bit integers, which all formats hold."""
    values = sample(lambda world: 1000 + 7 * world[..., 0] + world[..., 1], (9, 8, 7), (2.0, 2.5, 3.0), orientation)
    return sitk.Cast(values, sitk.sitkInt16)


@pytest.fixture
def plain(sample):
    noise = np.random.default_rng(0).integers(1, 1000, (7, 8, 9))
    image = sitk.GetImageFromArray(noise.astype(np.int16))
    image.SetSpacing((2.0, 2.5, 3.0))
    image.SetOrigin((5.0, 6.0, 7.0))
    return image


@pytest.mark.parametrize(("name", "compress", "voxels"), FORMATS, ids=IDS)
def test_a_file_converted_from_nifti_is_complete(image, tmp_path, name, compress, voxels):
    sitk.WriteImage(image, str(tmp_path / "source.nii.gz"))
    # With all that SimpleITK takes over of the first file's header.
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "source.nii.gz")), str(tmp_path / name), compress)
    found = read_image(tmp_path / name, "T1", place_needed=False)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(found.GetSpacing(), image.GetSpacing(), rtol=1e-5)
    np.testing.assert_allclose(found.GetOrigin(), image.GetOrigin(), atol=1e-3)
    if "gipl" in name:
        with pytest.raises(InputError, match="gives no position in the patient"):
            read_image(tmp_path / name, "T1")
    else:
        np.testing.assert_allclose(found.GetDirection(), image.GetDirection(), atol=1e-5)
        assert read_image(tmp_path / name, "T1").GetSize() == image.GetSize()


@pytest.mark.parametrize(("name", "compress", "voxels"), FORMATS, ids=IDS)
def test_a_file_that_was_cut_anywhere_is_refused(plain, tmp_path, name, compress, voxels):
    sitk.WriteImage(plain, str(tmp_path / name), compress)
    content = (tmp_path / voxels).read_bytes()
    for length in [*np.linspace(0, len(content) - 1, 23).astype(int), *(len(content) - k for k in (2, 4, 8))]:
        (tmp_path / voxels).write_bytes(content[:length])
        with pytest.raises(InputError, match="can't be read as an image") as error:
            read_image(tmp_path / name, "T1", place_needed=False)
        assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(("name", "compress", "voxels"), [one for one in FORMATS if one[1]], ids=lambda x: str(x))
def test_damaged_compressed_voxels_are_refused(plain, tmp_path, name, compress, voxels):
    sitk.WriteImage(plain, str(tmp_path / name), compress)
    content = (tmp_path / voxels).read_bytes()
    for place in np.linspace(0.45, 0.95, 9):
        damaged = bytearray(content)
        damaged[int(place * len(content))] ^= 0xFF
        (tmp_path / voxels).write_bytes(damaged)
        with pytest.raises(InputError, match=r"damaged or cut short|bytes that its header says"):
            read_image(tmp_path / name, "T1", place_needed=False)


@pytest.mark.parametrize("name", ["a.vtk", "a.mrc", "a.tif", "a.png", "a.dcm", "a"])
def test_formats_that_can_not_be_checked_are_not_read(plain, tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")
    if name in ("a.vtk", "a.mrc", "a.tif"):
        sitk.WriteImage(plain, str(tmp_path / name))
    with pytest.raises(InputError, match=r"format is none that can be checked for completeness.*convert it to NIfTI"):
        read_image(tmp_path / name, "T1")


@pytest.mark.parametrize(
    ("name", "compress", "voxels"), [one for one in FORMATS if one[0] != one[2]], ids=lambda x: str(x)
)
def test_a_pair_without_its_second_file_is_refused(plain, tmp_path, name, compress, voxels):
    sitk.WriteImage(plain, str(tmp_path / name), compress)
    (tmp_path / voxels).unlink()
    with pytest.raises(InputError, match=re.escape(voxels)):
        read_image(tmp_path / name, "T1")


def test_a_pair_is_read_by_either_file_compressed_or_not(plain, tmp_path):
    array = sitk.GetArrayFromImage(plain).T
    nib.save(nib.Nifti1Pair(array, np.diag([2, 2.5, 3, 1])), tmp_path / "a.hdr.gz")
    assert {path.name for path in tmp_path.iterdir()} == {"a.hdr.gz", "a.img.gz"}
    for name in ("a.hdr.gz", "a.img.gz"):
        np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(tmp_path / name)).T, array)
    (tmp_path / "a.hdr.gz").unlink()
    with pytest.raises(InputError, match="can't be read"):
        read_image(tmp_path / "a.img.gz")


def test_what_a_name_says_of_compression_does_not_matter(plain, tmp_path):
    sitk.WriteImage(plain, str(tmp_path / "a.nii"))
    sitk.WriteImage(plain, str(tmp_path / "b.nii.gz"))
    (tmp_path / "c.nii.gz").write_bytes((tmp_path / "a.nii").read_bytes())
    (tmp_path / "d.nii").write_bytes((tmp_path / "b.nii.gz").read_bytes())
    for name in ("c.nii.gz", "d.nii"):
        np.testing.assert_array_equal(
            sitk.GetArrayFromImage(read_image(tmp_path / name)), sitk.GetArrayFromImage(plain)
        )


@pytest.mark.parametrize(("kind", "name"), [(nib.Nifti2Image, "a.nii.gz"), (nib.Nifti2Pair, "a.hdr")])
def test_nifti_2_is_read(plain, tmp_path, kind, name):
    array = sitk.GetArrayFromImage(plain).T
    affine = np.array([[0, 2.0, 0, -90], [-2.5, 0, 0, 100], [0, 0, 3, 20], [0, 0, 0, 1]])
    nib.save(kind(array, affine), tmp_path / name)
    image = read_image(tmp_path / name, "T1")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image).T, array)
    np.testing.assert_allclose(
        image.TransformIndexToPhysicalPoint((1, 2, 3)), -(affine @ [1, 2, 3, 1])[:3] * [1, 1, -1]
    )


def test_analyze_is_named(plain, tmp_path):
    nib.save(nib.AnalyzeImage(sitk.GetArrayFromImage(plain).T, np.diag([2, 2.5, 3, 1])), tmp_path / "a.hdr")
    with pytest.raises(
        InputError, match=r"in the Analyze 7\.5 format, which tells neither left from right nor a place"
    ):
        read_image(tmp_path / "a.hdr", "T1")


@pytest.mark.parametrize("slope", [0.0, float("nan"), float("inf")])
def test_an_intercept_without_a_slope_is_ignored(plain, tmp_path, slope):
    sitk.WriteImage(plain, str(tmp_path / "a.nii"))
    content = bytearray((tmp_path / "a.nii").read_bytes())
    struct.pack_into("<2f", content, 112, slope, 5.0)
    (tmp_path / "a.nii").write_bytes(content)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(tmp_path / "a.nii")), sitk.GetArrayFromImage(plain))


def test_slope_and_intercept_are_applied(plain, tmp_path):
    nifti = nib.Nifti1Image(sitk.GetArrayFromImage(plain).T, np.diag([2, 2.5, 3, 1]))
    nifti.header.set_slope_inter(0.25, -3)
    nib.save(nifti, tmp_path / "a.nii.gz")
    expected = np.asarray(nib.load(tmp_path / "a.nii.gz").dataobj).T
    np.testing.assert_array_equal(sitk.GetArrayFromImage(read_image(tmp_path / "a.nii.gz")), expected)


@pytest.mark.parametrize(
    ("name", "line", "instead"),
    [
        ("a.nrrd", rb"space: left-posterior-superior\n", b""),
        ("a.nrrd", rb"left-posterior-superior", b"scanner-xyz"),
        ("a.nhdr", rb"space[^\n]*\n", b""),
        ("a.mha", rb"TransformMatrix[^\n]*\n", b""),
        ("a.mhd", rb"TransformMatrix[^\n]*\n", b""),
    ],
)
def test_a_file_without_orientation_tells_no_place(plain, tmp_path, name, line, instead):
    sitk.WriteImage(plain, str(tmp_path / name))
    content = (tmp_path / name).read_bytes()
    assert re.search(line, content)
    bare = re.sub(line, instead, content)
    if b"space directions" not in bare and name.startswith("a.n"):
        bare = bare.replace(b"kinds:", b"spacings: 2 2.5 3\nkinds:")
    elif instead == b"" and name == "a.nrrd":
        bare = bare.replace(b"sizes:", b"space dimension: 3\nsizes:")
    (tmp_path / name).write_bytes(bare)
    with pytest.raises(
        InputError, match=r"The header of the T1 '.*' gives no position in the patient \(it gives no orient"
    ):
        read_image(tmp_path / name, "T1")
    assert without_place(read_image(tmp_path / name, "T1", place_needed=False))


def test_a_dangling_link_is_called_one(tmp_path):
    (tmp_path / "T1.nii.gz").symlink_to("../.git/annex/objects/x1/T1.nii.gz")
    with pytest.raises(InputError, match="is a link of git-annex to content that is not on this computer"):
        read_image(tmp_path / "T1.nii.gz", "T1")


ANYTHING = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@pytest.mark.parametrize(
    ("name", "compress", "voxels"), [one for one in FORMATS if not one[1] and one[0] != "a.mnc"], ids=lambda x: str(x)
)
def test_whatever_a_header_holds_ends_in_one_sentence(tmp_path, name, compress, voxels):
    noise = sitk.GetImageFromArray(np.random.default_rng(0).integers(1, 1000, (3, 4, 5)).astype(np.int16))
    sitk.WriteImage(noise, str(tmp_path / name), compress)
    content = (tmp_path / name).read_bytes()

    @ANYTHING
    @given(
        st.lists(
            st.tuples(
                st.integers(0, min(len(content), 400) - 1),
                st.sampled_from([b"9", b"99999999999", b"-", b"\0", b"\xff\xff", b"\n", b" ", b"nan", b"", b"1e400"]),
                st.integers(0, 3),
            ),
            min_size=1,
            max_size=5,
        )
    )
    def read(changes):
        damaged = bytearray(content)
        for place, new, dropped in changes:
            damaged[place : place + dropped] = new
        Path(tmp_path / name).write_bytes(damaged)
        said = ""
        try:
            assert read_image(tmp_path / name, "T1", place_needed=False).GetDimension() == 3
        except InputError as error:
            said = str(error)
        assert "\n" not in said

    read()
