import numpy as np
import pytest
import SimpleITK as sitk
import torch

import inference_core
from inference_core.errors import InputError, InputWarning
from inference_core.imaging.brain_mask import brain_mask_of_t1
from inference_core.inference.super_resolver import SuperResolver
from inference_core.networks import create_network, kspace
from inference_core.networks.weights_io import load_weights, save_weights

CENTRE = np.array([12.0, -25.0, 40.0])


class ZeroFilling(torch.nn.Module):
    """Stands in for the network: what comes out is known, and what came in is kept."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def forward(self, low_resolution, t1, flair, n, metabolite, sharpness):
        self.calls.append((low_resolution, t1, flair, n, metabolite, sharpness))
        return kspace.zero_filled(low_resolution, (64, 64))


class CentreOf(torch.nn.Module):
    """Stands in for the network: T1 or FLAIR at each super-resolved voxel's centre."""

    def __init__(self, which):
        super().__init__()
        self.which = which

    def forward(self, low_resolution, *inputs):
        return inputs[self.which][:, :, 1::3, 1::3, 1]


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(11)
        return create_network("multi-conditional")


@pytest.fixture
def resolver(network):
    return SuperResolver(network, "cpu")


@pytest.fixture
def batches_of_four(monkeypatch):
    """As on a GPU, where slices go through the network together."""
    monkeypatch.setattr("inference_core.inference.super_resolver._BATCHES", {"cpu": 4})


