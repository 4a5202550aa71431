"""Builds the browser application for an installation: build_pages.py SOURCE OUTPUT WORK.

Meson runs it where SOURCE has no dist/ yet (`./dev build` makes one, and a source distribution brings it). Works on a
copy in WORK, so that the sources stay as they are. As a distribution script of Meson it takes no arguments.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def build(source: Path, output: Path, work: Path) -> None:
    """Leaves the pages in `output`, built from the sources in `source`; packages come from npm's registry."""
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work, ignore=shutil.ignore_patterns("node_modules", "dist"))
    if (source / "node_modules").is_dir():
        (work / "node_modules").symlink_to(source / "node_modules")
    else:
        npm = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=work, check=True)
    subprocess.run(["node", "build.mjs"], cwd=work, check=True)
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(work / "dist", output)


def main() -> None:
    """Called by Meson."""
    try:
        if "MESON_DIST_ROOT" in os.environ:
            source = Path(os.environ["MESON_SOURCE_ROOT"]) / "pylocust" / "webui"
            output = Path(os.environ["MESON_DIST_ROOT"]) / "pylocust" / "webui" / "dist"
            if (source / "dist" / "index.html").is_file():
                shutil.copytree(source / "dist", output, ignore=shutil.ignore_patterns(".dev-stamp"))
            else:
                build(source, output, Path(os.environ["MESON_BUILD_ROOT"]) / "webui-dist")
        else:
            build(*map(Path, sys.argv[1:4]))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"the pages of the web UI could not be built (npm needs its registry, Node.js 18 or later): {error}")


if __name__ == "__main__":
    main()
