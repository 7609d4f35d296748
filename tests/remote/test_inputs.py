"""Folders, manifests and pictures by URL: the same numbers as from disk, each object read once, and none when warm."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nearid_cli.errors import UsageError
from nearid_cli.remote import attempts
from tests.commandline import Nearid
from tests.remote.s3_server import S3, Reply

Upload = Callable[..., str]


@pytest.fixture
def upload(s3: S3, tmp_path: Path) -> Upload:
    """Put a folder into a bucket of the test's own, and give its URL."""
    bucket = f"b{abs(hash(tmp_path)) % 10**12}"
    s3.make(bucket)

    def put(folder: Path, prefix: str = "") -> str:
        prefix = prefix or folder.name
        s3.put_folder(bucket, prefix, folder)
        return f"s3://{bucket}/{prefix}"

    return put


def numbers(result: dict[str, Any]) -> dict[str, Any]:
    """A result without what says where it came from."""
    kept = {name: value for name, value in result.items() if name not in ("created", "inputs", "run")}
    return kept | {
        "inputs": {
            name: value
            for name, value in result["inputs"].items()
            if name not in ("references", "generations", "distractors", "masks")
        }
    }


def scored(nearid: Nearid, *arguments: str | Path) -> dict[str, Any]:
    ended = nearid("score", *arguments, "--metric", "hog", "--format", "json")
    assert ended.code == 0, ended.err
    assert "nearid-mirror" not in ended.out + ended.err
    return json.loads(ended.out)


def reads(s3: S3) -> list[str]:
    return [one.path for one in s3.requests if one.reads]


def test_score_of_folders(nearid: Nearid, data: Path, s3: S3, upload: Upload) -> None:
    refs, gens = upload(data / "refs"), upload(data / "gens")
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    cold = scored(nearid, refs, gens)
    assert numbers(cold) == numbers(local)
    assert (cold["inputs"]["references"], cold["inputs"]["generations"]) == (refs, gens)
    assert len(reads(s3)) == len(set(reads(s3))) == 15
    assert sum(one.lists for one in s3.requests) == 2
    s3.requests.clear()
    warm = scored(nearid, refs, gens)
    assert numbers(warm) == numbers(local)
    assert not reads(s3)
    assert sum(one.lists for one in s3.requests) == 2


def test_an_object_that_was_overwritten_is_read_again(
    nearid: Nearid, data: Path, s3: S3, upload: Upload
) -> None:
    refs, gens = upload(data / "refs"), upload(data / "gens")
    before = scored(nearid, refs, gens)
    other = (data / "gens" / "cup" / "0.png").read_bytes()
    bucket, key = gens.removeprefix("s3://").split("/")[0], "gens/cat/0.png"
    size = len((data / "gens" / "cat" / "0.png").read_bytes())
    same_size = other + b"\0" * (size - len(other)) if size >= len(other) else other
    s3.put(bucket, key, same_size)
    s3.requests.clear()
    after = scored(nearid, refs, gens)
    assert reads(s3) == [f"/{bucket}/{key}"]
    assert after["aggregate"]["hog"]["score"] != before["aggregate"]["hog"]["score"]


def test_every_command(nearid: Nearid, data: Path, tmp_path: Path, upload: Upload) -> None:
    methods = tmp_path / "methods"
    shutil.copytree(data / "refs", methods / "refs")
    for name in ("a", "b"):
        shutil.copytree(data / "gens", methods / name)
    url = upload(methods)

    local, remote = (nearid("layout", f"{place}/refs", f"{place}/a") for place in (methods, url))
    assert local.out == remote.out
    local, remote = (
        nearid("compare", place, "--metric", "hog", "--format", "json") for place in (methods, url)
    )
    assert remote.code == 0, remote.err
    assert compared(remote.out, url) == compared(local.out, str(methods))
    starred = nearid("compare", f"{url}/[ab]", "--refs", f"{url}/refs", "--metric", "hog", "--format", "json")
    assert compared(starred.out, url)["methods"] == compared(remote.out, url)["methods"]
    local, remote = (
        nearid("pair", f"{place}/a/cat/0.png", f"{place}/refs/cat/0.jpg", "--metric", "hog")
        for place in (methods, url)
    )
    assert remote.code == 0, remote.err
    assert remote.out.split()[-1] == local.out.split()[-1]

    import pyarrow.parquet as pq

    tables = []
    for place in (methods, url):
        ended = nearid("embed", f"{place}/a", "-o", "e.parquet", "--metric", "hog")
        assert ended.code == 0, ended.err
        tables.append(pq.read_table("e.parquet"))
    assert tables[0].drop(["path"]) == tables[1].drop(["path"])
    assert tables[1]["path"][0].as_py() == f"{url}/a/cat/0.png"