@pytest.fixture
def two_threads():
    """One thread adds all the equal values of a background one by one in PyTorch's group norm, and loses digits."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", ["amlayer", "filter-scaling"])
def test_weights_of_the_papers_other_networks_work(tmp_path, patient, two_threads, name):
    with torch.random.fork_rng():
        torch.manual_seed(4)
        save_weights(tmp_path / "other.safetensors", create_network(name), {"architecture": name})
    resolver = SuperResolver.load(tmp_path / "other.safetensors", "cpu", detail="network")
    network = load_weights(tmp_path / "other.safetensors")[0]
    prepared = resolver.prepare(*patient(size=(20, 20, 1)))
    arrays = (prepared.low_resolution, prepared.t1, prepared.flair)
    low, t1, flair = (torch.from_numpy(array[:1])[:, None] for array in arrays)
    scale = float(prepared.scales[0])
    with torch.inference_mode():
        expected = network(low / scale, t1, flair, prepared.n, 2, 0.0)[0, 0].numpy() * scale * prepared.brain[0]
    output = resolver.super_resolve(prepared, "NAA", 0.0, [0])[0]
    np.testing.assert_allclose(output, expected, atol=1e-4 * expected.max())


def array_of(image):
    return sitk.GetArrayFromImage(image)


def test_result_is_in_the_maps_place_and_inside_the_brain(resolver, patient, orientation):
    low_resolution, t1, flair = patient(size=(16, 16, 2), direction=orientation)
    result = resolver(low_resolution, t1, flair, metabolite="NAA", sharpness=0.05)
    assert result.GetPixelID() == sitk.sitkFloat32
    assert result.GetSize() == (64, 64, 2)
    np.testing.assert_allclose(result.GetOrigin(), low_resolution.GetOrigin(), atol=1e-9)
    np.testing.assert_allclose(result.GetSpacing(), (3.0, 3.0, 10.0))
    assert result.GetDirection() == low_resolution.GetDirection()
    assert result.GetMetaData("mrsi_superres_metabolite") == "NAA"

    array = array_of(result)
    assert np.isfinite(array).all()
    assert array.max() > 1
    reach = sitk.BinaryDilate(brain_mask_of_t1(t1), [2, 2, 2])
    near_brain = array_of(sitk.Resample(reach, result, sitk.Transform(), sitk.sitkNearestNeighbor)) > 0
    assert not array[~near_brain].any()
    assert near_brain.mean() < 0.9


def test_output_is_in_the_units_of_the_input(resolver, patient):
    low_resolution, t1, flair = patient(size=(18, 18, 1))
    once = array_of(resolver(low_resolution, t1, flair))
    for factor in (10.0, 1e-6):
        scaled = array_of(resolver(low_resolution * factor, t1, flair))
        np.testing.assert_allclose(scaled / factor, once, rtol=1e-4, atol=1e-4 * once.max())
    brighter = array_of(resolver(low_resolution, t1 * 3, flair * 0.2))
    np.testing.assert_allclose(brighter, once, rtol=1e-4, atol=1e-4 * once.max())


def test_conditions_and_masking_reach_the_output(resolver, patient):
    prepared = resolver.prepare(*patient(size=(16, 16, 1)))
    # An untrained network's detail is not in the map, and matched to it would be gone.
    own = resolver.with_detail("network")
    results = [
        own.super_resolve(prepared, metabolite, sharpness)
        for metabolite, sharpness in (("tCho", 0.0), ("Ins", 0.0), ("tCho", 0.1))
    ]
    assert not np.allclose(results[0], results[1])
    assert not np.allclose(results[0], results[2])
    for result in results:
        assert not result[~prepared.brain].any()
        assert (result[prepared.brain] > 0).mean() > 0.9


def test_same_input_same_output(resolver, patient):
    images = patient(size=(16, 16, 2))
    first, second = (array_of(resolver(*images, metabolite="Glu", sharpness=0.02)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    prepared = resolver.prepare(*images)
    alone = resolver.super_resolve(prepared, "Glu", 0.02, slices=[1])
    assert alone.shape == (1, 64, 64)
    np.testing.assert_allclose(alone[0], first[1], rtol=1e-4, atol=1e-5 * first.max())


def test_network_is_called_as_it_was_trained(patient, batches_of_four):
    network = ZeroFilling()
    low_resolution, t1, flair = patient(size=(20, 14, 6), spacing=(10.0, 10.0, 6.0))
    SuperResolver(network, "cpu")(low_resolution, t1, flair, metabolite="Cr+PCr", sharpness="0.03")
    assert [call[0].shape for call in network.calls] == [(4, 1, 20, 20), (2, 1, 20, 20)]
    for low_resolution, t1, flair, n, metabolite, sharpness in network.calls:
        assert t1.shape == flair.shape == (len(low_resolution), 1, 192, 192, 3)
        assert (n, metabolite, sharpness) == (20, 1, 0.03)
        maxima = kspace.zero_filled(low_resolution, (64, 64)).amax(dim=(1, 2, 3))
        torch.testing.assert_close(maxima, torch.full_like(maxima, 0.5))
        assert t1.dtype == flair.dtype == low_resolution.dtype == torch.float32
    for index in (1, 2):
        assert max(call[index].max() for call in network.calls) == 1
    assert not network.training


def gaussian(at, sigma):
    return lambda world: np.exp(-(((world - at) / sigma) ** 2).sum(axis=-1) / 2)


def test_landmarks_of_all_images_come_back_in_their_place(sample, centroid, orientation):
    landmark = CENTRE + np.array([8.0, -7.0, 3.0])
    low_resolution = sample(gaussian(landmark, 15.0), (19, 14, 12), (10.0, 12.0, 9.5), orientation)
    t1 = sample(gaussian(landmark, 8.0), (90, 90, 90), (2.0, 1.8, 1.9), shift=(2.0, 0.0, 1.0))
    flair = sample(gaussian(landmark, 9.0), (80, 80, 45), (2.2, 2.2, 4.0), shift=(0.0, -3.0, 1.0))
    for network in (ZeroFilling(), CentreOf(0), CentreOf(1)):
        result = SuperResolver(network, "cpu")(low_resolution, t1, flair)
        offset = np.array(result.GetDirection()).reshape(3, 3).T @ (centroid(result) - landmark)
        np.testing.assert_allclose(offset / result.GetSpacing(), 0, atol=0.1)


def test_slices_can_be_asked_for_in_any_order(patient):
    resolver = SuperResolver(ZeroFilling(), "cpu")
    prepared = resolver.prepare(*patient(size=(16, 16, 6), spacing=(12.0, 12.0, 8.0)))
    everything = resolver.super_resolve(prepared)
    np.testing.assert_allclose(resolver.super_resolve(prepared, slices=[4, 0, 4]), everything[[4, 0, 4]], rtol=1e-6)
    assert resolver.super_resolve(prepared, slices=[]).shape == (0, 64, 64)
    for index in (-1, 6):
        with pytest.raises(InputError, match=f"no slice {index}: the map has slices 0 to 5"):
            resolver.super_resolve(prepared, slices=[index])


def test_progress_is_reported_and_empty_slices_are_skipped(patient, replace_array, batches_of_four):
    network = ZeroFilling()
    low_resolution, t1, flair = patient(size=(16, 16, 7), spacing=(12.0, 12.0, 8.0))
    array = array_of(low_resolution)
    array[2] = 0
    reports = []
    result = SuperResolver(network, "cpu")(
        replace_array(low_resolution, array), t1, flair, progress=lambda done, total: reports.append((done, total))
    )
    assert sum(len(call[0]) for call in network.calls) == 6
    assert reports == [(5, 7), (7, 7)]
    per_slice = array_of(result).max(axis=(1, 2))
    assert per_slice[2] == 0
    assert (np.delete(per_slice, 2) > 0).all()


def test_a_single_slice_works(resolver, patient):
    result = resolver(*patient(size=(24, 24, 1), spacing=(8.0, 8.0, 8.0)))
    assert result.GetSize() == (64, 64, 1)
    assert array_of(result).max() > 0


def test_integers_are_accepted(patient):
    low_resolution, t1, flair = patient(size=(16, 16, 1))
    resolver = SuperResolver(ZeroFilling(), "cpu")
    whole = [sitk.Cast(image * 200, sitk.sitkInt32) for image in (low_resolution, t1, flair)]
    expected = array_of(resolver(low_resolution * 200, t1, flair))
    np.testing.assert_allclose(array_of(resolver(*whole)), expected, atol=2.5)


def test_untrained_resolutions_warn(patient):
    resolver = SuperResolver(ZeroFilling(), "cpu")
    with pytest.warns(InputWarning, match="n = 7 is outside"):
        assert resolver(*patient(size=(7, 7, 1), spacing=(26.0, 26.0, 9.0))).GetSize() == (64, 64, 1)


def test_failed_fits_are_filled_before_the_network_sees_them(patient, replace_array):
    network = ZeroFilling()
    low_resolution, t1, flair = patient(size=(16, 16, 1))
    array = array_of(low_resolution)
    array[0, 8, 8], array[0, 0, 0] = np.nan, -1
    with pytest.warns(InputWarning, match="1 of the map's"):
        result = SuperResolver(network, "cpu")(replace_array(low_resolution, array), t1, flair)
    assert torch.isfinite(network.calls[0][0]).all()
    assert network.calls[0][0].min() == 0
    assert np.isfinite(array_of(result)).all()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda m, t, f: (sitk.JoinSeries(m, m), t, f), "The map is 4-D"),
        (lambda m, t, f: (m[:, :, 0], t, f), "The map is 2-D"),
        (lambda m, t, f: (m, sitk.Compose(t, t, t), f), "The T1 holds 3 values a voxel"),
        (lambda m, t, f: (m, t, f[:, :, 0]), "The FLAIR is 2-D"),
        (lambda m, t, f: (m * 0, t, f), "The map holds only zeros"),
        (lambda m, t, f: (m * np.nan, t, f), "The map holds no positive value"),
        (lambda m, t, f: (m, t * 0, f), "The T1 holds no positive value"),
        (lambda m, t, f: (m, t, moved(f)), "The FLAIR does not overlap the map"),
        (lambda m, t, f: (m, moved(t), f), "The T1 does not overlap the map"),
        (lambda m, t, f: (sitk.AdditiveGaussianNoise(sitk.Expand(m, [5, 5, 1])), t, f), "more than the 64 x 64"),
        (lambda m, t, f: (m[6:9, 6:9], t, f), "at least 4 x 4"),
    ],
)
def test_bad_images_are_refused_before_computing(patient, change, what):
    network = ZeroFilling()
    with pytest.raises(InputError, match=what) as error:
        SuperResolver(network, "cpu")(*change(*patient(size=(16, 16, 2))))
    assert "\n" not in str(error.value)
    assert not network.calls


def moved(image):
    image = sitk.Image(image)
    image.SetOrigin([at + 600 for at in image.GetOrigin()])
    return image


def test_half_a_brain_is_refused(patient, replace_array):
    low_resolution, t1, flair = patient(size=(16, 16, 2))
    array = array_of(low_resolution)
    array[0] = np.nan
    array[1, :9] = -1
    with pytest.raises(InputError, match="half or more"):
        SuperResolver(ZeroFilling(), "cpu")(replace_array(low_resolution, array), t1, flair)


def test_a_brain_elsewhere_is_refused(patient, replace_array):
    low_resolution, t1, flair = patient(size=(16, 16, 1))
    array = np.zeros_like(array_of(low_resolution))
    array[0, 1, 1] = 1  # covered by the T1's field of view, but far from the brain
    wide = [sitk.ConstantPad(image, [20, 20, 0], [20, 20, 0], 0.0) for image in (t1, flair)]
    with pytest.raises(InputError, match="nothing in common"):
        SuperResolver(ZeroFilling(), "cpu")(replace_array(low_resolution, array), *wide)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"metabolite": "Lac"}, "Unknown metabolite"),
        ({"sharpness": -0.01}, "Sharpness -0.01 is outside"),
        ({"sharpness": 0.11}, "Sharpness 0.11 is outside"),
    ],
)
def test_bad_conditions_are_refused(patient, options, what):
    resolver, images = SuperResolver(ZeroFilling(), "cpu"), patient(size=(16, 16, 1))
    with pytest.raises(InputError, match=what):
        resolver(*images, **options)
    with pytest.raises(InputError, match=what):
        resolver.super_resolve(resolver.prepare(*images), **options)


def test_loading_from_a_file(tmp_path, network, resolver, patient):
    path = tmp_path / "weights.safetensors"
    save_weights(path, network, {"commit": "abc"})
    loaded = inference_core.SuperResolver.load(path, device="cpu")
    assert loaded.weights.metadata == {"commit": "abc"}
    assert loaded.device == "cpu"
    assert loaded.device_reason.startswith("CPU: ")
    images = patient(size=(16, 16, 1))
    expected = array_of(resolver(*images))
    np.testing.assert_allclose(array_of(loaded(*images)), expected, atol=0.02 * expected.max())
    with pytest.raises(InputError, match="do not exist"):
        SuperResolver.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("name", ["gpu", "meta", "cuda:one", ""])
def test_unknown_devices_are_refused(name):
    with pytest.raises(InputError, match=r"Unknown device .* choose"):
        SuperResolver(ZeroFilling(), name)


@pytest.mark.parametrize("fits", [2, 1])
def test_too_little_gpu_memory_shrinks_the_batch(patient, fits, batches_of_four):
    class Hungry(ZeroFilling):
        def forward(self, low_resolution, *inputs):
            if len(low_resolution) > fits:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().forward(low_resolution, *inputs)

    images = patient(size=(16, 16, 5), spacing=(12.0, 12.0, 9.0))
    hungry, modest = Hungry(), ZeroFilling()
    expected = array_of(SuperResolver(modest, "cpu")(*images))
    np.testing.assert_allclose(array_of(SuperResolver(hungry, "cpu")(*images)), expected, rtol=1e-6)
    assert [len(call[0]) for call in hungry.calls] == {2: [2, 2, 1], 1: [1] * 5}[fits]


def test_no_memory_for_one_slice_is_an_error(patient):
    class Starving(torch.nn.Module):
        def forward(self, *inputs):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(InputError, match="too little memory for even one slice: close"):
        SuperResolver(Starving(), "cpu")(*patient(size=(16, 16, 3)))


def test_a_gpu_without_memory_hands_over_to_the_cpu(patient):
    class StarvingOnGPU(ZeroFilling):
        starving = True

        def forward(self, *inputs):
            if self.starving:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory")
            return super().forward(*inputs)

        def cpu(self):
            self.starving = False
            return self

    images = patient(size=(16, 16, 2), spacing=(12.0, 12.0, 9.0))
    expected = array_of(SuperResolver(ZeroFilling(), "cpu")(*images))
    resolver = SuperResolver(StarvingOnGPU(), "cpu")
    # There is no GPU to be had here: the name alone is what the fallback goes by.
    resolver.device = "cuda"
    resolver._to_device = lambda tensor: tensor
    with pytest.warns(InputWarning, match="too little memory on cuda for even one slice: the CPU takes over"):
        result = array_of(resolver(*images))
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert resolver.device == "cpu"
    assert resolver.device_reason == "CPU: cuda has too little memory"


def test_a_new_sharpness_does_not_prepare_the_slices_again(network, patient, monkeypatch):
    resolver = SuperResolver(network, "cpu", detail="network")
    kept = []
    keep = resolver._engine.keep
    monkeypatch.setattr(resolver._engine, "keep", lambda *inputs: kept.append(inputs[-1]) or keep(*inputs))
    prepared = resolver.prepare(*patient(size=(16, 16, 2), spacing=(12.0, 12.0, 9.0)))
    first = resolver.super_resolve(prepared, "NAA", 0.05)
    resolver.super_resolve(prepared, "NAA", 0.0)
    np.testing.assert_array_equal(resolver.super_resolve(prepared, "NAA", 0.05), first)
    assert len(kept) == 2
    resolver.super_resolve(prepared, "tCho", 0.05)
    assert len(kept) == 4
    # What was kept of one patient must never be taken for another's.
    other = resolver.prepare(*patient(size=(16, 16, 2), spacing=(11.0, 11.0, 9.0)))
    fresh = SuperResolver(network, "cpu", detail="network").super_resolve(other, "tCho", 0.05)
    np.testing.assert_array_equal(resolver.super_resolve(other, "tCho", 0.05), fresh)
    assert not np.allclose(fresh, resolver.super_resolve(prepared, "tCho", 0.05))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"runtime": "tensorrt"}, "Unknown runtime 'tensorrt': choose one of pytorch"),
        ({"runtime": "cuda-graphs"}, "Runtime cuda-graphs works on the device cuda only, not on cpu"),
        ({"precision": "float8"}, "Unknown precision 'float8': choose one of float32"),
        ({"precision": "float16"}, "Precision float16 gains nothing on a CPU"),
    ],
)
def test_bad_runtimes_are_refused(network, options, what):
    for make in (lambda: SuperResolver(network, "cpu", **options), lambda: SuperResolver.load(device="cpu", **options)):
        with pytest.raises(InputError, match=what):
            make()


def test_maps_on_one_grid_share_t1_and_flair_to_the_last_bit(resolver, patient):
    low_resolution, t1, flair = patient(size=(16, 16, 2))
    first = resolver.prepare(low_resolution, t1, flair)
    other = resolver.prepare(low_resolution * 2 + sitk.Cast(low_resolution > 0, sitk.sitkFloat32), t1, flair)
    assert other.t1 is first.t1
    assert other.flair is first.flair
    shifted = sitk.Image(low_resolution)
    shifted.SetOrigin([value + 3 for value in low_resolution.GetOrigin()])
    beside = resolver.prepare(shifted, t1, flair)
    resolver.forget()
    alone = resolver.prepare(shifted, t1, flair)
    for role in ("t1", "flair"):
        np.testing.assert_array_equal(getattr(beside, role), getattr(alone, role))
        assert not np.array_equal(getattr(beside, role), getattr(first, role))
