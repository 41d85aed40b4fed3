"""A real browser: Debian's chromium without a window, driven by playwright over the DevTools protocol."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headway.view import write

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    if sys.version_info >= (3, 12):
        pytest.skip("not for this Python: playwright is a requirement of the tests on 3.11 only")
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium here: apt-get install chromium")
    # Root has no sandbox; who runs tests as root in CI trusts the pages that these tests make.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def show(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Write the page of a trace and open it. What the page complains of, or asks the network for, is a failure."""
    wrong: list[str] = []
    pages: list[Any] = []

    def show(directory: Path, *, dark: bool = False) -> Any:
        file = write(directory, tmp_path / "page.html")
        page = browser.new_page(
            viewport={"width": 1280, "height": 800}, color_scheme="dark" if dark else "light"
        )
        pages.append(page)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
        page.on(
            "request", lambda request: wrong.append(request.url) if request.url != file.as_uri() else None
        )
        page.goto(file.as_uri())
        page.wait_for_selector("body[data-ready], body[data-failed]")
        return page

    yield show
    for page in pages:
        page.close()
    assert wrong == []
