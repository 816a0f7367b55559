"""What the readers of single formats raise, and what makes an image no volume of real numbers."""


class Unreadable(Exception):  # noqa: N818 - not an error to show
    """A file that can't be read as an image: why, and what to do, without a full stop.

    `inference_core.imaging.reading.read_image` makes a sentence of it.
    """


class NoVolume(Exception):  # noqa: N818 - not an error to show
    """An image that is no volume of real numbers, as `kind_problem` says it."""


def kind_problem(shape: tuple[int, ...], values: int, complex_numbers: bool) -> str | None:
    """Why an image is no volume of one real number a voxel, as the end of a sentence on it; None if it is one.

    Args:
        shape: voxels along its axes.
        values: how many numbers a voxel holds.
        complex_numbers: whether they are complex.
    """
    if values > 1:
        return f"holds {values} values a voxel, as colour images do: give an image of one value a voxel"
    if complex_numbers:
        return "holds complex numbers: give an image of real values, such as their magnitude"
    if len(shape) != 3:
        sizes = " x ".join(str(count) for count in shape)
        hint = "save it as 3-D with one slice" if len(shape) < 3 else "extract one volume of it"
        return f"is {len(shape)}-D ({sizes} voxels), not 3-D: {hint}"
    return None
