"""Albums: clusters keep their numbers, decisions hold in every later run, and can be taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament.albums.album import JOURNAL_NAME, Album, PhotoAnalyzer
from lineament.albums.file import FILE_NAME
from lineament.albums.records import AlbumFace, Kind, references
from lineament.errors import (
    AlbumError,
    Contradiction,
    InvalidSubject,
    ModelMismatch,
    PictureNotFound,
    UnknownReference,
    UsageError,
    WouldOverwrite,
)
from lineament.io import catalog
from lineament.testing.fakes import MODEL, FakeAnalyzer
from lineament.types import AttributeScores, Float32, Outcome

SFACE = catalog.card("sface").model_id


def towards(person: int, seed: int, noise: float = 0.5) -> Float32:
    """A unit row ``(128,)`` near the direction of a person."""
    row = np.random.default_rng(10_000 + person).standard_normal(128)
    row += noise * np.random.default_rng([person, seed]).standard_normal(128)
    return np.asarray(row / np.linalg.norm(row), np.float32)


class Collection:
    """Photos in a folder, each with the faces of the people one says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.people: dict[str, tuple[int, ...]] = {}
        self.analyzer = FakeAnalyzer({}, model=SFACE)

    def take(self, *photos: tuple[int, ...]) -> list[str]:
        """Photos of these people; their paths."""
        taken = []
        for people in photos:
            path = self.folder / f"{len(self.people):03d}.jpg"
            path.write_text(path.name)
            rows = [towards(person, len(self.people)) for person in people]
            self.analyzer.faces[str(path)] = np.stack(rows) if rows else np.zeros((0, 128), np.float32)
            self.people[str(path)] = people
            taken.append(str(path))
        return taken

    def whose(self, album: Album) -> dict[int, int]:
        """The person of each face of an album."""
        return {face.number: self.people[album.photo(face).path][face.face - 1] for face in album.faces()}


@pytest.fixture
def photos(tmp_path: Path) -> Collection:
    folder = tmp_path / "photos"
    folder.mkdir()
    return Collection(folder)


@pytest.fixture
def album(tmp_path: Path) -> Iterator[Album]:
    with Album(tmp_path / "album", create=True) as made:
        yield made


def run(album: Album, analyzer: PhotoAnalyzer, paths: Sequence[str]) -> None:
    album.add(analyzer, paths)
    album.arrange()


def decide(album: Album, kind: Kind, *about: str, name: str | None = None) -> None:
    album.decide(kind, references(about), name=name)


def clusters(album: Album) -> dict[int, int | None]:
    return {face.number: face.cluster for face in album.faces()}


def state(album: Album) -> tuple[Any, ...]:
    return clusters(album), album.clusters(), [face.status for face in album.faces()]


def plain(value: tuple[Any, ...]) -> str:
    return repr(value)


def test_people_become_clusters_and_strangers_none(album: Album, photos: Collection) -> None:
    """Each person of two photos or more is a cluster; a face that is like nobody's is in none."""
    run(album, photos.analyzer, photos.take((1,), (1,), (2,), (2, 3), (2,), ()))
    whose = photos.whose(album)
    found = [{whose[face.number] for face in faces} for _, faces in album.clusters()]
    assert sorted(map(sorted, found)) == [[1], [2]]
    assert [whose[number] for number, cluster in clusters(album).items() if cluster is None] == [3]


def test_new_photos_rename_no_cluster(album: Album, photos: Collection) -> None:
    """A later run puts new faces into old clusters or new ones; every face that had one keeps it."""
    run(album, photos.analyzer, photos.take((1,), (1,), (2,), (2,), (3,)))
    before = clusters(album)
    run(album, photos.analyzer, photos.take((3,), (1,), (4,), (4,), (2, 1)))
    after = clusters(album)
    assert all(after[number] == was for number, was in before.items() if was is not None)
    whose = photos.whose(album)
    by_person = {whose[number]: cluster for number, cluster in after.items()}
    assert len(set(by_person.values())) == 4
    assert all(after[number] == by_person[person] for number, person in whose.items())


def test_photos_are_known_by_their_bytes(album: Album, photos: Collection, tmp_path: Path) -> None:
    """A photo given again, copied or moved is not analysed again; its new place is kept."""
    [first, second] = photos.take((1,), (1,))
    run(album, photos.analyzer, [first, second])
    moved = str(tmp_path / "moved.jpg")
    Path(first).rename(moved)
    added = album.add(FakeAnalyzer({}, model=SFACE), [moved, second])
    assert (added.new, added.known, len(album.faces())) == (0, 2, 2)
    assert {photo.path for photo in album.photos()} == {moved, second}


