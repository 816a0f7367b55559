"""Odd NIfTI files, and what nibabel reads of them: for the tests, and at length for `Testing/benchmarks`."""

import gzip
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from hypothesis import strategies as st
from nibabel import nifti1, nifti2
from scipy.linalg import polar

from inference_core.errors import InputError, InputWarning
from inference_core.imaging.place import without_place
from inference_core.imaging.reading import read_image

REAL = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
#: Data types of which no volume of real numbers can be made, and their bytes a voxel.
NOT_REAL = {32: 8, 1792: 16, 128: 3, 2304: 4, 1536: 16}
ENDINGS = (".nii", ".nii.gz", ".hdr", ".img", ".hdr.gz")
MILLIMETRES = {1: 1000.0, 3: 0.001}

HEADERS = {
    (1, False): nifti1.Nifti1Header,
    (1, True): nifti1.Nifti1PairHeader,
    (2, False): nifti2.Nifti2Header,
    (2, True): nifti2.Nifti2PairHeader,
}

# nibabel reports what it mends.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class OddFile:
    """A header and voxels.

    Attributes:
        version: of NIfTI, 1 or 2.
        order: of the bytes, "<" or ">".
        ending: of the file that is read; of a pair, either file's.
        fields: of nibabel's header, what is written into it as it is.
        gap: bytes between header and voxels, multiples of 16 as others expect.
        cut: bytes that are missing at the end.
        seed: of the voxels' values.
    """

    version: int
    order: str
    ending: str
    fields: dict
    gap: int
    cut: int
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the voxels."""
        dim = self.fields["dim"]
        return tuple(dim[1 : dim[0] + 1])

    def write(self, folder: Path) -> Path:
        """Write it; returns the path to read."""
        pair = self.ending not in (".nii", ".nii.gz")
        header = HEADERS[self.version, pair](endianness=self.order)
        for name, value in self.fields.items():
            header[name] = value
        least = 0 if pair else len(header.binaryblock) + 4
        header["vox_offset"] = least + self.gap if least + self.gap else 0
        voxels = bytes(self.gap) + self._voxels()
        if self.cut:
            voxels = voxels[: -self.cut]
        path = folder / f"odd{self.ending}"
        if not pair:
            _write(path, header.binaryblock + bytes(4) + voxels)
        else:
            for kind, content in ((".hdr", header.binaryblock), (".img", voxels)):
                _write(path.with_name(f"odd{kind}{'.gz' if self.ending.endswith('.gz') else ''}"), content)
        return path

    def _voxels(self) -> bytes:
        random, count = np.random.default_rng(self.seed), int(np.prod(self.shape))
        code = self.fields["datatype"]
        if code in NOT_REAL:
            return random.bytes(count * NOT_REAL[code])
        if code in (16, 64):
            values = random.normal(0, 10.0 ** random.uniform(-5, 5), count)
            values[random.random(count) < 0.05] = np.nan
            return values.astype(self.order + REAL[code]).tobytes()
        return random.bytes(count * np.dtype(REAL[code]).itemsize)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content, 1) if path.suffix == ".gz" else content)


def _matrix(draw) -> np.ndarray:
    """A 4 x 4 affine: turned, mirrored, perhaps sheared, and far from the origin."""
    quaternion = np.array([draw(st.floats(-1, 1)) for _ in range(4)])
    if np.linalg.norm(quaternion) < 0.1 or draw(st.booleans()):
        quaternion = np.array([1.0, 0, 0, 0])
    matrix = np.eye(4)
    matrix[:3, :3] = nib.quaternions.quat2mat(quaternion / np.linalg.norm(quaternion))
    matrix[:3, :3] *= [draw(_voxel()) * draw(st.sampled_from([1, 1, -1])) for _ in range(3)]
    if draw(st.integers(0, 4)) == 0:
        place = draw(st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 1)]))
        matrix[place] += draw(st.sampled_from([1e-6, 1e-4, 0.01, 0.3])) * matrix[place[0], place[0]]
    matrix[:3, 3] = [draw(st.floats(-300, 300, width=32)) for _ in range(3)]
    order = draw(st.permutations([0, 1, 2]))
    matrix[:3, :3] = matrix[:3, order]
    return matrix


def _voxel():
    usual = st.one_of(st.sampled_from([1.0, 10.0, 12.5, 0.9375]), st.floats(0.125, 50, width=32))
    return st.integers(0, 29).flatmap(lambda dice: usual if dice else st.sampled_from([0.01, 0.001, 1000.0, 10000.0]))


@st.composite
def odd_files(draw) -> OddFile:
    """Files as they come, and some that never should."""
    version = draw(st.sampled_from([1, 1, 2]))
    shape = [draw(st.integers(1, 6)) for _ in range(3)] + [1] * draw(st.sampled_from([0, 0, 1, 2, 4]))
    form = _matrix(draw)
    sform = form if draw(st.booleans()) else _matrix(draw)
    spacing = np.linalg.norm(form[:3, :3], axis=0)
    rotation = form[:3, :3] / spacing
    qfac = 1.0
    if np.linalg.det(rotation) < 0:
        rotation[:, 2] *= -1
        qfac = -1.0
    left, _, right = np.linalg.svd(rotation)
    quaternion = nib.quaternions.mat2quat(left @ right)
    code = st.sampled_from([0, 0, 1, 1, 2, 3, 4, 5, 6, 99, -1])
    number = st.one_of(
        st.sampled_from([0.0, 1.0, -1.0, float("nan"), float("inf")]),
        st.floats(-1000, 1000, width=32, allow_subnormal=False),
    )
    plain = draw(st.booleans())
    pixdim = [draw(st.sampled_from([qfac] * 9 + [0.0])), *spacing, 1, 1, 1, 1]
    if draw(st.integers(0, 19)) == 0:
        pixdim[draw(st.integers(1, 3))] *= draw(st.sampled_from([-1, 0]))
    if draw(st.integers(0, 19)) == 0:
        quaternion = quaternion * draw(st.sampled_from([1.0000001, 1.1, 3.0]))
    if draw(st.integers(0, 29)) == 0:
        sform = sform * [[draw(st.sampled_from([0.0, float("nan")]))], [1], [1], [1]]
    fields = {
        "dim": [len(shape), *shape] + [1] * (7 - len(shape)),
        "datatype": draw(st.sampled_from([*REAL] * 6 + [*NOT_REAL])),
        "pixdim": pixdim,
        "scl_slope": 1.0 if plain else draw(number),
        "scl_inter": 0.0 if plain else draw(number),
        "xyzt_units": draw(st.sampled_from([0, 2, 10] * 6 + [1, 3])),
        "qform_code": draw(code),
        "sform_code": draw(code),
    }
    fields["bitpix"] = 8 * (NOT_REAL.get(fields["datatype"]) or np.dtype(REAL[fields["datatype"]]).itemsize)
    for name, value in zip(("quatern_b", "quatern_c", "quatern_d"), quaternion[1:], strict=True):
        fields[name] = value
    for name, value in zip(("qoffset_x", "qoffset_y", "qoffset_z"), form[:3, 3], strict=True):
        fields[name] = value
    for name, row in zip(("srow_x", "srow_y", "srow_z"), sform, strict=False):
        fields[name] = row
    cut = draw(st.integers(1, 9)) if draw(st.integers(0, 14)) == 0 else 0
    return OddFile(
        version=version,
        order=draw(st.sampled_from("<>")),
        ending=draw(st.sampled_from(ENDINGS)),
        fields=fields,
        gap=draw(st.sampled_from([0, 0, 16, 64])),
        cut=cut,
        seed=draw(st.integers(0, 1 << 30)),
    )


def compare_with_nibabel(odd: OddFile, folder: Path) -> str:
    """Read a file with both.

    Returns:
        What became of it: "read", "no place", "incomplete", "no real numbers", "not upright", "no size of a head's",
        "damaged".

    Raises:
        AssertionError: if what is read differs, or a file is refused that should be read or read that should not.
    """
    path = odd.write(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            image, error = read_image(path, "T1", place_needed=False), ""
        except InputError as refused:
            image, error = None, str(refused)
    warned = any(issubclass(w.category, InputWarning) and "mm apart" in str(w.message) for w in caught)
    refused = None
    try:
        reference = nib.load(path)
        values = np.asarray(reference.dataobj) if odd.fields["datatype"] not in NOT_REAL else None
        affine, header = reference.affine.astype(float), reference.header
    except (nib.spatialimages.HeaderDataError, ValueError, OSError, nib.filebasedimages.ImageFileError) as problem:
        refused = str(problem)
    if refused is not None:
        # A quaternion that is too long by little more than rounding is made as long as it should be.
        assert image is None or "w2 should be positive" in refused, (error, refused)
        return "incomplete" if odd.cut else "damaged"
    if values is None:
        assert error, "no volume of real numbers was read"
        return "no real numbers"
    if odd.cut:
        assert error, "a file that was cut short was read"
        return "incomplete"
    scale = MILLIMETRES.get(odd.fields["xyzt_units"] & 7, 1.0)
    affine[:3] *= scale
    placed = bool(header["sform_code"] or header["qform_code"])
    spacing = np.linalg.norm(affine[:3, :3], axis=0) if placed else scale * np.array(header.get_zooms()[:3])
    if not np.isfinite(affine).all() or (placed and abs(np.linalg.det(affine[:3, :3])) < 1e-12):
        assert error, "an affine that is none was taken"
        return "damaged"
    edges = np.array(odd.shape[:3])
    if placed:
        cosines = (affine[:3, :3] / spacing).T @ (affine[:3, :3] / spacing) - np.eye(3)
        # How far the farthest corner moves if the axes are made perpendicular, in voxels.
        upright = affine.copy()
        upright[:3, :3] = polar(affine[:3, :3] / spacing)[0] * spacing
        moved = _apart(upright, affine, edges)
        if moved > 0.0999 and "shears the voxels" in error:
            return "not upright"
        assert moved < 0.1001, (moved, error)
        assert "shears the voxels" not in error, (moved, error)
    excess = max(0.05 / spacing.min(), spacing.max() / 200, (spacing * edges).max() / 1000)
    if excess > 0.9999 and "which no image of a head has" in error:
        return "no size of a head's"
    assert excess < 1.0001, (excess, error)
    assert image is not None, error
    array = sitk.GetArrayFromImage(image)
    np.testing.assert_array_equal(array.astype(float), values.reshape(odd.shape[:3], order="F").T.astype(float))
    if not placed:
        assert without_place(image)
        np.testing.assert_allclose(image.GetSpacing(), spacing, rtol=1e-6)
        return "no place"
    assert not without_place(image)
    own = np.eye(4)
    own[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    own[:3, 3] = image.GetOrigin()
    own = np.diag([-1, -1, 1, 1]) @ own
    # Voxels lie where nibabel has them, to a thousandth of their edge where the header's axes are perpendicular.
    assert _apart(affine, own, edges) < (0.11 if np.abs(cosines).max() > 1e-6 else 1e-3)
    if header["sform_code"] and header["qform_code"]:
        try:
            sform, qform = header.get_sform(), header.get_qform()
        except ValueError:
            return "read"
        unit = np.diag([scale, scale, scale, 1])
        difference = _apart(unit @ sform, unit @ qform, edges)
        assert warned == (difference > 0.1) or 0.0999 < difference < 0.1001, (warned, difference)
    else:
        assert not warned
    return "read"


def _apart(one: np.ndarray, other: np.ndarray, edges: np.ndarray) -> float:
    """How far two affines are apart at an image's corners, in voxels of the first."""
    corners = np.array([(*(np.array(corner) * (edges - 1)), 1.0) for corner in np.ndindex(2, 2, 2)])
    return float(np.abs(np.linalg.solve(one[:3, :3], (other - one)[:3] @ corners.T)).max())
