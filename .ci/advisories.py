"""Ask the advisory service about what is installed: a finding fails, silence of the service does not."""

from __future__ import annotations

import json
import subprocess
import sys


def main() -> int:
    """The exit status."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--format", "json"]
    command += ["--progress-spinner", "off", "--timeout", "15"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        return _not_checked("it did not answer in 300 seconds")
    try:
        answer = json.loads(run.stdout)["dependencies"]
    except ValueError:
        if "No module named" in run.stderr:
            print(run.stderr, file=sys.stderr)
            return 1
        return _not_checked(run.stderr.strip()[-300:])
    unknown = [one["name"] for one in answer if "skip_reason" in one]
    if len(unknown) == len(answer):
        return _not_checked(f"it knows none of {len(answer)} packages")
    found = [(one, hole) for one in answer for hole in one.get("vulns", ())]
    for one, hole in found:
        print(f"advisories: {one['name']} {one['version']}: {hole['id']}, fixed in {hole['fix_versions']}")
    print(f"advisories: {len(answer) - len(unknown)} packages checked, {len(found)} holes")
    if unknown:
        print(f"advisories: not checked, unknown to the service: {', '.join(unknown)}")
    return 1 if found else 0


def _not_checked(why: str) -> int:
    print(f"advisories: NOT CHECKED, the advisory service cannot be reached: {why}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
