"""Which configuration is in force: it is said, hides nothing built in unless told to, and is nobody else's."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nearid_cli import owners
from nearid_cli.configuration import load_configuration
from nearid_cli.errors import UsageError
from tests.commandline import Nearid

GiveAway = Callable[[Path], None]
MINE = "[metrics.mine]\nplugin = 'measuring:Mine'\n"
PLUGIN = """
from nearid_cli.plugins import PairwiseMetric


class Mine(PairwiseMetric):
    version, protocol = "mine/1", "always 1"

    def features(self, image):
        return 1.0

    def compare(self, reference, generation):
        return 1.0
"""


@pytest.fixture
def give_away(monkeypatch: pytest.MonkeyPatch) -> GiveAway:
    """Make a file another user's; who is not root becomes another user instead, whose files these are not."""

    def give(path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, 65534, 65534, follow_symlinks=False)
        else:
            monkeypatch.setattr(owners, "_ours", lambda: frozenset({0}))

    return give


def said(err: str) -> list[str]:
    return [line for line in err.splitlines() if "configuration" in line]


class TestWhatIsInForceIsSaid:
    def test_with_what_it_sets_for_this_command(
        self, nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NEARID_CACHE")
        below = data / "below"
        below.mkdir()
        (data / "nearid.toml").write_text(
            'metric = "ours,hog"\ncache = "kept"\nworkers = 1\n[metrics.ours]\ncheckpoint = "org/x"\n[metrics.other]\n'
            'checkpoint = "org/y"\n[[gate.rules]]\nmetric = "hog"\nmin = 0.0\n'
        )
        monkeypatch.chdir(below)
        line = f"configuration: {data / 'nearid.toml'} sets"
        score = nearid("score", data / "refs", data / "gens")  # the checkpoint of ours is not here
        assert said(score.err) == [f"{line} metric, cache, workers and metrics.ours"]
        scored = nearid("score", data / "refs", data / "gens", "-m", "hog", "-o", "run.json")
        assert said(scored.err) == [f"{line} cache and workers"]
        assert said(nearid("cache", "info").err) == [f"{line} cache"]
        assert said(nearid("cache", "info", "--cache", "elsewhere").err) == []
        assert said(nearid("models", "info", "ours").err) == [f"{line} metrics.ours"]
        assert said(nearid("models", "info", "hog").err) == []
        assert said(nearid("gate", "run.json").err) == [f"{line} gate"]
        assert said(nearid("gate", "run.json", "--config", data / "nearid.toml").err) == []

    def test_by_the_doctor(self, nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for slow in ("_hub", "_devices", "_torchvision"):
            monkeypatch.setattr(f"nearid_cli.cli.doctor.{slow}", lambda: "not asked")
        monkeypatch.setenv("COLUMNS", "400")
        assert "configuration" in nearid("doctor").out
        (data / "nearid.toml").write_text(
            'metric = "hog"\n[metrics.dino]\noverride = true\ncheckpoint = "org/x"\n[gate]\nbaseline = "b.json"\n'
        )
        (line,) = said(nearid("doctor").out)
        assert line.split(maxsplit=1)[1].rstrip() == (
            f"{data / 'nearid.toml'}: sets metric, metrics.dino in the place of the built-in one and gate"
        )
        (data / "nearid.toml").write_text('[metrics.dino]\ncheckpoint = "org/x"\n')
        finished = nearid("doctor")
        assert finished.code == 0
        assert said(finished.out)[0].endswith(f"{data / 'nearid.toml'}: sets metrics.dino")
        (line,) = [line for line in finished.out.splitlines() if line.startswith("metrics ")]
        assert "none can be used: the configuration gives another meaning to dino, built in" in line


class TestBuiltInMetrics:
    @pytest.mark.parametrize("table", ['checkpoint = "org/x"', "plugin = 'measuring:Mine'"])
    @pytest.mark.parametrize("name", ["nearid", "hog", "judge"])
    def test_are_not_redefined_by_the_way(self, nearid: Nearid, data: Path, name: str, table: str) -> None:
        (data / "nearid.toml").write_text(f"[metrics.{name}]\n{table}\n")
        assert nearid("score", "refs", "gens", "-m", "hog").error == (
            f"the configuration gives another meaning to {name}, built in: choose another name, or write "
            f"override = true into [metrics.{name}] if it is meant"
        )

    def test_are_redefined_by_who_says_so(self, nearid: Nearid, data: Path) -> None:
        (data / "measuring.py").write_text(PLUGIN)
        (data / "nearid.toml").write_text(MINE.replace("mine", "hog") + "override = true\n")
        finished = nearid("score", "refs", "gens", "-m", "hog", "--format", "json")
        assert finished.code == 0, finished.err
        assert said(finished.err) == [
            "configuration: nearid.toml sets metrics.hog in the place of the built-in one"
        ]

    def test_override_is_true_or_false(self, nearid: Nearid, data: Path) -> None:
        (data / "nearid.toml").write_text('[metrics.dino]\noverride = "yes"\ncheckpoint = "org/x"\n')
        assert nearid("cache", "info").details == ["metrics.dino.override must be true or false, found 'yes'"]

    def test_of_installed_packages_likewise(
        self, nearid: Nearid, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from nearid_cli.encoders import registry

        monkeypatch.setattr(registry, "installed_metrics", lambda: {"lpips": registry.REGISTRY["hog"]})
        (data / "nearid.toml").write_text('[metrics.lpips]\ncheckpoint = "org/x"\n')
        assert "another meaning to lpips, of an installed package" in (
            nearid("score", "refs", "gens", "-m", "lpips").error
        )
        assert nearid("score", "refs", "gens", "-m", "hog").code == 0


class TestOtherUsers:
    """Who may write into a folder above ours, such as /tmp, decides nothing about our numbers."""

    @pytest.fixture
    def below(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (data / "below").mkdir()
        monkeypatch.chdir(data / "below")
        return data / "below"

    def test_a_file_of_theirs_is_not_obeyed(
        self, nearid: Nearid, data: Path, below: Path, give_away: GiveAway
    ) -> None:
        planted = data / "nearid.toml"
        planted.write_text('metric = "mine"\n' + MINE)
        (data / "measuring.py").write_text("raise SystemExit('somebody else ran code')")
        give_away(planted)
        monkeyed = nearid("score", data / "refs", data / "gens", "-m", "hog")
        assert monkeyed.code == 0
        (line,) = said(monkeyed.err)
        assert line.startswith(f"warning: the configuration {planted} belongs to ")
        assert line.endswith(f"so it is not obeyed; NEARID_CONFIG={planted} makes it count")
        assert "is not obeyed" in nearid("score", data / "refs", data / "gens", "-m", "mine").err

    def test_it_counts_where_the_user_names_it(
        self, nearid: Nearid, data: Path, below: Path, give_away: GiveAway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        planted = data / "nearid.toml"
        planted.write_text('metric = "hog"\n')
        give_away(planted)
        monkeypatch.setenv("NEARID_CONFIG", str(planted))
        finished = nearid("score", data / "refs", data / "gens")
        assert finished.code == 0
        assert said(finished.err) == [f"configuration: {planted} sets metric"]

    def test_the_next_one_above_counts(self, data: Path, below: Path, give_away: GiveAway) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give one of two files away")
        (below / "nearid.toml").write_text("broken")
        give_away(below / "nearid.toml")
        (data / "nearid.toml").write_text("workers = 3")
        found = load_configuration(below)
        assert (found.options, len(found.ignored)) == ({"workers": 3}, 1)

    def test_a_link_of_theirs_to_a_file_of_ours_is_not_obeyed(
        self, data: Path, below: Path, give_away: GiveAway
    ) -> None:
        (data / "mine.toml").write_text("workers = 3")
        (data / "nearid.toml").symlink_to("mine.toml")
        give_away(data / "nearid.toml")
        found = load_configuration(below)
        assert (found.path, len(found.ignored)) == (None, 1)

    @pytest.mark.parametrize("kind", ["pipe", "folder", "nonsense", "unreadable"])
    def test_nothing_that_they_plant_stops_anybody(
        self, nearid: Nearid, data: Path, below: Path, give_away: GiveAway, kind: str
    ) -> None:
        planted = data / "nearid.toml"
        if kind == "pipe":
            os.mkfifo(planted)
        elif kind == "folder":
            planted.mkdir()
        else:
            planted.write_text("[[[")
            planted.chmod(0o600 if kind == "nonsense" else 0)
        give_away(planted)
        finished = nearid("cache", "info")
        assert finished.code == 0
        assert len(said(finished.err)) == 1

    def test_their_projects_are_no_matter(self, data: Path, below: Path, give_away: GiveAway) -> None:
        (data / "pyproject.toml").write_text('[project]\ndependencies = ["nearid-cli"]\n')
        give_away(data / "pyproject.toml")
        assert load_configuration(below).ignored == ()
        (data / "pyproject.toml").write_text("[tool.nearid]\nworkers = 3\n")
        assert len(load_configuration(below).ignored) == 1

    @pytest.mark.parametrize(
        ("mode", "of_folder", "why"),
        [
            (0o666, 0o755, "can be changed by everybody"),
            (0o644, 0o777, "can be replaced by everybody"),
            (0o664, 0o1777, None),
        ],
    )
    def test_what_everybody_may_write_is_not_obeyed(
        self, data: Path, below: Path, mode: int, of_folder: int, why: str | None
    ) -> None:
        (data / "nearid.toml").write_text("workers = 3")
        (data / "nearid.toml").chmod(mode)
        data.chmod(of_folder)
        found = load_configuration(below)
        assert (found.path is None) == bool(why)
        assert (why or "") in "".join(found.ignored)

    def test_who_became_root_by_sudo_is_still_the_user(
        self, data: Path, below: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        (data / "nearid.toml").write_text("workers = 3")
        os.chown(data / "nearid.toml", 4321, 4321)
        assert load_configuration(below).path is None
        for wrong in ("", "-1", "x", "9" * 5000):
            monkeypatch.setenv("SUDO_UID", wrong)
            owners._ours.cache_clear()
            assert load_configuration(below).path is None
        monkeypatch.setenv("SUDO_UID", "4321")
        owners._ours.cache_clear()
        assert load_configuration(below).path == data / "nearid.toml"
        owners._ours.cache_clear()

    def test_no_module_is_imported_from_where_everybody_may_put_one(self, nearid: Nearid, data: Path) -> None:
        (data / "planted_module.py").write_text(PLUGIN)
        (data / "nearid.toml").write_text(MINE.replace("measuring", "planted_module"))
        data.chmod(0o1777)
        error = nearid("score", "refs", "gens", "-m", "mine").error
        assert "No module named 'planted_module'" in error
        assert error.endswith(f"(not looked for in {data}, which can be changed by everybody)")
        data.chmod(0o700)
        assert nearid("score", "refs", "gens", "-m", "mine").code == 0


def test_a_configuration_that_is_named_and_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEARID_CONFIG", "~nobody-here/x.toml")
    with pytest.raises(UsageError, match=r"the configuration ~nobody-here/x.toml does not exist"):
        load_configuration(tmp_path)