def test_refused_photos_are_told_and_tried_again(album: Album, photos: Collection) -> None:
    """A photo that cannot be read is told by name and is not in the album: the next run tries it again."""
    [good] = photos.take((1,))
    added = album.add(photos.analyzer, [good, "gone.jpg"])
    assert [type(outcome.error) for outcome in added.refused] == [PictureNotFound]
    assert list(added.seen) == [good]
    assert len(album.photos()) == 1


def test_a_broken_run_goes_on(tmp_path: Path, photos: Collection) -> None:
    """What was analysed before a run broke off is kept, and not analysed again."""
    paths = photos.take((1,), (1,), (1,))

    class Broken(FakeAnalyzer):
        def analyze(self, sources: Any, *, digests: bool = False) -> Iterator[Outcome]:
            for number, outcome in enumerate(super().analyze(sources, digests=digests)):
                if number == 2:
                    raise KeyboardInterrupt
                yield outcome

    with Album(tmp_path / "album", create=True) as album, pytest.raises(KeyboardInterrupt):
        album.add(Broken(photos.analyzer.faces, model=SFACE), paths)
    assert (tmp_path / "album" / JOURNAL_NAME).exists()
    rest = FakeAnalyzer({paths[2]: photos.analyzer.faces[paths[2]]}, model=SFACE)
    with Album(tmp_path / "album", create=True) as album:
        assert album.add(rest, paths).refused == []
        assert len(album.faces()) == 3
    assert not (tmp_path / "album" / JOURNAL_NAME).exists()


def test_same_joins_and_stays_joined(album: Album, photos: Collection) -> None:
    """Clusters said to be the same are one, under the lower number, and faces like any of them find it."""
    run(album, photos.analyzer, photos.take((1,), (1,), (2,), (2,), (3,)))
    decide(album, "same", "p1", "p2", "f5")
    run(album, photos.analyzer, photos.take((1,), (2,), (3,)))
    assert set(clusters(album).values()) == {1}


def test_different_divides_and_no_run_joins(album: Album, photos: Collection) -> None:
    """Two faces of one cluster said to be different are apart afterwards, now and after every run."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (1,)))
    decide(album, "different", "f1", "f3")
    run(album, photos.analyzer, photos.take((1,), (1,)))
    found = clusters(album)
    assert found[1] is None or found[1] != found[3]
    with pytest.raises(Contradiction, match="decision 1"):
        decide(album, "same", "f1", "f3")


def test_different_clusters_are_not_proposed(album: Album, photos: Collection) -> None:
    """Two clusters that a person says are different are proposed no more, nor after a new run."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (1,)))
    decide(album, "mixed", "p1")
    decide(album, "same", *(f"f{n}" for n, c in clusters(album).items() if c is None), "p1")
    decide(album, "different", "f1", "f2")
    album.arrange()
    assert album.proposals() == []


def test_clusters_that_grew_alike_are_proposed(album: Album, photos: Collection) -> None:
    """Two old clusters of one person are never joined by a run: a proposal says what to decide."""
    run(album, photos.analyzer, photos.take((1,), (1,), (2,), (2,)))
    for face in album.faces()[2:]:  # as if the embedder had once seen them otherwise
        face.vector = towards(1, 50 + face.number)
    album.arrange()
    [proposal] = album.proposals()
    assert (proposal.kind, proposal.about) == ("same", ("p1", "p2"))
    decide(album, "same", "p1", "p2")
    assert album.proposals() == []


def test_a_stranger_in_a_cluster_is_proposed(album: Album, photos: Collection) -> None:
    """A face that is unlike the rest of its cluster makes the proposal that the cluster is mixed."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (1,), (1,)))
    album.faces()[4].vector = towards(2, 1)  # as if the embedder had once seen it otherwise
    album.arrange()
    [proposal] = album.proposals()
    assert (proposal.kind, proposal.about) == ("mixed", ("p1", "f5"))


def test_what_a_person_joined_is_not_proposed(album: Album, photos: Collection) -> None:
    """A face that somebody put into a cluster is not called a stranger there by the next run."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (1,), (2,)))
    decide(album, "same", "p1", "f5")
    album.arrange()
    assert album.proposals() == []


