"""The image's health check: does the web UI answer, where there is one? Workers and headless runs are well while they
run."""

from __future__ import annotations

import os
import ssl
import sys
import urllib.error
import urllib.request

FLAGS = {"--headless": "LOCUST_HEADLESS", "--worker": "LOCUST_MODE_WORKER"}


def command() -> list[str]:
    """The arguments of the container's first process."""
    with open("/proc/1/cmdline", encoding="utf-8", errors="replace") as file:
        return file.read().split("\0")


def main() -> int:
    """0: well."""
    arguments = command()
    if any(flag in arguments or os.environ.get(name, "").lower() in ("true", "1") for flag, name in FLAGS.items()):
        return 0
    scheme = "https" if "--tls-cert" in arguments or os.environ.get("LOCUST_TLS_CERT") else "http"
    url = f"{scheme}://127.0.0.1:{os.environ.get('LOCUST_WEB_PORT', '8089')}/login"
    # It is this container's own certificate, for another name.
    context = ssl._create_unverified_context() if scheme == "https" else None
    try:
        with urllib.request.urlopen(url, timeout=8, context=context):
            return 0
    except urllib.error.HTTPError:
        return 0
    except OSError as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
