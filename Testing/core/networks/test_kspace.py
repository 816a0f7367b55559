import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_core.networks import kspace
from inference_core.networks.scaling import HEADROOM, slice_scale

SIZES = st.tuples(st.integers(4, 24), st.integers(4, 24))
SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=40, deadline=None)


def random_complex(shape, seed):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def random_map(shape, seed):
    return torch.from_numpy(np.random.default_rng(seed).random(shape))


def inner(a, b):
    return (a * b.conj()).sum()


def smaller_than(data, size):
    return tuple(data.draw(st.integers(1, count)) for count in size)


@QUICK
@given(SIZES, SEEDS)
def test_fourier_transform_is_unitary(size, seed):
    x, y = random_complex((2, *size), seed), random_complex((2, *size), seed + 1)
    torch.testing.assert_close(kspace.to_image(kspace.to_kspace(x)), x)
    torch.testing.assert_close(kspace.to_kspace(kspace.to_image(x)), x)
    torch.testing.assert_close(inner(kspace.to_kspace(x), y), inner(x, kspace.to_image(y)))


@QUICK
@given(SIZES)
def test_zero_frequency_is_at_the_centre(size):
    transformed = kspace.to_kspace(torch.ones(size, dtype=torch.float64))
    expected = torch.zeros(size, dtype=torch.complex128)
    expected[size[0] // 2, size[1] // 2] = (size[0] * size[1]) ** 0.5
    torch.testing.assert_close(transformed, expected)


@QUICK
@given(SIZES, SEEDS, st.data())
def test_truncation_and_padding_are_adjoint(size, seed, data):
    small = smaller_than(data, size)
    x, y = random_complex(size, seed), random_complex(small, seed + 1)
    torch.testing.assert_close(inner(kspace.truncate(x, small), y), inner(x, kspace.pad(y, size)))
    torch.testing.assert_close(kspace.truncate(kspace.pad(y, size), small), y)


def test_impossible_blocks_are_refused():
    with pytest.raises(ValueError, match="no central block"):
        kspace.truncate(torch.zeros(8, 8), (9, 8))
    with pytest.raises(ValueError, match="no central block"):
        kspace.pad(torch.zeros(8, 8), (8, 7))


@QUICK
@given(SIZES, SEEDS, st.data())
def test_data_consistency_is_a_projection_onto_the_measured_coefficients(size, seed, data):
    small = smaller_than(data, size)
    image, low_resolution = random_complex(size, seed), random_map(small, seed + 1)
    measured = kspace.measured_kspace(low_resolution, size)
    once = kspace.enforce_data_consistency(image, measured)
    torch.testing.assert_close(kspace.enforce_data_consistency(once, measured), once)
    torch.testing.assert_close(kspace.truncate(kspace.to_kspace(once), small), measured)
    # Orthogonal: what it changed has nothing in common with what it may not change.
    outside = kspace.to_kspace(once) - kspace.pad(measured, size)
    torch.testing.assert_close(
        outside, kspace.to_kspace(image) - kspace.pad(kspace.truncate(kspace.to_kspace(image), small), size)
    )


@pytest.mark.parametrize("shape", [(16, 16), (17, 21), (22, 32), (64, 64)])
def test_central_coefficients_equal_the_inputs_to_float_precision(shape):
    low_resolution = random_map(shape, 3).float()
    image = random_map((64, 64), 4).float()
    consistent = kspace.enforce_data_consistency(image, kspace.measured_kspace(low_resolution, (64, 64)))
    recovered = kspace.to_image(kspace.truncate(kspace.to_kspace(consistent), shape))
    scale = (64 * 64 / (shape[0] * shape[1])) ** 0.5
    torch.testing.assert_close(recovered.real / scale, low_resolution, rtol=0, atol=1e-6)
    torch.testing.assert_close(recovered.imag, torch.zeros(shape), rtol=0, atol=1e-5)


@QUICK
@given(SIZES, st.floats(0.01, 100), st.data())
def test_constants_keep_their_value(size, value, data):
    small = smaller_than(data, size)
    torch.testing.assert_close(
        kspace.low_resolution(torch.full(size, value, dtype=torch.float64), small),
        torch.full(small, value, dtype=torch.float64),
    )
    torch.testing.assert_close(
        kspace.zero_filled(torch.full(small, value, dtype=torch.float64), size),
        torch.full(size, value, dtype=torch.float64),
    )


@QUICK
@given(SIZES, SEEDS)
def test_maps_of_full_size_are_left_alone(size, seed):
    image = random_map(size, seed)
    torch.testing.assert_close(kspace.low_resolution(image, size), image)
    torch.testing.assert_close(kspace.zero_filled(image, size), image)


def gaussian(shape, centre, sigma):
    rows, columns = (torch.arange(count, dtype=torch.float64) for count in shape)
    return torch.exp(-((rows[:, None] - centre[0]) ** 2 + (columns[None] - centre[1]) ** 2) / (2 * sigma**2))


def position(image):
    rows, columns = (torch.arange(count, dtype=torch.float64) for count in image.shape)
    return (image.sum(1) * rows).sum() / image.sum(), (image.sum(0) * columns).sum() / image.sum()


@pytest.mark.parametrize("shape", [(16, 16), (24, 32), (17, 17), (21, 26)])
def test_interpolation_is_about_the_central_voxel(shape):
    centre = (shape[0] * 0.41, shape[1] * 0.57)
    zero_filled = kspace.zero_filled(gaussian(shape, centre, 1.3), (64, 64))
    expected = [32 + (at - count // 2) * 64 / count for at, count in zip(centre, shape, strict=True)]
    np.testing.assert_allclose(position(zero_filled), expected, atol=0.01)
    back = kspace.low_resolution(zero_filled, shape)
    np.testing.assert_allclose(position(back), centre, atol=0.01)


@pytest.mark.parametrize("n", [16, 22, 32])
def test_even_sizes_keep_the_first_voxels_centre(n):
    low_resolution = torch.zeros(n, n, dtype=torch.float64)
    low_resolution[0, 0] = 1
    zero_filled = kspace.zero_filled(low_resolution, (64, 64))
    assert zero_filled.argmax() == 0
    torch.testing.assert_close(zero_filled[0, 0], torch.tensor(1.0, dtype=torch.float64))


@QUICK
@given(st.tuples(st.integers(4, 64), st.integers(4, 64)), SEEDS, st.floats(1e-3, 1e3))
def test_slice_scale_is_by_the_zero_filled_maximum_and_never_zero(size, seed, factor):
    maps = torch.stack([random_map((1, *size), seed), torch.zeros(1, *size, dtype=torch.float64)])
    scale = slice_scale(maps)
    assert scale.shape == (2, 1, 1, 1)
    torch.testing.assert_close(scale[0, 0, 0, 0], HEADROOM * kspace.zero_filled(maps[0, 0], (64, 64)).max())
    assert scale[1] == 1
    torch.testing.assert_close(slice_scale(maps[:1] * factor), scale[:1] * factor)
