"""The page itself: one file with its data, its style and its scripts, which loads nothing."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from headway.pages import DARK, LIGHT, MONO, SANS, hash_source, json_in_html

_SCRIPTS = (
    *(
        "figures",
        "columns",
        "lane",
        "states",
        "raster",
        "crowd",
        "tree",
        "model",
        "summary",
        "paint",
        "overlay",
    ),
    *("report", "details", "diagrams", "view", "keys", "main"),
)
_COLOURS = f"""
:root {{ color-scheme: light; --font: {SANS}; --mono: {MONO}; {LIGHT} }}
:root[data-theme="dark"] {{ color-scheme: dark; {DARK} }}
@media (prefers-color-scheme: dark) {{ :root:not([data-theme]) {{ color-scheme: dark; {DARK} }} }}
"""


def sheet(document: dict[str, Any]) -> str:
    """The page of `document.document`.

    Names in a trace are anybody's: they are in the page as JSON only, and its scripts only ever make text of them. The
    page allows no script and no style but its own two, by their hashes, and nothing from elsewhere.
    """
    style = _COLOURS + _text("page.css")
    script = '"use strict";\n(() => {\n' + "\n".join(_text(f"{name}.js") for name in _SCRIPTS) + "})();\n"
    policy = (
        f"default-src 'none'; script-src {hash_source(script)}; style-src {hash_source(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return "".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            '<meta name="referrer" content="no-referrer">\n',
            f"<title>headway</title>\n<style>{style}</style></head><body>\n",
            _text("page.html"),
            f'<script type="application/json" id="data">{json_in_html(document)}</script>\n',
            f"<script>{script}</script>\n</body></html>\n",
        ]
    )


def _text(name: str) -> str:
    return (files("headway.view") / "page" / name).read_text(encoding="utf-8")
