"""Take a picture of a page of `headway view`: `python docs/images/shoot.py PAGE.html OUT.png [SCRIPT]`.

SCRIPT is run in the page first. The picture has the 255 colours that are there most, so that its file is small.
"""

import base64
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

PAGE, OUT, *SCRIPT = sys.argv[1:]
READ = """async data => {
    const image = new Image();
    image.src = data;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return Array.from(context.getImageData(0, 0, image.width, image.height).data);
}"""

with sync_playwright() as driver:
    browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(Path(PAGE).resolve().as_uri())
    page.wait_for_selector("body[data-ready]")
    for script in SCRIPT:
        page.evaluate(script)
    page.wait_for_timeout(500)
    shot = page.screenshot()
    blank = browser.new_page()
    encoded = "data:image/png;base64," + base64.b64encode(shot).decode()
    pixels = np.array(blank.evaluate(READ, encoded), np.uint8).reshape(800, 1280, 4)[:, :, :3].astype(int)
    browser.close()

keys = pixels[..., 0] << 16 | pixels[..., 1] << 8 | pixels[..., 2]
colours, at, counts = np.unique(keys, return_inverse=True, return_counts=True)
most = np.argsort(-counts)[:255]
palette = np.stack([colours[most] >> 16, colours[most] >> 8 & 255, colours[most] & 255], 1)
every = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], 1)
nearest = np.abs(every[:, None] - palette[None]).sum(2).argmin(1)
rows = nearest[at].reshape(800, 1280).astype(np.uint8)


def chunk(name: bytes, data: bytes) -> bytes:
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


with open(OUT, "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 1280, 800, 8, 3, 0, 0, 0)))
    out.write(chunk(b"PLTE", palette.astype(np.uint8).tobytes()))
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    out.write(chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))
