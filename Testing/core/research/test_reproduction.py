"""The paper's experiments: folds, budgets, the queue, and the tables and figures made of what was measured."""

import json

import numpy as np
import pytest
from matplotlib.text import Text

from inference_core.commands.cli import main
from inference_core.errors import InputError
from inference_core.research.reproduction import jobs, pieces
from inference_core.research.reproduction.figures import comparison_figure
from inference_core.research.reproduction.folds import split_folds
from inference_core.research.reproduction.jobs import Job, all_jobs, let_go, run_jobs
from inference_core.research.reproduction.methods import TRAINED_METHODS, choose_methods, untrained_methods
from inference_core.research.reproduction.plan import Plan, keep_plan, read_plan, share_out
from inference_core.research.reproduction.report import write_report
from inference_core.research.reproduction.study import Study
from inference_core.research.reproduction.tables import pairs_tested, read_scores, table_rows, turning_point
from inference_core.terms.conditions import METABOLITES, TRAINED_RESOLUTIONS
from inference_core.terms.duration import parse_duration


def make_plan(methods=("unconditioned", "filter-scaling-met"), folds=2, **options):
    return Plan(tuple(methods), folds, 10, False, 60.0, "10 simulated patients", True, None, **options)


@pytest.fixture
def study(tmp_path):
    return Study(tmp_path, make_plan(), list(range(10)), "cpu")


def test_folds_rotate_as_in_the_paper():
    folds = split_folds(range(15))
    assert [(len(f.train), len(f.validation), len(f.test)) for f in folds] == [(9, 3, 3)] * 5
    assert sorted(sum((f.test for f in folds), ())) == list(range(15))
    assert sorted(sum((f.validation for f in folds), ())) == list(range(15))
    for fold in folds:
        assert sorted(fold.train + fold.validation + fold.test) == list(range(15))
    assert sorted(sum((f.test for f in split_folds(range(7))), ())) == list(range(7))
    with pytest.raises(InputError, match="4 patients: five-fold"):
        split_folds(range(4))


def test_methods_are_the_papers_table():
    assert [m.name for m in choose_methods(["filter-scaling", "unconditioned"])] == ["unconditioned", "filter-scaling"]
    assert TRAINED_METHODS["single-scale"].resolutions == [(n,) for n in TRAINED_RESOLUTIONS]
    with pytest.raises(InputError, match="Unknown method 'resnet'"):
        choose_methods(["resnet"])


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1.5 h", 5400), ("1d", 86400)])
def test_budgets_are_read(text, seconds):
    assert parse_duration(text, "budget") == seconds


@pytest.mark.parametrize("text", ["", "h", "2", "0m", "-1h", "2 weeks"])
def test_what_is_no_budget_is_refused(text):
    with pytest.raises(InputError, match="not a time: write it"):
        parse_duration(text, "budget")


def test_a_budget_is_shared_out_evenly():
    methods = choose_methods(["single-scale", "unconditioned"])
    seconds = {"single-scale": 1.0, "unconditioned": 2.0}
    # Nine networks at 1 s and one at 2 s a step.
    full = 11 * 5 * 10_000
    assert share_out(full / 4, methods, seconds, 10_000) == (2, 6250)
    assert share_out(full * 0.64, methods, seconds, 10_000) == (4, 8000)
    assert share_out(full / 100, methods, seconds, 10_000) == (1, 500)
    assert share_out(11, methods, seconds, 10_000) == (1, 1)
    assert share_out(1e9, methods, seconds, 10_000) == (5, 10_000)


def test_a_plan_is_kept_and_another_one_refused(tmp_path):
    assert read_plan(tmp_path) is None
    keep_plan(tmp_path, make_plan())
    keep_plan(tmp_path, make_plan())
    assert read_plan(tmp_path) == make_plan()
    with pytest.raises(InputError, match=r"other settings \(folds, seed\)"):
        keep_plan(tmp_path, make_plan(folds=3, seed=1))
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        read_plan(tmp_path)


def pretend(monkeypatch, failing=()):
    """Jobs leave their file without work, but those that fail."""
    begun = []

    def run(job, study):
        begun.append(job)
        if str(job) in failing:
            raise RuntimeError("out of luck")
        path = job.file(study)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[]")

    monkeypatch.setattr(Job, "run", run)
    return begun


def test_jobs_come_after_what_they_need_and_are_done_once(study, monkeypatch):
    begun = pretend(monkeypatch)
    assert run_jobs(study, ["cpu"]) == []
    assert begun == all_jobs(study)
    for index, job in enumerate(begun):
        assert set(job.needs(study)) <= {earlier.file(study) for earlier in begun[:index]}
    assert len({job.file(study) for job in begun}) == len(begun)
    begun.clear()
    assert run_jobs(study, ["cpu"]) == []
    assert not begun


