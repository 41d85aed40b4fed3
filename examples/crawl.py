"""A crawler: serves the pages of a folder on the loopback interface, follows every link, and names the broken ones.

Three things keep it in order. A scope: when `crawl` returns, no visit is left over, and one that fails ends the
others. A limit: the server is never asked for more than so many pages at a time. A channel with little room: when
the reader of the pages is slow, the visits wait for it.

    python examples/crawl.py [FOLDER [PAGE]]
"""

import functools
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import headway

AT_A_TIME = 4
LINK = re.compile(r"\]\(([^)#=\s]+)[)#]|href=\"([^\"#]+)\"")


class Page(NamedTuple):
    """What came of one address."""

    url: str
    links: list[str]
    broken: str
    """What is wrong with it; empty if it is there."""


class Site(SimpleHTTPRequestHandler):
    """Serves a folder, not too fast, and counts how many requests it has at once."""

    lock = threading.Lock()
    now = most = 0

    def do_GET(self) -> None:
        with Site.lock:
            Site.now += 1
            Site.most = max(Site.most, Site.now)
        time.sleep(0.005)
        with Site.lock:
            Site.now -= 1  # before the answer, on which the next request may follow at once
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        pass


def fetch(url: str) -> Page:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            text = answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        with error:
            return Page(url, [], f"{error.code} {error.reason}")
    if not url.endswith((".md", ".html")):
        return Page(url, [], "")
    links = [urllib.parse.urljoin(url, a or b) for a, b in LINK.findall(text)]
    return Page(url, links, "")


def crawl(start: str, found: "headway.Channel[Page]") -> None:
    """Visit every page of a site once, and send each through the channel, which ends with the last."""
    site = "{0.scheme}://{0.netloc}/".format(urllib.parse.urlsplit(start))
    limit = headway.Limit(AT_A_TIME)
    seen = {start}
    lock = threading.Lock()

    def visit(url: str) -> None:
        with limit:
            page = fetch(url)
        found.send(page)
        for link in page.links:
            with lock:
                new = link.startswith(site) and link not in seen
                seen.add(link)
            if new:
                visits.start(visit, link)

    with found, headway.scope(workers=2 * AT_A_TIME) as visits:
        visits.start(visit, start)


def main(folder: Path, first: str) -> None:
    handler = functools.partial(Site, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        start = f"http://127.0.0.1:{server.server_port}/{first}"
        found = headway.Channel[Page](capacity=2)
        pages = links = broken = 0
        with headway.scope(deadline_s=60) as s:
            s.start(crawl, start, found)
            for page in found:
                pages += 1
                links += len(page.links)
                if page.broken:
                    broken += 1
                    print(f"{page.url}: {page.broken}")
        server.shutdown()
    assert Site.most <= AT_A_TIME
    print(f"{pages} pages, {links} links, {broken} broken, never more than {AT_A_TIME} requests at a time")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent,
        sys.argv[2] if len(sys.argv) > 2 else "README.md",
    )
