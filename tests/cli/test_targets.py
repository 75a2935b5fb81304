"""Every option and argument that writes is known, and refuses what is not its own before any work."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import lineament
from lineament.cli.main import app
from lineament.cli.targets import Guarded, guarded, written_by
from lineament.errors import LineamentError, OutputError, StoreError, UsageError, WouldOverwrite
from lineament.gallery.gallery import Gallery
from lineament.io import images, writing
from lineament.io.own_files import ANSWERS, LINE_END, MANIFEST, NEW

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
SOURCES = Path(lineament.__file__).parent
PHOTO = images.encode_jpeg(np.full((32, 32, 3), 128, np.uint8))


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the tree with the words that call it."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*words, name))
    else:
        yield words, command


COMMANDS = dict(commands(typer.main.get_command(app)))
TARGETS = [
    pytest.param(words, name, id=" ".join((*words, name)))
    for words, command in COMMANDS.items()
    for name in written_by(command.callback)
]
SAYS_IT_WRITES = re.compile(
    r"\b(writes?|to write|(draw|copy)\b[^.;]* there|keep everything|folder of the data set|run folder; an"
    r"|decisions;|where the .* go|draw a sheet)\b",
    re.IGNORECASE,
)
NAMES = {"out", "json", "save_to", "plots", "draw", "errors", "log", "apply", "preview"}
READS_THOUGH = {
    ("models", "pull", "bundle"),
    ("dataset", "import", "replace"),
    ("dataset", "merge", "replace"),
    ("dataset", "collect", "contact"),
}


def refusal(words: tuple[str, ...], target: str, value: object) -> BaseException | None:
    """What a command raises with everything that it requires, and ``value`` for the target."""
    command = COMMANDS[words]
    options: list[str] = []
    arguments: list[str] = []
    for param in command.params:
        given = str(value) if param.name == target else "1" if param.required else None
        if given is not None and param.param_type_name == "argument":
            arguments.append(given)
        elif given is not None:
            options += [param.opts[0], given]
    try:
        command.main([*options, "--", *arguments], standalone_mode=False)
    except (LineamentError, SystemExit) as error:
        return error
    return None


def test_every_option_that_says_it_writes_is_guarded() -> None:
    """A new option or argument whose help says that it writes, or that is called as those which do, has a
    mark, and every command looks at its marks."""
    unmarked = [
        (*words, param.name)
        for words, command in COMMANDS.items()
        for param in command.params
        if param.name not in written_by(command.callback)
        and (SAYS_IT_WRITES.search(getattr(param, "help", None) or "") or param.name in NAMES)
        and (*words, param.name) not in READS_THOUGH
    ]
    assert unmarked == []
    assert len(TARGETS) > 80
    assert all(isinstance(command, Guarded) for command in COMMANDS.values())


WRITERS = {"write_text", "write_bytes", "savefig", "save_file", "copyfile", "copy2", "copytree", "touch"}
ELSEWHERE = {
    "io/writing.py": "the one place itself",
    "io/manifest.py": "the journal: recognised by its lines before it grows",
    "io/own_files.py": "none",
    "io/assets.py": "the cache of models",
    "io/delivery.py": "the cache of models",
    "io/derived.py": "the cache of models",
    "training/features.py": "numbers of a run folder, moved by the one place",
    "training/ultralytics/export.py": "a new folder, moved when it is whole",
    "training/runs/folder.py": "given the place to write to by the one place",
    "datasets/archives.py": "a new folder, each file created",
    "datasets/filling.py": "a new folder, each file created",
    "datasets/exporting.py": "a new folder, each file created",
    "datasets/formats/_files.py": "a new folder, each file created",
    "datasets/formats/webdataset.py": "a new folder, each file created",
    "datasets/reviewing/decisions.py": "the log, recognised by its lines before it grows",
    "cli/streams.py": "standard streams",
    "plots/canvas.py": "into a file of the one place",
    "watching/film.py": "given the place to write to by the one place",
    "testing": "for tests of others",
}


def test_no_module_writes_files_by_itself() -> None:
    """Whatever is written goes through `lineament.io.writing`, but for caches, new folders and logs named
    here with their reason. A new writing line anywhere else fails."""
    found = []
    for path in sorted(SOURCES.rglob("*.py")):
        name = path.relative_to(SOURCES).as_posix()
        if any(name == known or name.startswith(f"{known}/") for known in ELSEWHERE):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = (
                node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            )
            modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if called in WRITERS or (
                called == "open" and any(re.fullmatch(r"[wax]b?\+?", m) for m in modes)
            ):
                found.append(f"{name}:{node.lineno}: {called}")
    assert found == []


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the user's."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "photo.jpg").write_bytes(PHOTO)
    (folder / "notes.txt").write_text("mine\n")
    (folder / "list.jsonl").write_text('{"subject": "Ann", "samples": 3}\n')
    (folder / "empty.jpg").write_bytes(b"")
    with Gallery(f"sqlite:{folder / 'people.db'}"):
        pass
    (folder / "soft").symlink_to("photo.jpg")
    (folder / "hard").hardlink_to(folder / "notes.txt")
    (folder / "full").mkdir()
    return folder


FOREIGN = ("photo.jpg", "notes.txt", "list.jsonl", "empty.jpg", "people.db", "soft", "hard")


@pytest.mark.parametrize(("words", "name"), TARGETS)
def test_each_target_refuses_what_is_not_its_own(words: tuple[str, ...], name: str, mine: Path) -> None:
    """Of every writing option of every command: a photo, a text, JSON lines of somebody, a gallery, also by
    a link or a hard link, are refused by name before the command begins, and unchanged; a folder in
    place of a file, a file in place of a folder are told as such."""
    mark = written_by(COMMANDS[words].callback)[name]
    expected = OutputError if mark.kind is None else StoreError if mark.kind is NEW else WouldOverwrite
    for target in FOREIGN:
        path = mine / target
        before = path.read_bytes()
        raised = refusal(words, name, path)
        assert type(raised) is expected, (target, raised)
        assert path.read_bytes() == before and str(path) in str(raised)
    if mark.kind is not None:
        assert isinstance(refusal(words, name, mine / "full"), (OutputError, StoreError))
    for target in ("notes.txt/out", "x" * 300):
        assert isinstance(refusal(words, name, mine / target), OutputError), target
    assert sorted(p.name for p in mine.iterdir()) == sorted((*FOREIGN, "full"))


@pytest.mark.parametrize(("words", "name"), TARGETS)
def test_each_target_refuses_an_input_and_takes_a_new_place(
    words: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    """An input of the same command is refused even where it is an earlier result of the same kind; a new
    file, in folders that are still missing, is not, and nothing is made before the work begins."""
    callback = COMMANDS[words].callback
    mark = written_by(callback)[name]
    with guarded(callback, {name: tmp_path / "new" / "deep" / "out"}):
        assert not any(tmp_path.iterdir())
    if mark.kind is None or mark.kind is NEW:
        return
    earlier = tmp_path / "earlier"
    earlier.write_text("{}" + LINE_END)
    inputs = {"some_input": [earlier], "gallery": f"sqlite:{earlier}", "embedder": f"{earlier}:size=3"}
    for given, value in inputs.items():
        same = guarded(callback, {given: value, name: earlier})
        with pytest.raises(WouldOverwrite, match="read by this very command"), same:
            pass
    if mark.kind is ANSWERS:
        with guarded(callback, {name: earlier}):
            pass


def test_two_options_do_not_write_one_file(tmp_path: Path) -> None:
    """`--json FILE --save FILE` would leave one of the two."""
    callback = COMMANDS["evaluate", "verification"].callback
    (tmp_path / "link").symlink_to("out")
    both = guarded(callback, {"json": str(tmp_path / "out"), "save_to": tmp_path / "link"})
    with pytest.raises(UsageError, match="two options"), both:
        pass
    drawn = guarded(COMMANDS["detect",].callback, {"json": str(tmp_path / "out"), "draw": tmp_path / "out"})
    with pytest.raises(UsageError, match="two options"), drawn:
        pass
    assert not (tmp_path / "out").exists()


FOLDERS_APART = [p for p in TARGETS if written_by(COMMANDS[p.values[0]].callback)[p.values[1]].apart]


@pytest.mark.parametrize(("words", "name"), FOLDERS_APART)
def test_pictures_are_not_written_into_a_folder_that_is_read(
    words: tuple[str, ...], name: str, tmp_path: Path
) -> None:
    """The next run would take them for photos, and enrol them: the folder itself, one below it (also where
    nothing is yet), another spelling and a link to it are refused before the work. A folder beside it, one
    above it, the folder of a photo that is named by itself, and that of a trained model are not."""
    photos = tmp_path / "photos"
    (photos / "ann").mkdir(parents=True)
    shutil.copy(SAMPLES / "obama_2012_portrait.jpg", photos / "ann" / "a.jpg")
    (tmp_path / "link").symlink_to("photos")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "card.json").write_text("{}")
    callback = COMMANDS[words].callback
    for place in ("photos", "photos/ann", "photos/new/deep", "link", "link/new", "photos/../photos/x"):
        refused = guarded(callback, {"some_input": [str(photos)], name: tmp_path / place})
        with pytest.raises(UsageError, match="lies inside"), refused:
            pass
    fine = {
        "photos-drawn": photos,
        ".": photos,
        "photos": photos / "ann" / "a.jpg",
        "run/x": tmp_path / "run",
    }
    for place, given in fine.items():
        with guarded(callback, {"some_input": [str(given)], name: tmp_path / place}):
            pass


def test_folders_of_pictures_are_known_to_be_apart() -> None:
    """Whatever draws or copies pictures into a folder of the user's choice has the mark."""
    marked = {p.values[1] for p in FOLDERS_APART}
    assert {"draw", "plots", "errors", "out"} <= marked and len(FOLDERS_APART) >= 10


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for path in sorted(SAMPLES.glob("*.jpg")):
        (folder / path.name.split("_")[0]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.name.split("_")[0])
    return folder


