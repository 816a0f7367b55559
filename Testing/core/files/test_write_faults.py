"""Every change that a command makes to files fails in turn; at length in Testing/benchmarks/write_faults.py."""

import tempfile
from pathlib import Path

import pytest
from fault_injection import KINDS, Campaign, Scenario, unavailable
from fault_scenarios import SCENARIOS, make_inputs

pytestmark = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

#: How many calls of each kind are let fail, of those scenarios that are quick enough.
_SHORT = {"predict again": 8, "predict .nii": 4, "batch again": 6, "regions again": 4, "report": 3, "prepare again": 2}


@pytest.fixture(scope="module")
def campaign():
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        running = Campaign(Path(folder), make_inputs)
        yield running
        running.close()


@pytest.mark.parametrize("name", _SHORT)
def test_what_a_fault_leaves_is_whole_or_absent(campaign, name):
    scenario = next(one for one in SCENARIOS if one.name == name)

    def spread(count):
        return sorted({1 + round(step * (count - 1) / (_SHORT[name] - 1)) for step in range(_SHORT[name])})

    tally = campaign.run(scenario, KINDS, spread)
    assert min(tally.calls.values()) > 0
    assert sum(tally.injections.values()) >= 2 * len(KINDS) - 1
    assert not tally.problems, "\n".join(tally.problems)


def test_a_careless_program_is_found_out(campaign, monkeypatch):
    """The campaign itself: files that are written in place, as they were before, do not pass."""
    careless = Scenario("careless", ("predict",))

    def write_in_place(scenario, argv, kind=None, target=0):
        answer = {"status": 0, "struck": bool(kind), "calls": [[1, "/out/a.nii.gz"]] * 2, "stdout": "", "stderr": ""}
        (campaign.out / "a.nii.gz").write_bytes(b"half" if kind else b"whole")
        return answer

    monkeypatch.setattr(campaign, "_run", write_in_place)
    problems = campaign.run(careless, ["disk full"], lambda count: [1]).problems
    assert any("neither what it was nor what it should be" in problem for problem in problems)
    assert any("status 0, but a.nii.gz not as it should be" in problem for problem in problems)