def compared(text: str, place: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(
        re.sub(r'"created": "[^"]*"', '"created": ""', text.replace(place, "PLACE"))
    )
    return result


def test_what_stands_beside_pictures(
    nearid: Nearid, data: Path, tmp_path: Path, upload: Upload, s3: S3
) -> None:
    """Captions, masks, and metadata are read as on disk."""
    from PIL import Image

    tree = tmp_path / "tree"
    shutil.copytree(data, tree)
    for picture in tree.glob("gens/*/*.png"):
        picture.with_suffix(".txt").write_text(f"a photo of a {picture.parent.name} number {picture.stem}")
    for picture in [*tree.glob("*/*/*.png"), *tree.glob("*/*/*.jpg")]:
        with Image.open(picture) as image:
            mask = Image.new("L", image.size)
        mask.paste(255, (20, 20, 80, 80))
        mask.save(picture.with_name(f"{picture.stem}_mask.png"))
    url = upload(tree)
    options = ("--masks", "sidecar", "--by", "prompt")
    local = scored(nearid, tree / "refs", tree / "gens", *options, "--no-cache")
    remote = scored(nearid, f"{url}/refs", f"{url}/gens", *options)
    assert json.dumps(numbers(remote)).replace(url, str(tree)) == json.dumps(numbers(local))
    assert len(reads(s3)) == len(set(reads(s3)))


def test_manifests(nearid: Nearid, data: Path, tmp_path: Path, upload: Upload) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(data, tree)
    url = upload(tree)
    local = scored(nearid, tree / "refs", tree / "gens", "--no-cache")
    for name in ("m.csv", "m.jsonl", "m.parquet"):
        assert nearid("layout", tree / "refs", tree / "gens", "-o", tree / name).code == 0
        upload(tree)
        remote = scored(nearid, f"{url}/{name}")
        assert remote["aggregate"] == local["aggregate"]


def test_a_local_manifest_that_names_urls(nearid: Nearid, data: Path, upload: Upload, s3: S3) -> None:
    url = upload(data)
    assert nearid("layout", f"{url}/refs", f"{url}/gens", "-o", "m.csv").code == 0
    assert f"{url}/gens/cat/0.png" in Path("m.csv").read_text()
    ended = nearid("score", "m.csv", "--metric", "hog")
    assert (ended.code, "--allow-outside takes paths that lie elsewhere" in ended.err) == (2, True)
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    s3.requests.clear()
    remote = scored(nearid, "m.csv", "--allow-outside")
    assert remote["aggregate"] == local["aggregate"]
    assert remote["images"][0]["path"] == f"{url}/gens/cat/0.png"
    assert sum(one.lists for one in s3.requests) == 6  # one a folder
    report = nearid("score", "m.csv", "--allow-outside", "--metric", "hog", "-o", "r.html")
    assert report.code == 0, report.err
    assert Path("r.html").read_text().count("data:image/webp") == 15


def test_reports_show_and_name_the_pictures(
    nearid: Nearid, data: Path, upload: Upload, tmp_path: Path
) -> None:
    url = upload(data)
    outputs = ["r.json", "r.html", "r.csv", "r.md", "r.tex", "r.parquet"]
    flags = [flag for one in outputs for flag in ("-o", one)]
    ended = nearid("score", f"{url}/refs", f"{url}/gens", "--metric", "hog", *flags)
    assert ended.code == 0, ended.err
    for one in outputs:
        assert b"nearid-mirror" not in Path(one).read_bytes()
    assert Path("r.html").read_text().count("data:image/webp") == 15


def test_no_url_becomes_another_one(nearid: Nearid, data: Path, upload: Upload, s3: S3) -> None:
    """A Path has one `/` of two: of a program and of a manifest, another object would be read, or written over."""
    import nearid_cli

    url = upload(data)
    refs, gens = f"{url}/refs", f"{url}/gens"
    odd = refs.replace("/refs", "//refs")
    result = nearid_cli.score(refs, gens, metrics="hog")
    wrong: list[Callable[[], object]] = [
        lambda: nearid_cli.score(odd, gens, metrics="hog"),
        lambda: nearid_cli.score({"cat": f"{odd}/cat"}, {"cat": f"{gens}/cat"}, metrics="hog"),
        lambda: nearid_cli.score([f"{odd}/cat/0.jpg"], [f"{gens}/cat/0.png"], metrics="hog"),
        lambda: nearid_cli.score(refs, gens, metrics="hog", masks=odd),
        lambda: nearid_cli.compare(odd, refs, metrics="hog"),
        lambda: result.save(f"{odd}/run.json"),
    ]
    s3.requests.clear()
    for one in wrong:
        with pytest.raises(UsageError, match=r"//refs.*: no part of a URL may be empty"):
            one()
    assert not [one for one in s3.requests if one.method == "PUT"]
    Path("m.csv").write_text(
        f"path,subject,role\n{odd}/cat/0.jpg,cat,reference\n{gens}/cat/0.png,cat,generation\n"
    )
    ended = nearid("layout", "m.csv", "--allow-outside")
    assert (ended.code, f"{odd}/cat/0.jpg: no part of a URL may be empty" in ended.err) == (2, True), (
        ended.err
    )


def test_a_python_program(data: Path, upload: Upload) -> None:
    import nearid_cli

    url = upload(data)
    options: dict[str, Any] = {"metrics": "hog"}
    local = nearid_cli.score(str(data / "refs"), str(data / "gens"), **options)
    assert nearid_cli.score(f"{url}/refs", f"{url}/gens", **options).aggregate == local.aggregate
    given = [
        {one: [f"{place}/{side}/{one}/{number}.{end}" for number in range(2)] for one in ("cat", "cup")}
        for place in (data, url)
        for side, end in (("refs", "jpg"), ("gens", "png"))
    ]
    on_disk, by_url = nearid_cli.score(*given[:2], **options), nearid_cli.score(*given[2:], **options)
    assert by_url.aggregate == on_disk.aggregate

    results = []
    for refs, gens in (given[:2], given[2:]):
        scorer = nearid_cli.Scorer("hog", refs)
        for subject in gens:
            scorer.update(gens[subject], subject=subject)
        results.append(scorer.compute().to_dict())
    assert numbers(results[1]) == numbers(results[0])
    assert [results[1]["inputs"][side] for side in ("references", "generations")] == [
        f"{url}/refs",
        f"{url}/gens",
    ]
    scorer.update(data / "gens" / "cat" / "2.png", subject="cat")  # shares no folder with them
    paths = {str(one.path) for one in scorer.compute().images}
    assert paths == {*gens["cat"], *gens["cup"], str(data / "gens" / "cat" / "2.png")}


def test_what_goes_wrong_with_objects(nearid: Nearid, data: Path, upload: Upload, s3: S3) -> None:
    """Gone, replaced, refused and cut off: each is said of its picture, after all the others are done."""
    url = upload(data)
    bucket = url.split("/")[2]
    faults = {
        "gens/cat/0.png": Reply(404, "NoSuchKey"),
        "gens/cat/1.png": Reply(412, "PreconditionFailed"),
        "gens/cat/2.png": Reply(403, "AccessDenied"),
    }
    cut = {"gens/cup/0.png", "gens/cup/1.png"}

    def answer(request: Any) -> Reply | None:
        key = request.path.removeprefix(f"/{bucket}/{data.name}/")
        if key in cut and request.reads:
            cut.remove(key)
            return Reply(cut=100)
        return faults.get(key)

    s3.answer = answer
    ended = nearid("score", f"{url}/refs", f"{url}/gens", "--metric", "hog")
    assert ended.code == 2
    for key, reason in zip(
        faults,
        ("is not there any more", "was replaced after it was listed; run again", "access is denied"),
        strict=True,
    ):
        assert f"{url}/{key}: {reason}" in ended.err
    assert "cup" not in ended.err
    s3.answer = None
    s3.requests.clear()
    assert nearid("score", f"{url}/refs", f"{url}/gens", "--metric", "hog").code == 0
    assert len(reads(s3)) == 3


def test_a_replaced_object_is_never_read_as_the_listed_one(
    nearid: Nearid, data: Path, upload: Upload, s3: S3
) -> None:
    url = upload(data)
    bucket, key = url.split("/")[2], f"{data.name}/gens/cat/0.png"
    content = s3.get(bucket, key)
    times = iter([None])

    def answer(request: Any) -> Reply | None:
        if request.reads:
            for _ in times:
                s3.put(bucket, key, content[:-1] + b"\1")
        return None

    s3.answer = answer
    ended = nearid("score", f"{url}/refs", f"{url}/gens", "--metric", "hog")
    assert (ended.code, "gens/cat/0.png: was replaced" in ended.err) in ((2, True), (0, False))
    assert ended.code == 2 or content not in [s3.get(bucket, key)]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["a//b.png"], "a part of it is empty"),
        (["../b.png", "./c.png"], "a part of it is . or .."),
        (["a", "a/b.png"], "other names go on below it"),
        (["x" * 300 + ".png"], "a part of it has more than 255 bytes"),
    ],
)
def test_keys_that_no_file_can_have(
    nearid: Nearid, s3: S3, upload: Upload, data: Path, keys: list[str], said: str
) -> None:
    url = upload(data / "refs" / "cat", "tree/cat")
    bucket = url.split("/")[2]
    for key in keys:
        s3.put(bucket, f"tree/{key}", b"content")
    ended = nearid("layout", f"s3://{bucket}/tree")
    assert ended.code == 2
    assert said in ended.err


