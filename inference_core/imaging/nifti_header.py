"""NIfTI-1 and NIfTI-2 headers, read without nibabel, which Slicer lacks.

Where a header is odd, it is read as nibabel reads it. Source: nifti1.h and nifti2.h of the NIfTI Data Format Working
Group, https://nifti.nimh.nih.gov.
"""

import struct
from dataclasses import dataclass

import numpy as np

from inference_core.imaging.unreadable import Unreadable

#: The bytes of a header that this module needs: all of NIfTI-2's, the longest.
LARGEST_HEADER = 540
#: Bytes of a header, which it begins with, by version.
_SIZES = {1: 348, 2: 540}
#: Data types that can be read, by their code.
_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
    # Not one real number a voxel; they are told apart so that the user learns what the file holds.
    32: "c8",
    1792: "c16",
    128: "3u1",
    2304: "4u1",
}
#: Other data types of the standard.
_OTHER_TYPES = {1: "single bits", 1536: "128-bit floating point", 2048: "256-bit complex"}
#: Where NIfTI-1 and NIfTI-2 keep what is read: offset and format.
_FIELDS = {
    1: {
        "dim": (40, "8h"),
        "datatype": (70, "h"),
        "pixdim": (76, "8f"),
        "vox_offset": (108, "f"),
        "scaling": (112, "2f"),
        "xyzt_units": (123, "b"),
        "codes": (252, "2h"),
        "quaternion": (256, "6f"),
        "srow": (280, "12f"),
    },
    2: {
        "dim": (16, "8q"),
        "datatype": (12, "h"),
        "pixdim": (104, "8d"),
        "vox_offset": (168, "q"),
        "scaling": (176, "2d"),
        "xyzt_units": (500, "i"),
        "codes": (344, "2i"),
        "quaternion": (352, "6d"),
        "srow": (400, "12d"),
    },
}
_MAGIC_PLACE = {1: (344, 4), 2: (4, 8)}
_MAGICS = {
    1: {b"n+1\0": True, b"ni1\0": False},
    2: {b"n+2\0\r\n\x1a\n": True, b"ni2\0\r\n\x1a\n": False},
}
#: Least offset of the voxels in a single file: the header, and four bytes that announce extensions.
_LEAST_OFFSET = {1: 352, 2: 544}
#: Codes of sform and qform that the standard knows; any other counts as 0, unknown.
_CODES = range(1, 6)
#: Millimetres in NIfTI's units of length.
_MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 0.001}
#: Rounding of the square of a quaternion's vector.
_ROUNDING = {1: 3 * float(np.finfo(np.float32).eps), 2: 3 * float(np.finfo(np.float64).eps)}
#: A quaternion's vector may be this much longer than 1, squared, by rounding.
_LONGEST = 1e-4
_NO_NIFTI = "it is no NIfTI file, whatever its name says"
_ANALYZE = "it is in the Analyze 7.5 format, which tells neither left from right nor a place: convert it to NIfTI"
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class NiftiHeader:
    """What a header says.

    Attributes:
        version: 1 or 2.
        single: whether the voxels follow in the same file.
        shape: voxels along the axes, the fastest first, as many axes as the header has but for trailing ones of 1.
        dtype: of the stored values, in their byte order; a field of several bytes for colours.
        offset: of the first voxel in its file, bytes.
        slope, intercept: what turns stored values into the image's; 1 and 0 where the header gives none.
        voxel: mm along the first three axes, above 0.
        sform, qform: 4 x 4, from voxel indices to LPS mm; None where the code is 0, or the qform is damaged.
        sform_code, qform_code: 0 to 5.
    """

    version: int
    single: bool
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int
    slope: float
    intercept: float
    voxel: tuple[float, float, float]
    sform: np.ndarray | None
    qform: np.ndarray | None
    sform_code: int
    qform_code: int

    @property
    def voxels_bytes(self) -> int:
        """How many bytes all voxels take."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count * self.dtype.itemsize

    @property
    def affine(self) -> np.ndarray | None:
        """Where the voxels lie: the sform if its code is above 0, else the qform; None if the header gives no position.

        The same choice as nibabel's `get_best_affine`, FSL's `newimagevox2mm_mat` and SPM's `mat`.
        """
        return self.sform if self.sform_code else self.qform


def read_header(content: bytes) -> NiftiHeader:
    """What the beginning of a file says.

    Args:
        content: at least the first `LARGEST_HEADER` bytes, or all if there are fewer.

    Raises:
        Unreadable: if it is no such header, or says what can't be.
    """
    version, order = _version(content)
    if len(content) < _SIZES[version]:
        raise Unreadable("it ends within its header: copy it again")
    place, length = _MAGIC_PLACE[version]
    magic = content[place : place + length]
    single = _MAGICS[version].get(magic)
    if single is None:
        raise Unreadable(_NO_NIFTI if any(magic[:2]) or version == 2 else _ANALYZE)
    values = {
        name: struct.unpack_from(order + form, content, offset) for name, (offset, form) in _FIELDS[version].items()
    }
    shape = _shape(values["dim"])
    scale = _MILLIMETRES.get(values["xyzt_units"][0] & 7, 1.0)
    across, down, through = (scale * (abs(step) or 1.0) for step in values["pixdim"][1:4])
    voxel = (across, down, through)
    if not np.isfinite(voxel).all():
        raise Unreadable("its header gives voxel sizes that are no numbers: convert it again from its source")
    slope, intercept = _scaling(*values["scaling"])
    qform_code, sform_code = (code if code in _CODES else 0 for code in values["codes"])
    qform = _qform(values["quaternion"], values["pixdim"][0], voxel, scale, _ROUNDING[version]) if qform_code else None
    if qform_code and qform is None and not sform_code:
        raise Unreadable("its header gives a qform that is no rotation: convert it again from its source")
    return NiftiHeader(
        version=version,
        single=single,
        shape=shape,
        dtype=_dtype(values["datatype"][0], order),
        offset=_offset(values["vox_offset"][0], _LEAST_OFFSET[version] if single else 0),
        slope=slope,
        intercept=intercept,
        voxel=voxel,
        sform=_sform(values["srow"], scale) if sform_code else None,
        qform=qform,
        sform_code=sform_code,
        qform_code=qform_code,
    )


def _version(content: bytes) -> tuple[int, str]:
    """1 or 2, and the byte order as `struct` names it."""
    for order in "<>":
        size = struct.unpack(order + "i", content[:4].ljust(4, b"\0"))[0]
        for version, own in _SIZES.items():
            if size == own:
                return version, order
    raise Unreadable(_NO_NIFTI)


def _shape(dim: tuple[int, ...]) -> tuple[int, ...]:
    count = dim[0]
    if not 1 <= count <= 7 or any(extent < 1 for extent in dim[1 : count + 1]):
        raise Unreadable("its header gives no voxels along an axis: convert it again from its source")
    shape = list(dim[1 : count + 1])
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def _dtype(code: int, order: str) -> np.dtype:
    if code not in _TYPES:
        what = _OTHER_TYPES.get(code, f"of the unknown data type {code}")
        raise Unreadable(f"its voxels are {what}: convert it to 32-bit floating point")
    kind = _TYPES[code]
    return np.dtype(("u1", (int(kind[0]),))) if kind.endswith("u1") and len(kind) == 3 else np.dtype(order + kind)


def _offset(offset: float, least: int) -> int:
    if not np.isfinite(offset) or offset < least:
        raise Unreadable(f"its header lets the voxels begin at byte {offset:g}: convert it again from its source")
    return int(offset)


def _scaling(slope: float, intercept: float) -> tuple[float, float]:
    """A slope of 0 means that there is no scaling; the intercept is then ignored, too."""
    if slope == 0 or not np.isfinite(slope):
        return 1.0, 0.0
    if not np.isfinite(intercept):
        raise Unreadable("its header gives an intercept (scl_inter) that is no number: convert it again")
    return float(slope), float(intercept)


def _sform(rows: tuple[float, ...], scale: float) -> np.ndarray:
    matrix = np.vstack([np.reshape(rows, (3, 4)) * scale, [0, 0, 0, 1]])
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
        raise Unreadable("its header gives an sform without extent along an axis: convert it again from its source")
    return _RAS_TO_LPS @ matrix


def _qform(
    numbers: tuple[float, ...], qfac: float, voxel: tuple[float, ...], scale: float, rounding: float
) -> np.ndarray | None:
    """From the quaternion's vector (b, c, d) and the offset; None if they are damaged."""
    b, c, d, *offset = (float(number) for number in numbers)
    rest = 1 - (b * b + c * c + d * d)
    if not np.isfinite([b, c, d, *offset]).all() or rest < -_LONGEST:
        return None
    # A half-turn; the square root would make an angle of the numbers' rounding.
    a = 0.0 if rest < rounding else rest**0.5
    norm = (a * a + b * b + c * c + d * d) ** 0.5
    a, b, c, d = (part / norm for part in (a, b, c, d))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * np.array([voxel[0], voxel[1], -voxel[2] if qfac == -1 else voxel[2]])
    matrix[:3, 3] = np.array(offset) * scale
    return _RAS_TO_LPS @ matrix
