"""The reader's dtypes are those of native/record.h, and damaged traces give one clear error."""

from __future__ import annotations

import json
import shutil
import subprocess
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.errors import TraceNotFound, TraceTooNew, TraceUnreadable
from headway.trace import format as fmt
from headway.trace.format import Kind
from headway.trace.model import Trace
from synthetic import MS, T0, FakeProcess, FakeTrace

NATIVE = Path(__file__).parents[2] / "native"
STRUCTS = {
    "hw_record": fmt.RECORD,
    "hw_chunk": fmt.CHUNK,
    "hw_thread": fmt.THREAD,
    "hw_gil": fmt.GIL,
    "hw_lock": fmt.LOCK,
    "hw_edge": fmt.EDGE,
    "hw_stack": fmt.STACK,
    "hw_frame": fmt.FRAME,
    "hw_unit": fmt.INNER,
    "hw_pool": fmt.POOL,
    "hw_order": fmt.ORDER,
    "hw_section": fmt.SECTION,
    "hw_header": fmt.HEADER,
    "hw_shared_header": fmt.SHARED_HEADER,
    "hw_shared_thread": fmt.SHARED_THREAD,
    "hw_shared_semaphore": fmt.SHARED_SEMAPHORE,
}
ENUMS: dict[str, Any] = {
    "HW_": fmt.Kind,
    "HW_IO_": fmt.Io,
    "HW_END_": fmt.End,
    "HW_THREAD_": fmt.ThreadFlag,
    "HW_FLAG_": fmt.Flag,
    "HW_SECTION_": fmt.Section,
    "HW_UNIT_KIND_": fmt.InnerKind,
    "HW_UNIT_": fmt.InnerFlag,
    "HW_POOL_": fmt.PoolKind,
}
CONSTANTS = {
    "HW_VERSION": fmt.VERSION,
    "HW_NOBODY": fmt.NOBODY,
    "HW_AFAR": fmt.AFAR,
    "HW_OUTSIDE": fmt.OUTSIDE,
    "HW_PEER": fmt.PEER,
    "HW_SHARED_VERSION": fmt.SHARED_VERSION,
    "HW_SHARED_THREADS": fmt.SHARED_THREADS,
    "HW_SHARED_SEMAPHORES": fmt.SHARED_SEMAPHORES,
    "HW_CHUNK_BYTES": fmt.CHUNK_BYTES,
    "HW_CHUNK_RECORDS": fmt.CHUNK_RECORDS,
    "HW_NKINDS": fmt.NKINDS,
    "HW_ORDER_HELD": fmt.ORDER_HELD,
    "HW_NAME_BYTES": fmt.NAME_BYTES,
    "HW_NSECTIONS": len(fmt.Section),
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    trace = FakeTrace(tmp_path / "trace-1", end_ns=T0 + 10 * MS)
    trace.process(end_ns=T0 + 10 * MS).thread().then(Kind.PYTHON, 10 * MS).ends()
    return trace.write()


def process_file(directory: Path) -> Path:
    (path,) = directory.glob("process-*.hw")
    return path


def test_every_size_offset_and_constant_is_that_of_the_c_header(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    expected, prints = {}, []
    for struct, dtype in STRUCTS.items():
        expected[struct] = [dtype.itemsize, 0]
        prints.append(f'printf("{struct} %zu 0\\n", sizeof(struct {struct}));')
        for name, (field, offset, *_) in (dtype.fields or {}).items():
            key = f"{struct}.{name}"
            expected[key] = [field.itemsize, offset]
            member = f"((struct {struct} *)0)->{name}"
            prints.append(f'printf("{key} %zu %zu\\n", sizeof({member}), offsetof(struct {struct}, {name}));')
    for prefix, enum in ENUMS.items():
        for value in enum:
            expected[prefix + value.name] = [int(value), 1]
            prints.append(f'printf("{prefix}{value.name} %zu 1\\n", (size_t){prefix}{value.name});')
    for name, number in CONSTANTS.items():
        expected[name] = [number, 1]
        prints.append(f'printf("{name} %zu 1\\n", (size_t){name});')
    source = tmp_path / "layout.c"
    body = "\n".join(prints)
    source.write_text(f'#include "record.h"\n#include <stdio.h>\nint main(void) {{\n{body}\nreturn 0; }}\n')
    program = tmp_path / "layout"
    subprocess.run([compiler, "-std=c11", f"-I{NATIVE}", str(source), "-o", str(program)], check=True)
    lines = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    found = {name: [int(size), int(offset)] for name, size, offset in (line.split() for line in lines)}
    assert found == expected


def test_no_value_of_the_header_is_missing_here() -> None:
    text = (NATIVE / "record.h").read_text()
    for prefix, enum in ENUMS.items():
        if issubclass(enum, IntEnum) and prefix == "HW_":
            kinds = text[text.index("#define HW_KINDS") : text.index("enum hw_kind {")]
            assert kinds.count(" X(") == len(enum)
    flags = text[text.index("enum hw_flags {") : text.index("/* First page of the file.")]
    assert flags.count("HW_FLAG_") == len(fmt.Flag)


def test_a_missing_directory_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(TraceNotFound, match="nowhere: no such directory"):
        Trace(tmp_path / "nowhere")


def test_a_directory_without_a_trace_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(TraceNotFound, match="no trace here"):
        Trace(tmp_path)


def test_a_trace_from_before_there_were_tasks_is_read(directory: Path) -> None:
    path = process_file(directory)
    raw = bytearray(path.read_bytes())
    raw[12:16] = fmt.HEADER_BYTES.to_bytes(4, "little")
    path.write_bytes(raw)

    assert len(Trace(directory).threads) == 1
    assert Trace(directory).tasks == []


def test_a_newer_format_says_so(directory: Path) -> None:
    path = process_file(directory)
    raw = bytearray(path.read_bytes())
    raw[8:12] = (fmt.VERSION + 1).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(TraceTooNew, match=f"{path.name}: format 2"):
        Trace(directory)


def test_a_newer_trace_json_says_so(directory: Path) -> None:
    (directory / "trace.json").write_text(json.dumps({"headway_trace": 2}))
    with pytest.raises(TraceTooNew, match=r"trace\.json: format 2"):
        Trace(directory)


def test_garbage_names_the_file(directory: Path) -> None:
    process_file(directory).write_bytes(b"garbage" * 1000)
    with pytest.raises(TraceUnreadable, match=process_file(directory).name):
        Trace(directory)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"headway_trace": "1"}', '{"headway_trace": 1, "pid": "x"}', "\x00"]
)
def test_a_damaged_trace_json_names_the_file(directory: Path, text: str) -> None:
    (directory / "trace.json").write_text(text)
    with pytest.raises(TraceUnreadable, match=r"trace\.json"):
        Trace(directory)