def test_what_fails_does_not_stop_the_rest_and_is_named(study, monkeypatch):
    begun = pretend(monkeypatch, failing=["train unconditioned, fold 1"])
    failures = run_jobs(study, ["cpu"])
    assert [f.job for f in failures] == ["train unconditioned, fold 1", "method unconditioned, fold 1"]
    assert "out of luck" in failures[0].reason
    assert "Traceback" in (study.folder / "errors.log").read_text()
    assert "It needs unconditioned-fold1, which is not done" in failures[1].reason
    assert len(begun) == len(all_jobs(study)) - 1
    # The next run does what is left.
    begun = pretend(monkeypatch)
    assert run_jobs(study, ["cpu"]) == []
    assert [str(job) for job in begun] == ["train unconditioned, fold 1", "method unconditioned, fold 1"]


def test_given_weights_take_the_place_of_training(tmp_path):
    plan = Plan(("unconditioned",), 1, 10, False, 60.0, "", True, str(tmp_path / "given.safetensors"))
    study = Study(tmp_path, plan, list(range(5)), "cpu")
    needs = {job.kind: job.needs(study) for job in all_jobs(study)}
    assert needs["sharpness"] == needs["conditions"] == [tmp_path / "given.safetensors"]


def test_time_ends_between_jobs_and_the_rest_is_left(study, monkeypatch):
    begun = pretend(monkeypatch)
    monkeypatch.setattr(Study, "out_of_time", lambda study: len(begun) >= 3)
    assert run_jobs(study, ["cpu"]) == []
    assert begun == all_jobs(study)[:3]
    monkeypatch.setattr(Study, "out_of_time", lambda study: False)
    run_jobs(study, ["cpu"])
    assert begun == all_jobs(study)


def test_a_network_that_time_ends_is_not_done_and_no_failure(study, monkeypatch):
    pretend(monkeypatch)
    monkeypatch.setattr(Job, "run", lambda job, study: None)
    told = []
    assert run_jobs(study, ["cpu"], told.append) != []
    assert not told or all(job.kind != "train" for job in told)


def test_jobs_side_by_side_each_do_what_they_can(study):
    # Without slices, all fail; each is named once, in whatever order.
    failures = run_jobs(study, ["cpu", "cpu"])
    assert sorted(failure.job for failure in failures) == sorted(str(job) for job in all_jobs(study))
    untrained = next(failure for failure in failures if failure.job == "untrained, fold 2")
    assert "AttributeError" in untrained.reason


def test_weights_are_let_go_of_once_nothing_needs_them(tmp_path, monkeypatch):
    study = Study(tmp_path, make_plan(("unconditioned", "multi-conditional")), list(range(10)), "cpu")
    begun = pretend(monkeypatch)
    monkeypatch.setattr(Study, "out_of_time", lambda study: len(begun) >= 9)
    run_jobs(study, ["cpu"])
    let_go(study)
    left = sorted(path.parent.name for path in tmp_path.rglob("weights.safetensors"))
    # The report shows maps of the first fold; the second fold's are not measured yet.
    assert left == ["multi-conditional-fold1", "unconditioned-fold2"]
    begun.clear()
    monkeypatch.setattr(Study, "out_of_time", lambda study: False)
    run_jobs(study, ["cpu"])
    assert begun == all_jobs(study)[9:]


def test_a_piece_leaves_no_more_than_its_files(tmp_path, monkeypatch):
    study = Study(tmp_path, make_plan(), list(range(10)), "cpu")
    rng = np.random.default_rng(0)
    for name, size in (("small", 3), ("large", 200)):
        folder = tmp_path / "networks" / name
        folder.mkdir(parents=True)
        (folder / "checkpoint.pt").write_bytes(rng.bytes(size << 16))
    monkeypatch.setattr(pieces, "PART", 1 << 18)
    assert pieces.leave(study) == (1, ["large"])
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["part-1"]


def test_the_time_of_the_whole_plan_is_told_from_what_was_trained(study):
    assert pieces.time_needed(study) is None
    folder = study.network_folder("unconditioned", TRAINED_RESOLUTIONS, 0)
    folder.mkdir(parents=True)
    (folder / "seconds.json").write_text("2.0")
    (folder / "steps.json").write_text("4")
    # Two networks of ten steps in each of two folds.
    assert pieces.time_needed(study) == (2.0, 40, 20.0)


def scores_of(title, level, seed):
    rng = np.random.default_rng(seed)
    return [
        {
            "method": title,
            "n": n,
            "metabolite": metabolite,
            "slice": 0,
            "psnr": float(level + rng.normal(0, 0.1)),
            "ssim": 0.9,
            "sharpness": 1.0,
        }
        for n in TRAINED_RESOLUTIONS
        for metabolite in METABOLITES
    ]


