"""What the web application's login page shows, and whose requests are refused."""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import urlsplit

from flask import abort, request


class InputField(TypedDict, total=False):
    """One field of a login form of the script's own."""

    label: str
    name: str
    type: str | None
    default_value: bool | None
    choices: list[str] | None
    is_multiple: bool | None
    is_secret: bool | None
    is_required: bool | None


class CustomForm(TypedDict, total=False):
    """A login form of the script's own."""

    inputs: list[InputField] | None
    callback_url: str
    submit_button_text: str | None


class AuthProvider(TypedDict, total=False):
    """Somebody else who can say who a visitor is."""

    label: str | None
    callback_url: str
    icon_url: str | None


class AuthArgs(TypedDict, total=False):
    """What the login page shows."""

    title: str
    custom_form: CustomForm
    auth_providers: list[AuthProvider]
    username_password_callback: str
    error: str | None
    info: str | None


def refuse_other_sites() -> None:
    """Ends a request that changes something if a page of another site made the browser send it."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or urlsplit(origin).netloc == request.host
    if not is_own:
        abort(403, "This comes from a page of another site")
