"""Ask the advisory service about what is installed: a finding fails, silence of the service does not."""

from __future__ import annotations

import subprocess
import sys

_NOBODY = ("ConnectionError", "Connection refused", "Max retries exceeded", "ServiceError", "timed out")
"""What pip-audit says where the service cannot be reached."""


def main() -> int:
    """The exit status."""
    command = [sys.executable, "-m", "pip_audit", "--local", "--skip-editable", "--progress-spinner", "off"]
    try:
        run = subprocess.run([*command, "--timeout", "15"], capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        print("advisories: NOT CHECKED: the advisory service did not answer in 300 seconds")
        return 0
    if run.returncode and not run.stdout.strip() and any(word in run.stderr for word in _NOBODY):
        print(f"advisories: NOT CHECKED: the advisory service cannot be reached\n{run.stderr.strip()[-300:]}")
        return 0
    print(run.stdout, run.stderr, sep="", end="")
    return run.returncode


if __name__ == "__main__":
    raise SystemExit(main())