def test_an_empty_process_file_is_a_note(directory: Path) -> None:
    (directory / "process-7-7.hw").write_bytes(b"")
    trace = Trace(directory)
    assert len(trace.processes) == 1
    assert trace.notes == ["process-7-7.hw: ends before its header does (0 bytes)"]


@pytest.mark.parametrize("written", [0, 32, 4096])
def test_a_process_that_was_killed_while_it_began_its_file_is_a_note(directory: Path, written: int) -> None:
    whole = process_file(directory).read_bytes()
    begun = bytes(8) + whole[8:written] + bytes(len(whole) - max(written, 8))
    (directory / "process-7-7.hw").write_bytes(begun)
    trace = Trace(directory)
    assert len(trace.processes) == 1
    assert trace.notes == ["process-7-7.hw: its process has only just begun it, or was killed then"]


def test_without_trace_json_the_processes_are_still_read(directory: Path) -> None:
    (directory / "trace.json").unlink()
    trace = Trace(directory)
    assert [thread.name for thread in trace.threads] == ["main"]
    assert "trace.json is missing" in trace.notes[0]


def test_a_file_cut_anywhere_is_a_readable_trace_or_a_clean_error(tmp_path: Path) -> None:
    from headway.trace.report import as_dict

    trace = FakeTrace(tmp_path, end_ns=T0 + 900 * MS)
    process = trace.process(end_ns=T0 + 900 * MS)
    stack = process.stack(("a.py", 1, "f"), ("b.py", 2, "g"))
    lock = process.lock(made=stack)
    main = process.thread()
    for _ in range(600):
        main.then(Kind.PYTHON, MS // 2, 0, stack).wait(Kind.LOCK, MS // 2, lock, owner=1, stack=stack)
    process.thread("other").then(Kind.PYTHON, 300 * MS).stays(Kind.LOCK, lock, stack, 0)
    trace.write()
    path = process_file(tmp_path)
    whole = path.read_bytes()
    cuts = {*range(0, 64, 7), *range(64, len(whole), 509), fmt.HEADER.itemsize - 1, fmt.HEADER.itemsize}
    for cut in sorted(cuts):
        path.write_bytes(whole[:cut])
        document = as_dict(tmp_path)
        assert document["headway"] == 1, cut


def test_a_chunk_taken_again_while_it_is_read_is_left_out(tmp_path: Path) -> None:
    process = FakeProcess()
    thread = process.thread()
    for _ in range(fmt.CHUNK_RECORDS + 10):
        thread.then(Kind.PYTHON, MS)
    thread.stays(Kind.PYTHON)
    path = process.write(tmp_path)
    from headway.trace.image import ProcessImage

    image = ProcessImage(path)
    assert sum(len(block) for block in image.records(0)) == fmt.CHUNK_RECORDS + 10
    raw = bytearray(path.read_bytes())
    at = int(image.header["sections"][fmt.Section.CHUNKS]["offset"])
    raw[at + 8 : at + 16] = (99).to_bytes(8, "little")
    path.write_bytes(raw)
    assert sum(len(block) for block in image.records(0)) == 10


def test_a_slot_that_is_being_written_is_read_again_until_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    process = FakeProcess()
    process.thread().then(Kind.PYTHON, MS).stays(Kind.PYTHON)
    path = process.write(tmp_path)
    plain = os.pread
    reads: list[int] = []

    def pread(fd: int, size: int, offset: int) -> bytes:
        raw = bytearray(plain(fd, size, offset))
        if size == fmt.THREAD.itemsize and len(reads) < 3:
            reads.append(offset)
            raw[4:8] = (2 * len(reads) + 1).to_bytes(4, "little")
        return bytes(raw)

    monkeypatch.setattr(os, "pread", pread)
    from headway.trace.image import ProcessImage

    image = ProcessImage(path)
    assert int(image.threads[0]["version"]) == 0
    assert np.count_nonzero(image.threads["ready"]) == 1
