"""Faces followed by place and looks."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moving_faces import MODEL, boxed, crowd, followed, look, person
from scipy.stats import multivariate_normal, norm

from lineament.errors import ConfigError, InvalidArray, ModelMismatch
from lineament.protocols import Tracker
from lineament.tracking import FaceTracker, Similarities, TrackerSettings
from lineament.tracking.association import assigned, contested
from lineament.tracking.motion import FIRST_SPEED, FOUND, HIDDEN, UNREST, Motion
from lineament.types import Embedding, Faces, Float32, ModelId, Track


def faces(*boxes: Float32, vectors: list[Float32] | None = None) -> Faces:
    return Faces(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        scores=np.ones(len(boxes), np.float32),
        embeddings=None if vectors is None else np.array(vectors, np.float32),
        model=None if vectors is None else MODEL,
    )


@pytest.mark.parametrize("stride", [1, 3, 5])
def test_people_who_pass_each_other_keep_their_tracks(stride: int) -> None:
    """Five people, hidden behind each other for a while: no identity switches, at any stride, though only
    some of the faces are looked at."""
    done = followed(crowd(1, seconds=10), stride)
    assert done.scores.switches == 0 and done.scores.idf1 == 1
    assert done.looked_at < done.found * (0.3 if stride == 1 else 0.6)


def test_without_looks_people_are_mixed_up() -> None:
    """The scene is one that place alone does not tell: the looks are what keeps people apart."""
    assert followed(crowd(1, seconds=10), 5, by_looks=False).scores.switches > 0


def test_it_is_a_tracker() -> None:
    """It has the methods of the seam."""
    assert isinstance(FaceTracker(), Tracker)


def test_speed_counts_in_seconds_not_in_frames() -> None:
    """A face that crosses the picture is followed alike at 50, 25 and 5 frames a second, and at a rate that
    changes all the time."""
    draw = np.random.default_rng(0)
    uneven = np.cumsum(draw.uniform(0.01, 0.3, 40))
    for times in (np.arange(0, 3, 0.02), np.arange(0, 3, 0.04), np.arange(0, 3, 0.2), uneven[uneven < 3]):
        tracker = FaceTracker()
        numbers = {tracker.update(faces(boxed((100 + 300 * t, 200), 80)), float(t)).numbers for t in times}
        assert numbers == {(1,)}
        [track] = tracker.end()
        assert track.number == 1 and len(track) == len(times)


def test_a_likelihood_is_that_of_the_textbook_filter() -> None:
    """Place against a Kalman filter of full matrices, size against a normal density of its logarithm, both
    for a face seen well and for one that is partly hidden."""
    motion = Motion.of(boxed((100, 100), 50), 0.0)
    state, covariance = np.zeros((2, 2)), np.diag([FOUND**2, FIRST_SPEED**2])
    for seconds, dt in ((0.1, 0.1), (0.4, 0.3)):
        step = np.array([[1, dt], [0, 1]])
        noise = UNREST * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        state, covariance = step @ state, step @ covariance @ step.T + noise
        spread = covariance[0, 0] + FOUND**2
        z = np.array([0.3, -0.2]) * seconds / 2
        told = motion.likelihoods(boxed(tuple(100 + 50 * z), 50)[None], seconds)[0]
        kinds = [
            share
            * multivariate_normal(state[0], (covariance[0, 0] + noise**2) * np.eye(2)).pdf(z)
            * norm(0, np.hypot(resized, 0.7 * dt)).pdf(0)
            for share, noise, resized in ((0.9, FOUND, 0.14), (0.1, HIDDEN, 0.4))
        ]
        assert told == pytest.approx(np.log(sum(kinds) * 100), abs=1e-4)
        motion.found(boxed(tuple(100 + 50 * z), 50), seconds)
        gain = covariance[:, :1] / spread
        state, covariance = state + gain * (z - state[0]), covariance - gain @ covariance[:1]
    assert motion.speed / 50 == pytest.approx(state[1], abs=1e-4)


@given(st.integers(0, 5), st.integers(0, 4), st.integers(0, 1000))
def test_the_pairs_are_those_with_the_largest_sum(tracks: int, found: int, seed: int) -> None:
    """As tried out over all ways to pair them."""
    worth = np.random.default_rng(seed).normal(0, 3, (tracks, found))
    pairs = assigned(worth)
    assert len({t for t, _ in pairs}) == len({f for _, f in pairs}) == len(pairs)
    assert all(worth[pair] > 0 for pair in pairs)
    padded = np.maximum(np.pad(worth, ((0, found), (0, 0))), 0)
    best = max(
        (sum(padded[t, f] for f, t in enumerate(p)) for p in permutations(range(len(padded)), found)),
        default=0.0,
    )
    assert sum(worth[pair] for pair in pairs) == pytest.approx(best)


def test_only_open_questions_ask_for_a_look() -> None:
    """A face in one track's place, and one in nobody's, are told by place; everything else is not."""
    place = np.array([[6.0, -9, -9, -9], [-9, 5, 1, -9]])
    assert contested(place, lost=False) == [1, 2]
    assert contested(place, lost=True) == [1, 2, 3]
    assert contested(np.array([[0.5]]), lost=False) == [0]


@pytest.mark.parametrize(("hidden_s", "number"), [(1.5, 1), (2.5, 2)])
def test_who_comes_back_in_time_is_known_again_by_looks(hidden_s: float, number: int) -> None:
    """Also from another direction; after ``patience_s`` it is another track."""
    draw, who, tracker = np.random.default_rng(0), person(1), FaceTracker()
    for t in np.arange(0, 1, 0.1):
        [first] = tracker.update(faces(boxed((300, 300), 80)), t).numbers
        tracker.remember(first, Embedding(look(who, 0.7, draw), MODEL), 1.0, t)
    for t in np.arange(1, 0.9 + hidden_s, 0.1):
        assert tracker.update(faces(), t).numbers == ()
    back = faces(boxed((420, 300), 80), vectors=[look(who, 0.6, draw)])
    now = 0.9 + hidden_s
    assert hidden_s > 2 or tracker.unsure(back, now) == [0]
    assert tracker.update(back, now).numbers == (number,)


def test_a_face_that_is_partly_hidden_is_the_same() -> None:
    """Its box jumps to what is left of it and back, at 25 frames a second: place alone follows it."""
    tracker = FaceTracker()
    numbers = set()
    for i in range(50):
        whole = boxed((300 + 2 * i, 300), 80)
        rest = np.array([*whole[:2], whole[2] - 32, whole[3] - 16], np.float32)
        seen = whole if i % 20 < 15 else rest
        numbers |= {*tracker.update(faces(seen), i / 25).numbers}
    assert numbers == {1}


def test_nobody_is_carried_over_a_cut() -> None:
    """After `end` the same face in the same place is another track."""
    tracker = FaceTracker()
    for t in (0.0, 0.1, 0.2):
        tracker.update(faces(boxed((300, 300), 80)), t)
    [over] = tracker.end()
    assert (over.number, over.from_s, over.to_s) == (1, 0.0, 0.2)
    assert tracker.update(faces(boxed((300, 300), 80)), 0.3).numbers == (2,)


def test_times_that_run_back_begin_anew() -> None:
    """As those of a stream that was restored: no track holds a time twice."""
    tracker = FaceTracker()
    for t in (5.0, 5.1, 5.2):
        tracker.update(faces(boxed((300, 300), 80)), t)
    tracks = tracker.update(faces(boxed((300, 300), 80)), 0.0)
    assert tracks.numbers == (2,) and [one.number for one in tracks.ended] == [1]


def test_somebody_else_in_the_same_place_is_another_track() -> None:
    """Where a cut was missed, two looks that agree with each other but not with the track divide it."""
    draw, tracker, told = np.random.default_rng(0), FaceTracker(), []
    for i in range(20):
        who = person(1 if i < 10 else 2)
        tracks = tracker.update(faces(boxed((300, 300), 80)), i / 10)
        told += [tracks]
        tracker.remember(tracks.numbers[0], Embedding(look(who, 0.7, draw), MODEL), 1.0, i / 10)
    ended = [track for tracks in told for track in tracks.ended] + list(tracker.end())
    assert [(track.number, track.from_s, track.to_s) for track in ended] == [(1, 0.0, 0.9), (2, 1.0, 1.9)]
    for track, seed in zip(ended, (1, 2), strict=True):
        assert track.embedding is not None
        assert track.embedding.vector @ person(seed) > 0.9


def test_one_odd_look_divides_nothing_and_is_left_out() -> None:
    """A hand before the face, say."""
    draw, tracker, who = np.random.default_rng(0), FaceTracker(), person(1)
    for i in range(10):
        [number] = tracker.update(faces(boxed((300, 300), 80)), i / 10).numbers
        tracker.remember(
            number, Embedding(look(person(i + 50) if i == 5 else who, 0.7, draw), MODEL), 1.0, i / 10
        )
    [track] = tracker.end()
    assert (track.number, len(track), track.looks) == (1, 10, 9)


def test_better_looks_weigh_more() -> None:
    """The fused embedding is the mean direction, each look weighed by its quality."""
    tracker, (a, b) = FaceTracker(), (look(person(1), 0.9, np.random.default_rng(i)) for i in (1, 2))
    for i, (vector, weight) in enumerate([(a, 0.9), (b, 0.3), (a, 0.0)]):
        [number] = tracker.update(faces(boxed((300, 300), 80)), i / 10).numbers
        tracker.remember(number, Embedding(vector, MODEL), weight, i / 10)
    [track] = tracker.end()
    mean = 0.9 * a + 0.3 * b
    assert track.embedding is not None and track.looks == 2
    assert track.embedding.vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-6)
    assert "0." not in repr(track) and "float32 (128,)" not in repr(track.embedding)


def test_ten_hours_in_one_picture() -> None:
    """Times far from zero keep their precision, and a track's memory is 24 bytes a time it is found."""
    tracker = FaceTracker()
    for i in range(500):
        at = 36_000 + i / 60
        assert tracker.update(faces(boxed((300 + i, 300), 80)), at).numbers == (1,)
    [track] = tracker.end()
    assert np.diff(track.times) == pytest.approx(np.full(499, 1 / 60), abs=1e-9)