def test_mixed_divides_and_no_run_joins(album: Album, photos: Collection) -> None:
    """A mixed cluster falls into its people, the largest keeps the number, and runs keep them apart."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (2,), (2,)))
    decide(album, "same", "p1", "p2")
    decide(album, "mixed", "p1")
    whose = photos.whose(album)
    album.arrange()
    found = clusters(album)
    assert {whose[n] for n, c in found.items() if c == 1} == {1}
    assert {whose[n] for n, c in found.items() if c == 3} == {2}


def test_a_mixed_cluster_of_likes_is_divided_all_the_same(album: Album, photos: Collection) -> None:
    """Where grouping anew gives one group, the last join is taken back: somebody said it is mixed."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,)))
    decide(album, "mixed", "p1")
    album.arrange()
    assert sorted(map(str, clusters(album).values())) == ["1", "1", "None"]


def test_what_is_no_face_stays_out(album: Album, photos: Collection) -> None:
    """A face said to be none is in no cluster, nor after a new run."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,)))
    decide(album, "not-a-face", "f2")
    run(album, photos.analyzer, photos.take((1,)))
    assert clusters(album) == {1: 1, 2: None, 3: 1, 4: 1}
    with pytest.raises(Contradiction, match="not a face"):
        decide(album, "same", "f2", "f1")


def test_ignored_people_take_their_faces_in_silence(album: Album, photos: Collection) -> None:
    """A cluster ignored is listed last, and new faces of that person go there."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (2,), (2,)))
    decide(album, "ignore", "p1")
    run(album, photos.analyzer, photos.take((1,)))
    assert [(cluster.number, cluster.ignored) for cluster, _ in album.clusters()] == [(2, False), (1, True)]
    assert clusters(album)[6] == 1


def test_names_are_unique_and_stay(album: Album, photos: Collection) -> None:
    """A named cluster comes first and keeps its name when another joins it; a name is given once."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (2,), (2,)))
    decide(album, "name", "p2", name="Ann")
    with pytest.raises(Contradiction, match="same p1 p2"):
        decide(album, "name", "p1", name="Ann")
    with pytest.raises(InvalidSubject):
        decide(album, "name", "p1", name=" Bob")
    decide(album, "same", "p1", "p2")
    [(cluster, faces)] = album.clusters()
    assert (cluster.number, cluster.name, len(faces)) == (2, "Ann", 5)


@pytest.mark.parametrize(
    ("kind", "about", "name"),
    [
        ("same", ["p1", "p2"], None),
        ("same", ["p1", "f6"], None),
        ("different", ["f1", "f2"], None),
        ("not-a-face", ["f1", "f4"], None),
        ("ignore", ["p1", "f6"], None),
        ("mixed", ["p1"], None),
        ("name", ["p2"], "Ann"),
        ("name", ["f6"], "Eve"),
    ],
)
def test_every_decision_can_be_taken_back(
    album: Album, photos: Collection, kind: Kind, about: list[str], name: str | None
) -> None:
    """Undo brings back exactly what was there, and stands in the history."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (2,), (2,), (3,)))
    before = plain(state(album))
    decide(album, kind, *about, name=name)
    assert plain(state(album)) != before
    album.undo()
    assert plain(state(album)) == before
    assert [(one.kind, one.undone) for one in album.history()] == [(kind, True)]
    with pytest.raises(AlbumError, match="nothing"):
        album.undo()


@pytest.mark.parametrize(
    ("kind", "about", "error"),
    [
        ("same", ["p1"], UsageError),
        ("same", ["p1", "p9"], UnknownReference),
        ("same", ["p1", "f99"], UnknownReference),
        ("different", ["p1", "f1"], UsageError),
        ("not-a-face", ["f4", "p1"], UsageError),
        ("mixed", ["p1", "f4"], UsageError),
        ("name", ["f6"], InvalidSubject),
    ],
)
def test_what_is_refused_changes_nothing(
    album: Album, photos: Collection, kind: Kind, about: list[str], error: type[Exception]
) -> None:
    """A decision that cannot be made is a named error, and the album is as it was."""
    run(album, photos.analyzer, photos.take((1,), (1,), (1,), (2,), (2,), (3,)))
    before = plain(state(album))
    with pytest.raises(error):
        decide(album, kind, *about)
    assert plain(state(album)) == before
    assert album.history() == []