def test_what_the_shell_expands_destroys_no_photo(tmp_path: Path, people: Path) -> None:
    """`detect --json *.jpg` takes the first photo for the target; so do other mistakes of the kind: each
    refused, and every byte of the folder is as it was."""
    db = tmp_path / "g.db"
    photos = sorted(people.rglob("*.jpg"))
    assert run("gallery", "enrol", photos[0], "--subject", "O", "--gallery", f"sqlite:{db}").exit_code == 0
    (people / "notes.csv").write_text("a,b\n")
    before = {path: path.read_bytes() for path in [*tmp_path.rglob("*")] if path.is_file()}
    mistakes: list[tuple[object, ...]] = [
        ("detect", "--json", *photos),
        ("analyze", "--json", *photos),
        ("gallery", "identify", "--gallery", f"sqlite:{db}", "--json", *photos),
        ("gallery", "list", "--gallery", f"sqlite:{db}", "--json", db),
        ("gallery", "list", "--gallery", f"sqlite:{db}", "--json", f"{db}-wal"),
        ("gallery", "backup", photos[0], "--gallery", f"sqlite:{db}"),
        ("evaluate", "verification", "--all", people, "--save", photos[1]),
        ("models", "bundle", photos[0], "yunet"),
        ("dataset", "audit", people, "--out", photos[0]),
        ("dataset", "split", people, "--out", people / "notes.csv"),
        ("detect", photos[0], "--draw", photos[1]),
        ("calibrate", people, "--target-fmr", "0.1", "--out", db),
        ("dataset", "clean", people, "--out", people / "notes.csv"),
        ("explain", "match", photos[0], photos[1], "--out", photos[0]),
    ]
    for words in mistakes:
        result = run(*words)
        assert isinstance(result.exception, (WouldOverwrite, OutputError, StoreError)), (
            words,
            result.output,
        )
        assert {p: p.read_bytes() for p in [*tmp_path.rglob("*")] if p.is_file()} == before, words


