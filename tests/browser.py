"""Finds a Chromium and Node.js for the tests of the page, and installs a Chromium where there is none.

python tests/browser.py
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import sync_playwright

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Gives the path of a Chromium: PENREAD_CHROMIUM, one on the PATH, or Playwright's own."""
    if named := os.environ.get("PENREAD_CHROMIUM"):
        return named
    for name in _NAMES:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def find_node() -> str:
    """Gives the path of Node.js: one on the PATH, or the one that Playwright brings."""
    return shutil.which("node") or compute_driver_executable()[0]


def install_chromium() -> None:
    """Installs Chromium: Debian's package where root has apt-get, else Playwright's download."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-qq", "--yes", "--no-install-recommends", "chromium"], check=True)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


if __name__ == "__main__":
    if not find_chromium():
        try:
            install_chromium()
        except subprocess.CalledProcessError as error:
            sys.exit(f"The page is tested in Chromium, and it could not be installed ({error}). Install it yourself.")
    print(f"Chromium: {find_chromium()}")