def test_looks_of_two_models_are_not_mixed() -> None:
    """A look, or a frame's embeddings, of another model than the track's raise ModelMismatch."""
    tracker = FaceTracker()
    tracker.update(faces(boxed((300, 300), 80)), 0.0)
    tracker.remember(1, Embedding(person(1), MODEL), 1.0, 0.0)
    with pytest.raises(ModelMismatch):
        tracker.remember(1, Embedding(person(1), ModelId("other", "1" * 64)), 1.0, 0.0)
    other = faces(boxed((300, 300), 80), vectors=[person(1)]).with_columns(model=ModelId("other", "1" * 64))
    with pytest.raises(ModelMismatch):
        tracker.update(other, 0.1)


def test_between_the_boxes_found_a_track_lies_on_a_straight_line() -> None:
    """So that a frame nobody searched has boxes too; beyond its ends there is none unless asked for."""
    track = Track(1, np.array([1.0, 2.0]), np.array([[0, 0, 10, 10], [20, 40, 50, 70]], np.float32))
    for seconds, box in ((1.0, [0, 0, 10, 10]), (1.5, [10, 20, 30, 40]), (2.0, [20, 40, 50, 70])):
        assert track.box_at(seconds) == pytest.approx(np.array(box))
    assert track.box_at(0.9) is None and track.box_at(2.1) is None
    assert track.box_at(2.1, beyond_s=0.2) == pytest.approx([20, 40, 50, 70])
    with pytest.raises(InvalidArray, match="rising"):
        Track(1, np.array([1.0, 1.0]), np.zeros((2, 4), np.float32))


def test_unlikely_looks_say_little() -> None:
    """A similarity above the mated mean counts no less than one at it, and no look is worth everything."""
    told = Similarities().likelihoods(np.array([-1.0, 0.0, 0.3, 0.6, 0.9, 1.0, np.nan]))
    assert (np.diff(told[:-1]) >= 0).all() and told[-1] == 0 and np.abs(told).max() == 6
    assert told[1] < 0 < told[2]


@pytest.mark.parametrize("wrong", [{"patience_s": -1.0}, {"patience_s": 0.0}, {"patience_s": float("nan")}])
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    """Are refused by name."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        TrackerSettings(**wrong)