def test_running_a_command_again_writes_over_its_earlier_results(tmp_path: Path, people: Path) -> None:
    """The same command twice works, whatever it writes: answers, drawings, manifests, pages, proposals."""
    for path in sorted(people.rglob("*.jpg"))[1:4]:
        path.unlink()
    out = tmp_path / "out"
    for words in (
        ("detect", people, "--json", out / "a.jsonl", "--draw", out / "drawn"),
        ("models", "list", "--json", out / "m.jsonl"),
        ("dataset", "split", people, "50/50", "--by", "subject", "--exact", "--json", out / "s.jsonl"),
        ("dataset", "audit", people, "--no-near", "--no-experiment", "--json", out / "p.jsonl"),
        ("dataset", "duplicates", people, "--out", out / "d.jsonl"),
    ):
        results = [run(*words) for _ in range(2)]
        assert [r.exit_code for r in results] == [0, 0], (
            words,
            [r.output for r in results],
            results[1].exception,
        )


def test_a_manifest_that_is_read_is_never_written(tmp_path: Path, people: Path) -> None:
    """The manifest given, the one that its folder is opened by, and the default name when that is the one
    read: each is refused and unchanged, though a manifest is what would be written."""
    assert run("dataset", "split", people, "50/50", "--exact").exit_code == 0
    split = people / "split.jsonl"
    shutil.copy(split, people / "manifest.jsonl")
    before = split.read_bytes()
    for words in (
        ("dataset", "split", split, "50/50", "--exact"),
        ("dataset", "split", people, "50/50", "--exact", "--out", people / "manifest.jsonl"),
        ("dataset", "balance", split, "--at-least", "1", "--out", split),
    ):
        result = run(*words)
        assert isinstance(result.exception, WouldOverwrite), (words, result.output)
        assert split.read_bytes() == before == (people / "manifest.jsonl").read_bytes()
    assert run("dataset", "split", people, "50/50", "--exact", "--keep", split).exit_code == 0  # carried on
    assert MANIFEST.known(split)


def test_a_drawing_that_cannot_be_written_is_counted(tmp_path: Path, people: Path) -> None:
    """One of several drawings is refused: the others are drawn, every answer is given, the count is told,
    and the status is 1."""
    out = tmp_path / "out"
    out.mkdir()
    photos = sorted(people.rglob("*.jpg"))[:3]
    (out / f"00002-{photos[1].stem}.jpg").write_bytes(PHOTO)
    result = run("detect", *photos, "--draw", out, "--json", tmp_path / "a.jsonl")
    assert result.exit_code == 1 and "1 drawing not written; WouldOverwrite" in result.stdout, result.output
    assert "3 pictures: 3 ok" in result.stdout
    assert (out / f"00002-{photos[1].stem}.jpg").read_bytes() == PHOTO
    assert len([*out.iterdir()]) == 3
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    assert ['"drawn": null' in line for line in lines] == [False, True, False]
    assert writing.require(tmp_path / "a.jsonl", ANSWERS)
