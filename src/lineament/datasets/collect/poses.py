"""The ways to hold the head that a sitting asks for, each confirmed by the measured angles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineament.config import did_you_mean
from lineament.errors import UsageError, WrongPose
from lineament.types import Quality

_FAR = 180.0


@dataclass(frozen=True, slots=True)
class Pose:
    """A name, what the person is ``asked``, and the degrees of yaw and pitch that count as it.

    The signs are those of `lineament.quality.head_pose`: yaw grows to the subject's left, pitch upwards.
    """

    name: str
    asked: str
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]

    def against(self, measured: Quality) -> WrongPose | None:
        """What is wrong with how the head is held, with the angles; None when it is right."""
        yaw, pitch = measured.yaw_deg, measured.pitch_deg
        wrong = [
            f"{name} {value:.0f}, wanted {_range(*limits)}"
            for name, value, limits in (("yaw", yaw, self.yaw_deg), ("pitch", pitch, self.pitch_deg))
            if not limits[0] <= value <= limits[1]
        ]
        return WrongPose(f"{self.name}: {'; '.join(wrong)} degrees") if wrong else None


POSES = {
    pose.name: pose
    for pose in (
        Pose("frontal", "look into the camera", (-12, 12), (-12, 12)),
        Pose("left", "turn your head to your left", (15, _FAR), (-30, 30)),
        Pose("right", "turn your head to your right", (-_FAR, -15), (-30, 30)),
        Pose("up", "lift your chin", (-15, 15), (10, _FAR)),
        Pose("down", "lower your chin", (-15, 15), (-_FAR, -10)),
    )
}


def named(names: Sequence[str]) -> list[Pose]:
    """Poses by their names, each once; raises `UsageError`."""
    found: dict[str, Pose] = {}
    for name in names:
        if name not in POSES:
            raise UsageError(f"no pose {name!r}{did_you_mean(name, POSES)}; known: {', '.join(POSES)}")
        found[name] = POSES[name]
    return list(found.values())


def _range(low: float, high: float) -> str:
    if low == -_FAR:
        return f"at most {high:g}"
    return f"at least {low:g}" if high == _FAR else f"{low:g} to {high:g}"
