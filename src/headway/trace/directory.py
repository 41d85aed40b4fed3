"""A trace directory: `trace.json` and the process files beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headway.errors import TraceNotFound, TraceTooNew, TraceUnreadable
from headway.trace.image import ProcessImage, Truncated

META = "trace.json"
META_VERSION = 1


@dataclass(slots=True)
class Meta:
    """What `headway trace` wrote of the run. Fields as in trace.json; times are CLOCK_MONOTONIC ns."""

    command: list[str] = field(default_factory=list)
    cwd: str = ""
    pid: int = 0
    start_ns: int = 0
    start_unix_s: float | None = None
    end_ns: int | None = None
    exit: int | None = None
    cores: int | None = None
    cpu_s: float | None = None
    headway_version: str = ""
    notes: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)


def open_directory(directory: Path, *, records: bool = True) -> tuple[Meta, list[ProcessImage], list[str]]:
    """Read a trace directory.

    Args:
        directory: Where it is.
        records: As for `ProcessImage`.
    Returns:
        What was run, the process images by time of their start, and notes on what could not be read.
    Raises:
        TraceNotFound: The directory does not exist or holds no trace.
        TraceUnreadable: A file is not what its name says.
        TraceTooNew: The trace was written in a newer format.
    """
    if directory.is_file():
        inside = directory.name == META or directory.suffix == ".hw"
        raise TraceNotFound(
            f"{directory} is a file, and a trace is a directory",
            hint=f"headway report {directory.parent}" if inside else "record one: headway trace script.py",
        )
    if not directory.is_dir():
        raise TraceNotFound(f"{directory}: no such directory", hint="record one: headway trace script.py")
    files = sorted(directory.glob("process-*.hw"))
    meta_file = directory / META
    if not files and not meta_file.exists():
        raise TraceNotFound(
            f"{directory}: no trace here: neither {META} nor process-*.hw",
            hint="record one: headway trace script.py",
        )
    notes: list[str] = []
    meta = _read_meta(meta_file) if meta_file.exists() else None
    images = []
    for path in files:
        try:
            images.append(ProcessImage(path, records=records))
        except Truncated as cut:
            notes.append(str(cut))
    images.sort(key=lambda image: (int(image.header["start_ns"]), int(image.header["pid"])))
    if meta is None:
        notes.append(f"{META} is missing: the run's end, exit status and CPU time are not known")
        meta = Meta()
        if images:
            root = images[0]
            meta.pid, meta.start_ns, meta.command = (
                int(root.header["pid"]),
                int(root.header["start_ns"]),
                root.command,
            )
    notes += meta.notes
    return meta, images, notes


def _read_meta(path: Path) -> Meta:
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise TraceUnreadable(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise TraceUnreadable(
            f"{path}: not JSON: {error}", hint="remove it to read the process files alone"
        ) from error
    if not isinstance(data, dict) or not isinstance(data.get("headway_trace"), int):
        raise TraceUnreadable(f"{path}: not a headway trace: no number `headway_trace` in it")
    if data["headway_trace"] > META_VERSION:
        raise TraceTooNew(
            f"{path}: format {data['headway_trace']}; this headway reads up to {META_VERSION}",
            hint="upgrade headway, or read the trace with the one that recorded it",
        )
    meta = Meta()
    for name, kind in _FIELDS.items():
        value = data.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TraceUnreadable(f"{path}: `{name}` is {value!r}")
        setattr(meta, name, [str(item) for item in value] if isinstance(value, list) else value)
    return meta


_FIELDS: dict[str, type | tuple[type, ...]] = {
    "command": list,
    "cwd": str,
    "pid": int,
    "start_ns": int,
    "start_unix_s": (int, float),
    "end_ns": int,
    "exit": int,
    "cores": int,
    "cpu_s": (int, float),
    "headway_version": str,
    "notes": list,
    "seen": list,
}