def test_folders_that_consoles_keep_are_no_files(
    nearid: Nearid, s3: S3, upload: Upload, data: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(data / "refs", tree)
    url = upload(tree)
    bucket = url.split("/")[2]
    for key in ("tree/", "tree/cat/", "tree/cat", "tree/empty/"):
        s3.put(bucket, key, b"")
    local, remote = nearid("layout", tree), nearid("layout", url)
    assert remote.out == local.out


def test_what_is_not_there(nearid: Nearid, upload: Upload, data: Path) -> None:
    url = upload(data / "refs")
    for wrong, said in (
        ("s3://no-such-bucket-here/refs", "no such bucket: s3://no-such-bucket-here"),
        (f"{url}-not", f"nothing there: {url}-not"),
        (f"{url}//cat", "no part of a URL may be empty"),
        ("s3://key:hunter2@bucket/refs", "in the environment"),
        ("ftp://host/refs", "expected a path, or a URL of"),
    ):
        ended = nearid("score", wrong, url)
        assert ended.code == 2
        assert said in ended.err
        assert "hunter2" not in ended.err


def test_two_thousand_objects_are_listed_by_pages(nearid: Nearid, upload: Upload, data: Path, s3: S3) -> None:
    url = upload(data / "refs" / "cat", "many/cat")
    bucket = url.split("/")[2]
    s3.fill(bucket, "many/dog/", 2_000)
    s3.requests.clear()
    ended = nearid("layout", f"s3://{bucket}/many")
    assert "2,000" in ended.out
    assert sum(one.lists for one in s3.requests) == 3
    assert not reads(s3)


def test_a_store_that_is_busy(
    nearid: Nearid, data: Path, upload: Upload, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third request is refused for now: all is read all the same. All are: one line, and it ends."""
    monkeypatch.setattr(attempts.time, "sleep", lambda seconds: None)
    url = upload(data)
    s3.answer = lambda request: Reply(503, "SlowDown") if len(s3.requests) % 3 == 0 else None
    found = scored(nearid, f"{url}/refs", f"{url}/gens")
    assert numbers(found) == numbers(scored(nearid, data / "refs", data / "gens", "--no-cache"))
    s3.answer = lambda request: Reply(503, "SlowDown")
    ended = nearid("score", f"{url}/refs", f"{url}/gens", "--metric", "hog")
    assert ended.code == 2
    assert "is too busy or breaks off: SlowDown (tried 8 times" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_disk_that_takes_no_download_skips_nothing(
    data: Path, upload: Upload, mounting: list[str], s3: S3, tmp_path: Path
) -> None:
    """It is no fault of the pictures, and none of the store's, which is not asked again and again."""
    url = upload(data)
    program = f"{sys.executable} -m nearid_cli score {url}/refs {url}/gens --metric hog --no-cache --skip-bad"
    script = f"mkdir full; mount -t tmpfs -o size=4k tmpfs full; TMPDIR=$PWD/full {program}"
    ended = subprocess.run([*mounting, script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2, ended.stderr
    assert (
        f"No space left on device in TMPDIR ({tmp_path}/full) (ENOSPC) in each of 5 tries at s3://"
        in ended.stderr
    )
    assert "set TMPDIR to a folder that has some" in ended.stderr
    assert max(reads(s3).count(path) for path in reads(s3)) <= 5


def test_a_store_of_this_process(nearid: Nearid, data: Path) -> None:
    """`memory://`: nothing tells versions apart there, so that everything is read each time."""
    import fsspec

    files = fsspec.filesystem("memory")
    for file in data.rglob("*.*"):
        files.pipe_file(f"/inputs/{file.relative_to(data).as_posix()}", file.read_bytes())
    local = scored(nearid, data / "refs", data / "gens", "--no-cache")
    assert numbers(scored(nearid, "memory://inputs/refs", "memory://inputs/gens")) == numbers(local)
    other = (data / "gens" / "cup" / "0.png").read_bytes()
    files.pipe_file("/inputs/gens/cat/0.png", other)
    changed = scored(nearid, "memory://inputs/refs", "memory://inputs/gens")
    assert changed["aggregate"] != local["aggregate"]


def test_rooms_of_processes_that_begin_at_once(tmp_path: Path) -> None:
    """None takes that of another for one that was left, before it is locked."""
    program = (
        "import os; from nearid_cli.mirrors import room\n"
        "for _ in range(400):\n"
        "    room._made.clear(); folder = room.new_folder(); (folder / 'x').touch()\n"
        "    room._remove(folder.parent, os.getpid())\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"TMPDIR": str(tmp_path)})
        for _ in range(4)
    ]
    assert [process.wait() for process in processes] == [0] * 4


def test_view_shows_objects(data: Path, upload: Upload, nearid: Nearid) -> None:
    """A finished result, in a process that has listed nothing: the pictures of its page are fetched."""
    from nearid_cli.mirrors import find
    from nearid_cli.reports.html.data import page_files
    from nearid_cli.reports.html.pictures import served
    from nearid_cli.results.reading import read_score

    url = upload(data)
    assert nearid("score", f"{url}/refs", f"{url}/gens", "--metric", "hog", "-o", "r.json").code == 0
    find._given.clear()
    gallery = served(page_files(read_score(Path("r.json"))))
    assert len(gallery.shown) == 15
    assert nearid("compare", "r.json", "--method", "again=r.json", "-o", "c.html").code == 0
    assert Path("c.html").read_text().count("data:image/webp") >= 15


def test_another_process_opens_the_same_object(data: Path, upload: Upload) -> None:
    """As on several devices: it has listed nothing, and is given no more than a path."""
    from nearid_cli.embedding.cache import digest_bytes
    from nearid_cli.embedding.reading import GivenPicture
    from nearid_cli.mirrors import here

    file = here(Path(upload(data / "gens"))) / "cat" / "0.png"
    picture = GivenPicture(file, digest_bytes((data / "gens" / "cat" / "0.png").read_bytes()))
    program = "import pickle; one = pickle.load(open(0, 'rb')); print(one.name, one.open(None).image.size)"
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(picture), capture_output=True, check=False
    )
    assert done.stdout.decode().split() == [picture.name, "(120,", "100)"], done.stderr
    assert file.stat().st_size == 0  # and nothing was written here
