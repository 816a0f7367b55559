"""Campaigns of faults: every change that a command makes to files fails in turn, and what it leaves is looked at."""

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FOLDER = Path(__file__).parent
#: As the kinds in system_call_faults.c.
KINDS = {"disk full": 1, "bad sector": 2, "read-only": 3, "killed": 4, "short write": 5}
#: Names that no output has.
_TEMPORARY = (".mrsi-superres-", ".partial", ".earlier")
#: Seconds that a command may take, with a fault and the first time.
_FAULT_TIMEOUT_S, _FIRST_TIMEOUT_S = 180, 1800
#: How a command says what is wrong.
_SENTENCES = ("Error: ", "Failed: ", "Not prepared", "Not done")
#: System calls that remove a file or folder.
_REMOVALS = {"x86_64": (84, 87, 263), "aarch64": (35,)}


def compiler() -> list[str] | None:
    """The command of a C compiler, or None."""
    for name in ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return [found]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def unavailable() -> str:
    """Why faults can't be injected here; "" if they can."""
    if sys.platform != "linux" or os.uname().machine not in _REMOVALS:
        return "system calls are made to fail on Linux, on x86-64 and AArch64, alone"
    return "" if compiler() else "there is no C compiler (cc, gcc, clang or ziglang)"


def build(folder: Path) -> Path:
    """Compile what makes system calls fail."""
    library = folder / "faults.so"
    source = _FOLDER / "system_call_faults.c"
    subprocess.run([*compiler(), "-O1", "-shared", "-fPIC", str(source), "-o", str(library)], check=True)
    return library


@dataclass(frozen=True)
class Scenario:
    """A command, and what it finds.

    Attributes:
        name: of the scenario.
        argv: the command; "{in}" and "{out}" stand for its folders.
        before: a command whose outputs it finds in place; none if empty.
        changing: parts of the names of files that differ from run to run, which are only checked for their form.
        logs: parts of the names of files that are appended to, whose last record may be cut.
        unpacked: a file that is there once the command has unpacked what an earlier one packed, whose parts are then
            gone; "" where nothing is packed.
    """

    name: str
    argv: tuple[str, ...]
    before: tuple[str, ...] = ()
    changing: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    unpacked: str = ""


@dataclass
class Tally:
    """What came of a scenario's injections.

    Attributes:
        calls: that the command makes, and a fault can hit, by kind.
        injections: done, by kind.
        problems: sentences on what should not have been.
    """

    calls: dict[str, int] = field(default_factory=dict)
    injections: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


