"""The report as a page: one file, which loads nothing, for screens light and dark and for paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from headway.check.report import blocked_lines, build_lines, counted, race_lines
from headway.check.rows import Row, rows
from headway.pages import DARK, LIGHT, MONO, SANS

__all__ = ["page"]

_COLOURS = f"""
:root {{ color-scheme: light dark; --sans: {SANS}; --mono: {MONO}; {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {DARK} }} }}
"""
_STYLE = """
* { box-sizing: border-box; }
body { margin: 2rem auto; padding: 0 1.25rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 var(--sans); }
h1 { font-size: 1.15rem; margin: 0 0 .25rem; }
h1.failure { color: var(--bad); } h1.ok { color: var(--good); }
section + section { margin-top: 3rem; border-top: 2px solid var(--rule); padding-top: 1.5rem; }
p { margin: .25rem 0 1rem; } .soft { color: var(--soft); }
code, pre, td, th { font-family: var(--mono); font-size: 13px; }
pre { background: var(--band); border: 1px solid var(--rule); border-radius: 4px; padding: .6rem .8rem;
  overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; padding: .4rem .7rem; border-bottom: 2px solid var(--rule); background: var(--paper);
  position: sticky; top: 0; }
td { padding: .2rem .7rem; vertical-align: top; border-bottom: 1px solid var(--band); }
td.place { color: var(--soft); white-space: nowrap; width: 1%; }
td.unit { border-left: 1px solid var(--rule); }
td.did { background: var(--band); white-space: pre-wrap; overflow-wrap: anywhere; min-width: 14rem; }
td.did span { display: block; color: var(--soft); white-space: pre-wrap; }
tr.switch td { border-top: 2px solid var(--turn); }
tr.switch td.place::after { content: "switch"; display: block; color: var(--turn); font-weight: 600; }
tr.failed td.did { background: var(--bad-band); border-left: 4px solid var(--bad); }
tr.failed td.did span { color: var(--bad); }
tr.failed td.place::after { content: "fails"; display: block; color: var(--bad); font-weight: 600; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } th { position: static; }
  code, pre, td, th { font-size: 10px; } tr { break-inside: avoid; } thead { display: table-header-group; }
  .wide { overflow: visible; } }
"""


def page(scenarios: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        scenarios: As in the JSON document of `headway check`.
    """
    titles = ", ".join(str(one["scenario"]) for one in scenarios)
    parts = [part for one in scenarios for part in _section(one)]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>headway check: {escape(titles)}</title>",
            f"<style>{_COLOURS}{_STYLE}</style></head><body>",
            *parts,
            "</body></html>\n",
        ]
    )


def _section(one: Mapping[str, Any]) -> Iterator[str]:
    yield "<section>"
    name = f"<code>{escape(one['scenario'])}</code>"
    if one["outcome"] == "failure":
        yield f'<h1 class="failure">{escape(one["sentence"])}</h1>'
        if "steps" in one:
            yield f'<p class="soft">{name} {escape(counted(one))}, granularity {escape(one["granularity"])}</p>'
            yield from _blocked(one)
            yield from _table(one)
            below = "\n".join([*race_lines(one), *build_lines(one)])
            if below:
                yield f"<pre>{escape(below)}</pre>"
        else:
            yield f"<p>{name}: not deterministic, the same schedule did not fail again</p>"
        if one["replay"]:
            yield f'<p class="soft">Replay it:</p><pre>{escape(one["replay"])}</pre>'
    elif one["outcome"] == "error":
        yield f"<h1>Could not be checked</h1><p>{name}</p><pre>{escape(one['message'])}</pre>"
    elif one.get("replayed"):
        yield f'<h1 class="ok">No failure under the schedule</h1><p>{name}, replayed {escape(one["replayed"])}</p>'
    else:
        more = "one of each class" if one["reduced"] else "there may be more"
        every = "all of them" if one["exhausted"] else more
        yield f'<h1 class="ok">No failure in {one["schedules"]} schedules</h1>'
        yield f'<p class="soft">{name}, granularity {escape(one["granularity"])}, seed {one["seed"]}: {every}</p>'
        for line in [*one["races"], *one["notes"]]:
            yield f"<p>{escape(line)}</p>"
    yield "</section>"


def _blocked(one: Mapping[str, Any]) -> Iterator[str]:
    lines = blocked_lines(one, 160)
    if lines:
        text = "\n".join(line.strip() for line in lines)
        yield f"<pre>{escape(text)}</pre>"


def _table(one: Mapping[str, Any]) -> Iterator[str]:
    found = rows(one)
    if not found:
        return
    units = one["units"]
    yield '<div class="wide"><table><thead><tr><th>line</th>'
    yield from (f"<th>{escape(unit['name'])}</th>" for unit in units)
    yield "</tr></thead><tbody>"
    if one["steps_left_out"]:
        yield f'<tr><td class="place" colspan="{len(units) + 1}">{one["steps_left_out"]} steps before</td></tr>'
    for row in found:
        yield _row(row, [unit["unit"] for unit in units])
    yield "</tbody></table></div>"


def _row(row: Row, units: list[int]) -> str:
    kind = {">": ' class="switch"', "!": ' class="failed"'}.get(row.mark, "")
    comment = f"<span># {escape(row.comment)}</span>" if row.comment else ""
    cells = "".join(
        f'<td class="unit did">{escape(row.text)}{comment}</td>'
        if unit == row.unit
        else '<td class="unit"></td>'
        for unit in units
    )
    return f'<tr{kind}><td class="place">{escape(row.place)}</td>{cells}</tr>'
