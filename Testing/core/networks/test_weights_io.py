import hashlib
import pickle

import pytest
import torch
from safetensors.torch import save_file

from inference_core.errors import InputError
from inference_core.files import atomic
from inference_core.networks import create_network, weights_io
from inference_core.networks.weights_io import DEFAULT_WEIGHTS, load_weights, pack_header, save_weights

HEADER = pack_header({"architecture": "multi-conditional"})


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return create_network("multi-conditional")


@pytest.fixture
def saved(tmp_path, network):
    path = tmp_path / "weights.safetensors"
    save_weights(path, network, {"seed": "3"})
    return path


def refused(path, match):
    with pytest.raises(InputError, match=match) as error:
        load_weights(path)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert message.endswith(".")


def test_weights_come_back_in_half_precision(saved, network):
    loaded, info = load_weights(saved)
    assert not loaded.training
    for name, tensor in loaded.state_dict().items():
        torch.testing.assert_close(tensor, network.state_dict()[name].half().float(), rtol=0, atol=0)
        assert tensor.dtype == torch.float32
    assert info.path == saved
    assert info.architecture == "multi-conditional"
    assert info.metadata == {"seed": "3"}
    assert info.sha256 == hashlib.sha256(saved.read_bytes()).hexdigest()


def test_the_same_weights_make_the_same_file(saved, network):
    files = set()
    for attempt in range(4):
        path = saved.with_name(f"{attempt}.safetensors")
        save_weights(path, network, {"seed": "3", "steps": "7", "trained_on": "nothing", "schedule": "none"})
        files.add(path.read_bytes())
    assert len(files) == 1


def test_saving_is_all_or_nothing(saved, network, monkeypatch):
    before = saved.read_bytes()
    half_written = []

    def fail(path, content):
        half_written.append(path)
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(atomic, "write_verified", fail)
    with pytest.raises(InputError, match="disk full"):
        save_weights(saved, network)
    assert half_written
    assert half_written[0] != saved
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir()] == ["weights.safetensors"]


def test_weights_beyond_half_precision_are_not_saved(tmp_path):
    network = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(network.weight, 1e6)
    with pytest.raises(ValueError, match="'weight' is not finite"):
        save_weights(tmp_path / "w.safetensors", network)
    assert not list(tmp_path.iterdir())


def test_missing_weights(tmp_path, monkeypatch):
    refused(tmp_path / "none.safetensors", "do not exist")
    refused(tmp_path, "do not exist")


def test_none_takes_the_default(saved, monkeypatch):
    assert DEFAULT_WEIGHTS.parts[-3:] == ("inference_core", "weights", "multi-conditional.safetensors")
    monkeypatch.setattr(weights_io, "DEFAULT_WEIGHTS", saved)
    assert load_weights()[1].path == saved


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff" * 100, b"\x08" + bytes(7) + b"{}      "])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "w.safetensors"
    path.write_bytes(content)
    refused(path, "corrupt|another program")


def test_truncated_weights_are_refused(saved):
    saved.write_bytes(saved.read_bytes()[:-1000])
    refused(saved, "corrupt")


class Payload:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize("legacy", [False, True])
def test_pickles_are_never_opened(tmp_path, legacy):
    path = tmp_path / "weights.safetensors"
    if legacy:
        path.write_bytes(pickle.dumps(Payload()))
    else:
        torch.save({"weight": Payload()}, path)
    refused(path, "corrupt or no safetensors file")


def test_weights_of_other_programs_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    refused(path, "another program")
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    refused(path, "another program")


def test_unknown_networks_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata=pack_header({"architecture": "transformer"}))
    refused(path, r"unknown network \(transformer\)")
    save_file({"weight": torch.zeros(3)}, path, metadata=pack_header({}))
    refused(path, r"unknown network \(None\)")


def test_weights_that_do_not_fit_are_refused(tmp_path, network):
    path = tmp_path / "w.safetensors"
    tensors = {name: tensor.half() for name, tensor in network.state_dict().items()}
    name = next(iter(tensors))
    for wrong in (
        {key: tensor for key, tensor in tensors.items() if key != name},
        tensors | {"more": torch.zeros(1)},
        tensors | {name: torch.zeros(1, 2, 3).half()},
        tensors | {name: torch.zeros(tensors[name].shape, dtype=torch.int8)},
    ):
        save_file(wrong, path, metadata=HEADER)
        refused(path, "do not fit the multi-conditional network")
    save_file(tensors | {name: torch.full_like(tensors[name], torch.nan)}, path, metadata=HEADER)
    refused(path, "not finite")