class Campaign:
    """Runs commands with faults in a folder that lies on a disk which is fast to write to.

    Args:
        folder: for all; "root/in", "root/out" and "root/tmp" lie in it.
        make_inputs: writes the inputs into a folder.
    """

    def __init__(self, folder: Path, make_inputs: Callable[[Path], None]):
        self.folder, self.root = folder, folder / "root"
        (folder / "kept").mkdir()
        self.inputs, self.out, self.tmp = (self.root / name for name in ("in", "out", "tmp"))
        self.inputs.mkdir(parents=True)
        make_inputs(self.inputs)
        self._server = self._start()
        self._signature = _signatures(self.inputs)
        self._content = _contents(self.inputs)

    def _start(self) -> subprocess.Popen:
        library, state = build(self.folder), self.folder / "state"
        with state.open("wb") as file:
            file.truncate(1 << 23)
        environment = {"LD_PRELOAD": str(library), "MRSI_FAULTS_STATE": str(state), "TMPDIR": str(self.tmp)}
        environment |= {"OMP_NUM_THREADS": "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1", "SOURCE_DATE_EPOCH": "0"}
        self.tmp.mkdir()
        server = subprocess.Popen(
            [sys.executable, str(_FOLDER / "fault_server.py"), str(self.folder / "kept")],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if server.stdout.readline() != "ready\n":
            raise RuntimeError("the fault server did not start")
        return server

    def close(self) -> None:
        """End the server, and say whether the inputs still hold what they did.

        Raises:
            AssertionError: if they do not.
        """
        self._server.stdin.close()
        self._server.wait()
        assert _contents(self.inputs) == self._content

    def _run(self, scenario: Scenario, argv: Iterable[str], kind: str | None = None, target: int = 0) -> dict:
        places = {"in": self.inputs, "out": self.out}
        request = {
            "scenario": scenario.name,
            "argv": [word.format(**places) for word in argv],
            "folder": str(self.folder),
            "root": str(self.root),
            "kind": KINDS[kind] if kind else 0,
            "target": target,
            "timeout_s": _FAULT_TIMEOUT_S if kind else _FIRST_TIMEOUT_S,
            "stdout": str(self.folder / "stdout"),
            "stderr": str(self.folder / "stderr"),
        }
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        answer = json.loads(self._server.stdout.readline())
        answer["stdout"], answer["stderr"] = (
            (self.folder / name).read_text(encoding="utf-8", errors="replace") for name in ("stdout", "stderr")
        )
        return answer

    def run(self, scenario: Scenario, kinds: Iterable[str], chosen: Callable[[int], Iterable[int]]) -> Tally:
        """A scenario's injections.

        Args:
            scenario: what to run.
            kinds: of faults, of `KINDS`.
            chosen: which of so many calls to let fail, counted from 1.
        """
        tally = Tally()
        base = self.folder / "base"
        self._clear()
        if scenario.before:
            self._expect_success(scenario, scenario.before)
        shutil.rmtree(base, ignore_errors=True)
        shutil.copytree(self.out, base, symlinks=True)
        # Twice: the second run finds what takes long computed, and makes the calls that those with faults will make.
        for _ in range(2):
            self._restore(base)
            self._expect_success(scenario, scenario.argv)
        expected = _contents(self.out)
        former = _contents(base)
        for kind in kinds:
            self._restore(base)
            count = len(self._run(scenario, scenario.argv, kind)["calls"])
            tally.calls[kind] = count
            for target in chosen(count):
                self._restore(base)
                answer = self._run(scenario, scenario.argv, kind, target)
                tally.injections[kind] = tally.injections.get(kind, 0) + 1
                struck = answer["calls"][target - 1] if len(answer["calls"]) >= target else (0, "nothing")
                where = f"{scenario.name}, {kind} at {target} of {count} ({struck[1]})"
                found = self._problems(scenario, kind, answer, former, expected)
                tally.problems += [f"{where}: {problem}" for problem in found]
                if kind == "killed" and answer["struck"]:
                    again = self._run(scenario, scenario.argv)
                    if again["status"] != 0 or (wrong := self._differing(scenario, expected)):
                        reason = again["stderr"][-300:] if again["status"] else f"differs: {wrong}"
                        tally.problems.append(f"{where}: the next run does not make up for it: {reason}")
        return tally

    def _expect_success(self, scenario: Scenario, argv: Iterable[str]) -> None:
        answer = self._run(scenario, argv)
        assert answer["status"] == 0, f"{scenario.name} failed without a fault: {answer['stdout']}{answer['stderr']}"

    def _clear(self) -> None:
        for folder in (self.out, self.tmp):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()

    def _restore(self, base: Path) -> None:
        self._clear()
        shutil.rmtree(self.out)
        shutil.copytree(base, self.out, symlinks=True)

    def _differing(self, scenario: Scenario, expected: dict[str, str]) -> list[str]:
        found = _contents(self.out)
        skipped = (*scenario.changing, *scenario.logs)
        return [n for n, content in expected.items() if not _is_one_of(n, skipped) and found.get(n) != content]

    def _problems(self, scenario: Scenario, kind: str, answer: dict, former: dict, expected: dict) -> Iterator[str]:
        """What should not be, after a run with a fault."""
        status, text = answer["status"], answer["stderr"] + answer["stdout"]
        if _signatures(self.inputs) != self._signature:
            yield "an input was touched"
        if status is None:
            yield "it hung"
        found = _contents(self.out)
        for name, content in found.items():
            path = self.out / name
            if Path(name).name.startswith(_TEMPORARY) or ".partial/" in name or ".earlier/" in name:
                continue
            if _is_one_of(name, scenario.logs):
                if problem := _broken_log(path):
                    yield f"{name}: {problem}"
            elif _is_one_of(name, scenario.changing):
                if not _has_its_form(path):
                    yield f"{name} is broken"
            elif content not in (former.get(name), expected.get(name)):
                yield f"{name} is neither what it was nor what it should be ({path.stat().st_size} bytes)"
        for name in former:
            # On a disk that is read-only from then on, what was set aside can't return before the next run.
            aside = kind == "read-only" and found.get(_set_aside(name)) == former[name]
            kept = name.endswith(".json") or ".partial/" in name or kind == "killed" or aside
            unpacked = "/state/part-" in name and scenario.unpacked in found
            if name not in found and not kept and not unpacked:
                yield f"{name} was there and is gone"
        yield from _mismatched(found, former, expected)
        if kind == "killed":
            # Where a process that it had started was killed, it tells of that.
            if answer["struck"] and status not in (-9, 1, 2):
                yield f"status {status} instead of a kill"
            return
        wrong = self._differing(scenario, expected)
        if status == 0 and wrong:
            yield f"status 0, but {', '.join(wrong[:3])} not as it should be"
        if status != 0:
            if "Traceback" in text:
                yield f"a traceback: {text[-600:]}"
            elif not any(line.startswith(_SENTENCES) for line in text.splitlines()):
                yield f"status {status} without a sentence: {text[-300:]}"
        turned = [number for number, _ in answer["calls"]]
        removal = kind == "bad sector" and any(number in _REMOVALS[os.uname().machine] for number in turned)
        left = [name for name in _names(self.out, self.tmp) if any(word in name for word in _TEMPORARY)]
        left += [f"tmp/{one.name}" for one in self.tmp.iterdir()]
        if left and kind != "read-only" and not removal:
            yield f"temporary files are left: {left}"


def _set_aside(name: str) -> str:
    """Where a file of a patient's folder lies while another version of the folder takes its place."""
    folder, patient, rest = (*name.split("/", 2), "", "")[:3]
    return f"{folder}/.{patient}.earlier/{rest}"


def _is_one_of(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in Path(name).name for part in parts)


def _names(*folders: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*")]


def _signatures(folder: Path) -> dict[str, tuple]:
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found[path.relative_to(folder).as_posix()] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def _contents(folder: Path) -> dict[str, str]:
    """Each file's hash, by its path in a folder; locks, which hold nothing, are left out."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def _mismatched(found: dict[str, str], former: dict[str, str], expected: dict[str, str]) -> Iterator[str]:
    """Images beside the description of another one."""
    for name in found:
        about = name.removesuffix(".nii.gz") + ".json"
        if not name.endswith(".nii.gz") or about not in found or former.get(name) == expected.get(name):
            continue
        states = [
            {state for state, all_of in (("old", former), ("new", expected)) if all_of.get(one) == found[one]}
            for one in (name, about)
        ]
        if not states[0] & states[1]:
            yield f"{name} is {states[0]}, its description {states[1]}"


def _broken_log(path: Path) -> str:
    """What is wrong with a file of records, of which the last may be cut."""
    if path.suffix == ".jsonl":
        *whole, _last = path.read_text(encoding="utf-8").split("\n")
        for line in whole:
            with contextlib.suppress(json.JSONDecodeError):
                json.loads(line)
                continue
            return f"a broken record before the last: {line!r}"
    return ""


def _has_its_form(path: Path) -> bool:
    """Whether a file can be read as what its name says."""
    content = path.read_bytes()
    if path.suffix == ".json":
        with contextlib.suppress(ValueError):
            json.loads(content)
            return True
        return False
    if path.suffix == ".tsv":
        lines = content.decode().split("\n")
        return lines.pop() == "" and len({line.count("\t") for line in lines}) == 1
    if path.suffix in (".html", ".svg"):
        return content.rstrip().endswith((b"</html>", b"</svg>"))
    if path.suffix == ".pt":
        import torch

        with contextlib.suppress(Exception):
            torch.load(path, weights_only=True)
            return True
        return False
    return bool(content)
