"""Run commands onto disks that are really full: ext4 and tmpfs, a quota of btrfs, a limit on the size of files.

    sudo python Testing/benchmarks/full_disks.py [--kinds ext4 tmpfs quota limit] [--commands predict train]

Needs Linux and the rights to mount; the quota needs btrfs-progs. Each command runs once with room for everything, and
then with a share of what that took. Where it fails it must say so in a sentence, leave nothing temporary, the inputs as
they were, and what was there before, such as the last checkpoint; where it succeeds all must be there. Otherwise the
status is 1.
"""

import argparse
import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core" / "files"))

from fault_injection import _contents, _has_its_form, _names, _signatures
from fault_scenarios import make_inputs
from training_samples import fill_cache

_IMAGES = ("--t1", "{in}/T1.nii.gz", "--flair", "{in}/FLAIR.nii.gz", "--device", "cpu")
_TRAIN = ("train", "--output", "{out}/run", "--simulated", "2", "--slices", "1", "--validation", "0", "--device", "cpu")
_TRAIN += ("--cache", "{in}/slices", "--batch-size", "1", "--no-adversarial", "--network", "unconditioned")
_TRAIN += ("--checkpoint-every", "1", "--steps")
#: A command, and one that ran before it while there was room.
COMMANDS = {
    "predict": (
        ("predict", "--map", "{in}/NAA.nii.gz", *_IMAGES, "--metabolite", "NAA", "--output", "{out}/x.nii.gz"),
        (),
    ),
    "batch": (("batch", "{in}/study", "{out}/results", "--device", "cpu", "--jobs", "1"), ()),
    "prepare": (("prepare", "{in}/study", "{out}/prepared", "--no-registration"), ()),
    "report": (("report", "--maps", "{in}/NAA.nii.gz", *_IMAGES, "--output", "{out}/report.html"), ()),
    "train": ((*_TRAIN, "3"), (*_TRAIN, "1")),
    "train, 2 processes": ((*_TRAIN, "3", "--devices", "2"), (*_TRAIN, "1", "--devices", "2")),
}
#: Shares of the room that a command takes that there is.
SHARES = (0.0, 0.3, 0.8)
_SIZE = 160 << 20
_TEMPORARY = (".mrsi-superres-", ".partial", ".earlier")