def test_small_children_are_joined_by_people_alone(album: Album, photos: Collection) -> None:
    """A face estimated younger than 8 joins nobody by itself; it is proposed, and a person may join it."""

    class Ages(FakeAnalyzer):
        def analyze(self, sources: Any, *, digests: bool = False) -> Iterator[Outcome]:
            for outcome in super().analyze(sources, digests=digests):
                count = len(outcome.faces)
                ages = AttributeScores("age", (4.0,) * count, (), np.zeros((count, 0), np.float32))
                yield replace(outcome, faces=outcome.faces.with_columns(attributes={"age": ages}))

    paths = photos.take((1,), (1,))
    run(album, Ages(photos.analyzer.faces, model=SFACE), paths)
    assert clusters(album) == {1: None, 2: None}
    [proposal] = album.proposals()
    assert (proposal.about, proposal.why) == (("f1", "f2"), "a small child")
    decide(album, "same", "f1", "f2")
    assert clusters(album) == {1: 1, 2: 1}


def test_a_person_can_be_forgotten(album: Album, photos: Collection, tmp_path: Path) -> None:
    """Nothing of a person forgotten is left in the file, and a new run on the photos brings nobody back."""
    paths = photos.take((1,), (1, 2), (2,), (2,))
    run(album, photos.analyzer, paths)
    [number] = {face.cluster for face in album.faces() if photos.whose(album)[face.number] == 2}
    decide(album, "name", f"p{number}", name="Ann Example")
    decide(album, "different", f"p{number}", "f1")
    vectors = [face.to_json()["vector"] for face in album.faces() if face.cluster == number]
    assert album.forget(references([f"p{number}"])) == 3
    run(album, photos.analyzer, paths)
    text = (tmp_path / "album" / FILE_NAME).read_text()
    assert "Ann" not in text
    assert not any(vector in text for vector in vectors)
    assert len(album.faces()) == 2
    while any(not one.undone for one in album.history()):
        album.undo()
    assert "Ann" not in (tmp_path / "album" / FILE_NAME).read_text()


def test_an_album_is_what_its_file_says(tmp_path: Path, photos: Collection) -> None:
    """Opened again, an album is the same; opened twice, or without an album, it is a named error."""
    folder = tmp_path / "album"
    with pytest.raises(AlbumError, match="no album"):
        Album(folder)
    with Album(folder, create=True) as album:
        run(album, photos.analyzer, photos.take((1,), (1,), (2,)))
        decide(album, "name", "p1", name="Ann")
        before, history = plain(state(album)), album.history()
        with pytest.raises(AlbumError, match="another process"):
            Album(folder)
    with Album(folder) as album:
        assert plain(state(album)) == before
        assert album.history() == history
        another = photos.take((1,))
        with pytest.raises(ModelMismatch):
            album.add(FakeAnalyzer(photos.analyzer.faces, model=MODEL), another)


@pytest.mark.parametrize("damage", ["cut", "line", "vector", "version", "foreign"])
def test_a_damaged_album_is_refused(tmp_path: Path, photos: Collection, damage: str) -> None:
    """A file cut off, edited badly, newer or of another program is told by name, and left as it is."""
    with Album(tmp_path / "album", create=True) as album:
        run(album, photos.analyzer, photos.take((1,), (1,)))
    file = tmp_path / "album" / FILE_NAME
    lines = file.read_text().splitlines(keepends=True)
    if damage == "cut":
        lines = lines[:-1]
    elif damage == "line":
        lines[2] = '{"face": {}}\n'
    elif damage == "vector":
        face = json.loads(lines[3])
        face["face"]["vector"] = "AAAA"
        lines[3] = json.dumps(face) + "\n"
    elif damage == "version":
        lines[0] = lines[0].replace('"lineament_album":1', '"lineament_album":2')
    else:
        lines = ["hello\n"]
    file.write_text("".join(lines))
    before = file.read_bytes()
    with pytest.raises(AlbumError):
        Album(tmp_path / "album", create=True)
    assert file.read_bytes() == before


def test_nothing_of_somebody_else_is_written_over(album: Album, tmp_path: Path) -> None:
    """A file of another program that lies where the album's should is left as it is."""
    file = tmp_path / "album" / FILE_NAME
    file.write_text("a diary\n")
    with pytest.raises(WouldOverwrite):
        album.arrange()
    assert file.read_text() == "a diary\n"


def test_no_embedding_and_no_name_is_shown() -> None:
    """What may end in a log tells shapes, and no name."""
    face = AlbumFace(1, "a" * 64, 1, (0.0, 0.0, 1.0, 1.0), towards(1, 1))
    assert "float32 (128,)" in repr(face)
