"""What a new baseline changes."""

from nearid_cli.gate.drops import changes
from nearid_cli.results.score import _OLD_PROTOCOL
from tests.gating import SUBJECTS, change_metric, make_comparison, make_run

BASE = make_run()


def test_scores_before_and_now_and_who_fell():
    run = make_run(drops={"s1": 0.06, "s4": -0.03})
    assert changes(run, BASE) == ["nearid: score 0.775 -> 0.770; fell most: s1 -0.060"]
    assert changes(BASE, BASE) == ["nearid: score 0.775 -> 0.775"]


def test_subjects_that_came_and_went():
    run = make_run({name: score for name, score in SUBJECTS.items() if name != "s0"} | {"new": 0.79})
    (line,) = changes(run, BASE)
    assert "the run lacks 1 subject of the baseline: s0" in line
    assert "1 subject of the run: new" in line


def test_new_metrics_methods_and_checkpoints():
    assert changes(make_run(metrics=("nearid", "hog")), BASE)[1] == "hog: new"
    assert "another checkpoint" in changes(change_metric(BASE, fingerprint="e" * 40), BASE)[0]
    old = change_metric(BASE, protocol=_OLD_PROTOCOL)
    assert "(before by an older nearid, whose numbers meant something else)" in changes(BASE, old)[0]
    assert "older" not in changes(old, old)[0] + changes(BASE, BASE)[0]
    both = make_comparison(ours=BASE, theirs=BASE)
    assert changes(both, make_comparison(ours=BASE)) == [
        "nearid, method ours: score 0.775 -> 0.775",
        "nearid, method theirs: new",
    ]


def test_a_result_of_another_kind_is_all_new():
    assert changes(BASE, make_comparison(ours=BASE)) == ["nearid: new"]
