"""Build wheel and sdist, install the wheel alone into a fresh environment, and try everything it brings.

Run by `make package` with the interpreter of the development environment, which has every extra: what a
module lacks in the fresh one is looked up here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import time
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
FRESH = ROOT / ".venv-package"
UV = Path(sys.executable).with_name("uv")
SMOKE = Path(__file__).with_name("package_smoke.py")


def main() -> int:
    """The exit status: 1 with the reason on stderr for the first thing that is wrong."""
    began = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)  # what the smoke test prints comes between
    try:
        with TemporaryDirectory(prefix="lineament-package-") as name:
            _try(Path(name))
    except Wrong as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    print(f"package: all of this in {time.monotonic() - began:.0f} s")
    return 0


class Wrong(Exception):
    """What the package lacks or does wrong."""


def _try(work: Path) -> None:
    built = work / "dist"
    _run(UV, "build", "-q", "--python", sys.executable, "--out-dir", built, _clone(work / "clone"))
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    print(f"package: {wheel.name} {_size(wheel)}, {sdist.name} {_size(sdist)}")
    _run(UV, "tool", "run", "--from", "twine>=6", "twine", "check", "--strict", wheel, sdist)
    print("package: twine check is clean")
    _same_files(_of_the_tree(), wheel)
    _same_wheel(wheel, sdist, work)
    _run(UV, "venv", "-q", "--clear", "--python", sys.executable, FRESH)
    python = FRESH / ("Scripts" if os.name == "nt" else "bin") / "python"
    _run(UV, "pip", "install", "-q", "--python", python, wheel)
    print(f"package: installed without extras: {_installed(python)}")
    _run(python, "-I", SMOKE, ROOT / "samples", *sorted(_brought_by_extras()), cwd=work)


def _clone(target: Path) -> Path:
    """What a commit of this working tree would hold, and nothing that git ignores."""
    for name in _run("git", "ls-files", "-z", "-co", "--exclude-standard", cwd=ROOT).split("\0"):
        if name and (ROOT / name).is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    return target


def _of_the_tree() -> dict[str, bytes]:
    """Every file of the package as it lies here, ignored by git or not; byte code is no source."""
    source = ROOT / "src"
    files = (path for path in (source / "lineament").rglob("*") if path.is_file())
    return {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in files
        if path.suffix != ".pyc" and path.name != ".DS_Store"
    }


def _of_the_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _same_files(tree: dict[str, bytes], wheel: Path) -> None:
    inside = {name: data for name, data in _of_the_wheel(wheel).items() if ".dist-info/" not in name}
    _compare(tree, inside, "the source tree", "the wheel")
    data = sum(not name.endswith(".py") for name in inside)
    print(f"package: the wheel holds all {len(inside)} files of src/lineament, {data} of them data")


def _same_wheel(wheel: Path, sdist: Path, work: Path) -> None:
    """`uv build` makes the wheel from the sdist; this one comes straight from the clone."""
    _run(
        UV,
        "build",
        "-q",
        "--wheel",
        "--python",
        sys.executable,
        "--out-dir",
        work / "direct",
        work / "clone",
    )
    (direct,) = (work / "direct").glob("*.whl")
    if direct.name != wheel.name:
        raise Wrong(f"the sdist builds {wheel.name}, the clone {direct.name}")
    _compare(
        _of_the_wheel(direct), _of_the_wheel(wheel), "the wheel of the clone", "the wheel of the sdist"
    )
    with tarfile.open(sdist) as archive:
        count = sum(member.isfile() for member in archive)
    print(f"package: the sdist, {count} files, builds the wheel that the clone builds, byte for byte")


def _compare(wanted: dict[str, bytes], found: dict[str, bytes], here: str, there: str) -> None:
    differing = {name for name in wanted.keys() & found.keys() if wanted[name] != found[name]}
    for names, what in (
        (wanted.keys() - found.keys(), f"in {here} and not in {there}"),
        (found.keys() - wanted.keys(), f"in {there} and not in {here}"),
        (differing, f"different in {here} and {there}"),
    ):
        if names:
            raise Wrong(f"{len(names)} files are {what}: {', '.join(sorted(names)[:10])}")


def _brought_by_extras() -> set[str]:
    """The import names that only an extra's distribution brings, pytest among them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = {_distribution(one) for wanted in extras.values() for one in wanted}
    optional -= {_distribution(one) for one in project["dependencies"]}
    homes = packages_distributions()
    return {name for name, of in homes.items() if {_distribution(one) for one in of} & optional}


def _distribution(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def _installed(python: Path) -> str:
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(_run(python, "-I", "-c", asked).strip())
    sizes: dict[str, int] = {}
    for path in packages.rglob("*"):
        if path.is_file():
            top = path.relative_to(packages).parts[0].removesuffix(".libs")
            sizes[top] = sizes.get(top, 0) + path.stat().st_size
    count = len(list(packages.glob("*.dist-info")))
    largest = sorted(sizes, key=lambda name: -sizes[name])[:4]
    parts = ", ".join(f"{name} {sizes[name] / 1e6:.0f}" for name in largest)
    return f"{count} packages, {sum(sizes.values()) / 1e6:.0f} MB ({parts})"


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:.1f} MB"


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    """Standard output of a command; that of the smoke test is passed on as it comes."""
    alone = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    passed_on = SMOKE in command
    ran = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=alone,
        stdout=None if passed_on else subprocess.PIPE,
        stderr=subprocess.STDOUT if not passed_on else None,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if ran.returncode:
        raise Wrong(f"{' '.join(map(str, command))} ended with {ran.returncode}\n{ran.stdout or ''}")
    return ran.stdout or ""


if __name__ == "__main__":
    raise SystemExit(main())
