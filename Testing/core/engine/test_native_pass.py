"""The native kernels compute what PyTorch computes, and do without where they can't be had."""

import ctypes
import multiprocessing
import os
import shutil
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch
from test_engine import inputs, without_contrast, worst

from inference_core.engine import native
from inference_core.engine.engine import Engine
from inference_core.engine.native import compiler, kernels, runner
from inference_core.engine.native.compiler import NativeUnavailableError
from inference_core.errors import InputError, InputWarning
from inference_core.networks import create_network

needs_compiler = pytest.mark.skipif(compiler.compiler_command() is None, reason="there is no C++ compiler")


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = create_network("multi-conditional").eval()
        for parameter in network.parameters():
            if parameter.dim() == 1:
                torch.nn.init.normal_(parameter, mean=0.2, std=0.2)
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def engine(network):
    return Engine(network, "cpu", "native")


@needs_compiler
@pytest.mark.parametrize(
    ("n", "metabolite", "sharpness", "batch"), [(16, 0, 0.0, 1), (23, 3, 0.1, 3), (32, 6, 0.03, 1)]
)
def test_output_is_the_plain_networks(network, engine, n, metabolite, sharpness, batch):
    images = inputs(n, batch)
    output = engine(*images, n, metabolite, sharpness)
    assert worst(output, network(*images, n, metabolite, sharpness)) < 1e-4
    assert torch.equal(output, engine(*images, n, metabolite, sharpness))


@needs_compiler
@pytest.mark.parametrize("case", ["no MRI", "flat map", "hardly any contrast", "faint"])
def test_images_with_next_to_no_contrast_lose_no_digits(network, engine, case):
    images = without_contrast(case)
    assert worst(engine(*images, 20, 0, 0.05), network(*images, 20, 0, 0.05)) < 1e-4


@needs_compiler
def test_passes_at_the_same_time_do_not_disturb_each_other(engine):
    images = [inputs(20, seed=seed) for seed in range(3)]
    expected = [engine(*own, 20, 1, 0.02) for own in images]
    results = {}

    def work(index):
        results[index] = [engine(*images[index], 20, 1, 0.02) for _ in range(4)]

    threads = [threading.Thread(target=work, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(result, expected[index]) for index in range(3) for result in results[index])


@needs_compiler
@pytest.mark.skipif(sys.platform != "linux", reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(engine):
    images = inputs(20)
    expected = engine(*images, 20, 0, 0.02)

    def work():
        if not torch.equal(engine(*images, 20, 0, 0.02), expected):
            os._exit(1)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    process.join(60)
    alive = process.is_alive()
    process.kill()
    assert not alive
    assert process.exitcode == 0


@needs_compiler
def test_threads_are_as_many_as_before(engine):
    threads = torch.get_num_threads()
    engine(*inputs(), 20, 0, 0.0)
    assert torch.get_num_threads() == threads


@needs_compiler
def test_kernels_are_compiled_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MRSI_SUPERRES_CACHE", str(tmp_path / "new" / "folder"))
    compiler.load_kernels.__wrapped__()
    made = list((tmp_path / "new" / "folder").iterdir())
    assert len(made) == 1
    monkeypatch.setattr(compiler, "_compile", None)
    compiler.load_kernels.__wrapped__()


@needs_compiler
def test_a_damaged_library_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("MRSI_SUPERRES_CACHE", str(tmp_path))
    command = compiler.compiler_command()
    compiler._library_path(command, Path(shutil.which(command[0]))).write_bytes(b"not a library")
    with pytest.raises(NativeUnavailableError, match=r"can't be loaded .* delete the file"):
        compiler.load_kernels.__wrapped__()


def test_no_compiler_is_said(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(compiler, "find_spec", lambda name: None)
    with pytest.raises(NativeUnavailableError, match=r"no C\+\+ compiler: install one"):
        compiler.load_kernels.__wrapped__()


def test_a_failing_compiler_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "false")
    monkeypatch.setenv("MRSI_SUPERRES_CACHE", str(tmp_path))
    with pytest.raises(NativeUnavailableError, match="The compiler false failed"):
        compiler.load_kernels.__wrapped__()
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(NativeUnavailableError, match=r"'no-such-compiler', named by CXX, is not there"):
        compiler.load_kernels.__wrapped__()


@needs_compiler
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_cache_that_is_read_only_is_said(tmp_path, monkeypatch):
    tmp_path.chmod(0o500)
    monkeypatch.setenv("MRSI_SUPERRES_CACHE", str(tmp_path))
    with pytest.raises(NativeUnavailableError, match="set MRSI_SUPERRES_CACHE"):
        compiler.load_kernels.__wrapped__()


@needs_compiler
def test_another_version_of_the_compiler_compiles_anew(tmp_path):
    command = ["c++", "-march=native"]
    version = tmp_path / "c++"
    version.write_text("1")
    first = compiler._library_path(command, version)
    version.write_text("version 2")
    assert compiler._library_path(command, version) != first


def test_a_cache_that_can_not_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CXX", "c++")
    monkeypatch.setenv("MRSI_SUPERRES_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NativeUnavailableError, match="set MRSI_SUPERRES_CACHE"):
        compiler.load_kernels.__wrapped__()


def test_pytorch_takes_over_unless_native_was_asked_for(network, monkeypatch):
    def unavailable(layers):
        raise NativeUnavailableError("There is no C++ compiler.")

    monkeypatch.setattr(native, "NativePass", unavailable)
    monkeypatch.setattr("inference_core.engine.runtimes.find_spec", lambda name: object())
    with pytest.warns(InputWarning, match=r"no C\+\+ compiler"):
        engine = Engine(network, "cpu")
    assert engine.runtime == "pytorch"
    with pytest.raises(InputError, match=r"no C\+\+ compiler"):
        Engine(network, "cpu", "native")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Engine(network, "cpu", "pytorch").runtime == "pytorch"


@needs_compiler
@pytest.mark.parametrize("kernel", ["first_features", "convolve", "pool", "upsample", "head"])
def test_a_miscompiled_kernel_is_never_used(network, monkeypatch, kernel):
    class Wrong:
        def __getattr__(self, name):
            return getattr(compiler.load_kernels(), name)

    def wrong(*arguments):
        # What was in the output's memory may even be right.
        if kernel == "head":
            ctypes.memset(arguments[-1], 0, 4 * 21 * 21)

    setattr(Wrong, kernel, staticmethod(wrong))
    # So do the buffers, from an earlier pass.
    take = kernels._Buffers.take
    monkeypatch.setattr(kernels._Buffers, "take", lambda *arguments: take(*arguments).fill_(torch.nan))
    monkeypatch.setattr(runner, "_trusted", False)
    monkeypatch.setattr(kernels, "load_kernels", Wrong)
    with pytest.raises(NativeUnavailableError, match="something else than PyTorch"):
        Engine(network, "cpu", "native")


@needs_compiler
def test_channels_that_the_kernels_can_not_do_are_refused():
    for outputs, channels in ((12, 8), (136, 8), (8, 264)):
        with pytest.raises(ValueError, match=f"convolve {channels} to {outputs} channels"):
            kernels.Filters(torch.zeros(outputs, channels, 3, 3))