@pytest.fixture
def measured(study):
    """Results as jobs leave them."""
    for fold in range(2):
        rows = {
            "untrained": [score for i, title in enumerate(untrained_methods()) for score in scores_of(title, 25, i)]
        }
        rows |= {name: scores_of(TRAINED_METHODS[name].title, 30, fold) for name in study.plan.methods}
        size = len(TRAINED_RESOLUTIONS), len(METABOLITES)
        rows["conditions"] = {k: np.eye(s).tolist() for k, s in zip(("resolution", "metabolite"), size, strict=True)}
        names = [f"{value:g}" for value in (0, 0.03, 0.1)] + list(untrained_methods())
        details = {"maps": 10, "raised in all": 8, "lowered in all": 4, "raised kept": 5, "lowered kept": 2}
        details |= {f"{kind} recovered": 0.5 for kind in ("tumour", "raised", "lowered")}
        rows["sharpness"] = {
            "scores": [score for name in names for score in scores_of(name, 29, 0)],
            "details": [{"method": n, **details, "invented": 6 if n == "0.1" else 1} for n in names],
        }
        for name, content in rows.items():
            path = study.result(name, fold)
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
    for name in study.plan.methods:
        for fold in range(2):
            folder = study.network_folder(name, TRAINED_RESOLUTIONS, fold)
            folder.mkdir(parents=True)
            (folder / "seconds.json").write_text("1800")
    return study


def test_the_table_holds_what_was_measured_beside_the_papers_figures(measured):
    rows = {row.title: row for row in table_rows(measured, read_scores(measured))}
    assert list(rows) == [*untrained_methods(), "Unconditioned", "Filter Scaling with Met"]
    row = rows["Filter Scaling with Met"]
    assert row.psnr == pytest.approx((30, 0.1), abs=0.03)
    assert (row.hours, row.maps) == (1.0, 2 * 63)
    assert row.parameters == pytest.approx(6.935453)
    assert row.paper[0] == "30.86 ± 2.92"
    assert rows["Zero-filling"].hours is rows["Zero-filling"].paper is None


def test_pairs_are_tested_on_the_maps_that_all_have(measured):
    tests = {(t.first, t.second): t for t in pairs_tested(read_scores(measured), "psnr")}
    assert len(tests) == 10
    assert tests["Zero-filling", "Unconditioned"].corrected < 1e-6
    assert tests["Unconditioned", "Filter Scaling with Met"].p == 1


def test_the_turning_point_is_where_more_is_invented_than_gained():
    start = {"kept a map": 0.5, "invented a map": 0.1}
    more = {"kept a map": 0.6, "invented a map": 0.15}
    worse = {"kept a map": 0.6, "invented a map": 0.3}
    assert turning_point({"0": start, "0.03": more, "0.1": worse, "Zero-filling": worse}) == 0.1
    assert turning_point({"0": start, "0.03": more}) is None


def test_the_report_is_one_file_that_says_what_it_is(measured):
    path = write_report(measured, [], [], "mrsi-superres reproduce --budget 60s", "Not measured.")
    text = path.read_text()
    assert "All patients are simulated" in text
    assert "A reduced budget of 1 m of training: 2 of 5 folds, 10 steps" in text
    assert "mrsi-superres reproduce --budget 60s" in text
    assert "From λ = 0.1 on, more spots are invented than gained" in text
    assert text.count("data:image/png;base64,") == 4
    assert 'src="http' not in text
    for name in ("figure2a", "figure2b", "figure4", "details"):
        assert (measured.folder / f"{name}.svg").exists()
    assert len((measured.folder / "scores.csv").read_text().splitlines()) == 1 + 2 * 5 * 63


def test_a_report_of_what_is_not_done_says_so(study):
    failure = jobs.Failure("train unconditioned, fold 1", "No <memory>.")
    text = write_report(study, [], [failure], "", "Not measured.").read_text()
    assert "Not done: train unconditioned, fold 1. No &lt;memory&gt;." in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "resnet"], "Unknown method 'resnet'"),
        (["--budget", "soon"], "The budget 'soon' is not a time"),
        (["--simulated", "3"], "There are 3 patients"),
        (["--weights", "nowhere.safetensors"], "do not exist"),
    ],
)
def test_bad_settings_are_refused_before_any_work(tmp_path, capsys, arguments, message):
    assert main(["reproduce", "--output", str(tmp_path / "run"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_visual_comparison_has_lpips_where_it_was_measured():
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    row = {"metabolite": "tCho", "n": 24, "outputs": {"λ = 0": image}, "truth": image, "brain": image > 0.1}
    row["flair"] = np.ones((192, 192), np.float32)

    def texts(lpips):
        figure = comparison_figure([row | {"lpips": lpips}], "simulated")
        return [text.get_text() for text in figure.findobj(Text)]

    assert any(text.endswith("/ 0.123") for text in texts({"λ = 0": 0.1234}))
    assert "PSNR / SSIM" in texts({})