def _call(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


@contextmanager
def _mounted(scratch: Path, make: tuple[str, ...], *options: str) -> Iterator[Path]:
    image, place = scratch / "disk.img", scratch / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(_SIZE)
    if make:
        _call(*make, image)
    _call("mount", *options, image, place)
    try:
        yield place
    finally:
        _call("umount", place)
        place.rmdir()


def _used(folder: Path) -> int:
    """Bytes of all files, in blocks."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


class FullDisk:
    """A disk of a file system, most of which another file takes."""

    def __init__(self, place: Path):
        self.out, self._filler = place / "out", place / "filler"
        self.out.mkdir()

    def leave(self, room: int | None) -> None:
        """Leave so many bytes; all of it if None."""
        self._filler.unlink(missing_ok=True)
        if room is None:
            return
        os.sync()
        disk = os.statvfs(self.out)
        with self._filler.open("wb") as file:
            left = disk.f_bavail * disk.f_frsize - room
            try:
                while left > 0:
                    left -= os.write(file.fileno(), bytes(min(left, 1 << 20)))
                os.fsync(file.fileno())
            except OSError as error:
                # The file system's own blocks take a share of what it said was free.
                if error.errno != errno.ENOSPC:
                    raise

    def before(self) -> None:
        """In the process of a command: nothing."""


class Quota:
    """A subvolume of btrfs with a limit."""

    def __init__(self, place: Path):
        self.out = place / "out"
        _call("btrfs", "subvolume", "create", self.out)
        _call("btrfs", "quota", "enable", place)

    def leave(self, room: int | None) -> None:
        """Let the subvolume grow by so many bytes."""
        os.sync()
        # Its own tree counts, too.
        _call("btrfs", "qgroup", "limit", "none" if room is None else _used(self.out) + (64 << 10) + room, self.out)

    before = FullDisk.before


class Limit:
    """A limit on the size of each file, as of `ulimit -f`."""

    def __init__(self, place: Path):
        self.out, self._room = place / "out", None
        self.out.mkdir()

    def leave(self, room: int | None) -> None:
        """Let files have a share of so many bytes: a command writes several."""
        self._room = room if room is None else room // 4

    def before(self) -> None:
        """In the process of a command: set the limit."""
        if self._room is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._room, self._room))


@contextmanager
def _disk(kind: str, scratch: Path) -> Iterator[FullDisk | Quota | Limit]:
    if kind == "ext4":
        with _mounted(scratch, ("mkfs.ext4", "-q", "-m", "0"), "-o", "loop") as place:
            yield FullDisk(place)
    elif kind == "tmpfs":
        with _mounted(scratch, (), "-t", "tmpfs", "-o", f"size={_SIZE}") as place:
            yield FullDisk(place)
    elif kind == "quota":
        with _mounted(scratch, ("mkfs.btrfs", "-q"), "-o", "loop") as place:
            yield Quota(place)
    else:
        place = scratch / "disk"
        place.mkdir()
        try:
            yield Limit(place)
        finally:
            shutil.rmtree(place)


def _run(argv: tuple[str, ...], inputs: Path, out: Path, before: Callable[[], None]) -> tuple[int, str]:
    words = [word.format(**{"in": inputs, "out": out}) for word in argv]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "inference_core", *words], preexec_fn=before, env=environment, timeout=900,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


def _problems(status: int, text: str, out: Path, former: dict, whole: set[str]) -> Iterator[str]:
    """What should not be."""
    found = _contents(out)
    if left := [name for name in _names(out) if any(word in name for word in _TEMPORARY)]:
        yield f"temporary files are left: {left}"
    if "Traceback" in text:
        yield f"a traceback: {text[-1500:]}"
    if status == 0:
        if missing := sorted(whole - set(found)):
            yield f"status 0, but {missing} are missing"
    elif not any(line.startswith(("Error: ", "Failed: ", "Not prepared")) for line in text.splitlines()):
        yield f"status {status} without a sentence: {text[-500:]}"
    if named := [line for line in text.splitlines() if any(word in line for word in _TEMPORARY)]:
        yield f"a sentence names a temporary file: {named}"
    for name in former:
        if name not in found:
            yield f"{name} was there and is gone"
    for name in found:
        if name.endswith(".pt"):
            if not _has_its_form(out / name):
                yield f"{name} is broken"
        elif name.endswith(".nii.gz") and subprocess.run(["gzip", "-tq", str(out / name)], check=False).returncode:
            yield f"{name} is cut"


def main() -> int:
    """Run all, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["ext4", "tmpfs", "quota", "limit"])
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS))
    parser.add_argument(
        "--shares", nargs="+", type=float, default=SHARES, help="of the room that is needed (0 0.3 0.8)"
    )
    arguments = parser.parse_args()
    problems = 0
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "in"
        inputs.mkdir()
        make_inputs(inputs)
        fill_cache(inputs / "slices", 2, 1)
        signatures = _signatures(inputs)
        for kind in arguments.kinds:
            for name in arguments.commands:
                argv, earlier = COMMANDS[name]
                scratch = Path(folder) / "scratch"
                scratch.mkdir()
                with _disk(kind, scratch) as disk:
                    if earlier:
                        status, text = _run(earlier, inputs, disk.out, disk.before)
                        assert status == 0, text
                    base = scratch / "base"
                    shutil.copytree(disk.out, base)
                    former, start = _contents(base), _used(disk.out)
                    status, text = _run(argv, inputs, disk.out, disk.before)
                    assert status == 0, text
                    whole = set(_contents(disk.out))
                    needed = max(_used(disk.out) - start, _used(disk.out) if earlier else 0)
                    for share in arguments.shares:
                        disk.leave(None)
                        for one in disk.out.iterdir():
                            shutil.rmtree(one) if one.is_dir() else one.unlink()
                        shutil.copytree(base, disk.out, dirs_exist_ok=True)
                        disk.leave(int(share * needed))
                        status, text = _run(argv, inputs, disk.out, disk.before)
                        found = list(_problems(status, text, disk.out, former, whole))
                        if _signatures(inputs) != signatures:
                            found.append("an input was touched")
                        said = [one for one in text.splitlines() if one.startswith(("Error: ", "Failed: ", "Not prep"))]
                        told = said[-1].replace(folder, "") if said else ""
                        room = f"{share * needed / 1024:.0f} KiB"
                        print(
                            f"{kind:6} {name:18} {room:>10}  status {status}  {len(found)} problems  {told}", flush=True
                        )
                        for problem in found:
                            print(f"    {problem}", flush=True)
                        problems += len(found)
                    disk.leave(None)
                shutil.rmtree(scratch)
    print(f"{problems} problems.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
