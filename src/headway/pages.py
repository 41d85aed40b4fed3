"""What headway's pages have in common: colours for light and dark, fonts, and how data gets into a page."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

LIGHT = """--ink: #1c2024; --soft: #5c6670; --paper: #ffffff; --rule: #d8dde2; --band: #f4f6f8; --bad: #b3261e;
  --bad-band: #fdecea; --warn: #8f5600; --good: #1b6e3c; --turn: #0b5cad; --choice: #dcebfa; --baton: #b8860b;"""
DARK = """--ink: #e4e7ea; --soft: #9aa4ae; --paper: #15181b; --rule: #343a40; --band: #1d2125; --bad: #ff8a80;
  --bad-band: #3a1f1d; --warn: #f0b35a; --good: #7fd6a0; --turn: #7db8f5; --choice: #223a52; --baton: #e8c04a;"""
SANS = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif'
MONO = 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace'


def json_in_html(data: Any) -> str:
    """JSON that can stand in a `<script type="application/json">`, whatever texts are in it."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def hash_source(text: str) -> str:
    """What a Content-Security-Policy says to allow this script or style, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"
