"""A threading HTTP server on the loopback and four client threads with connections that stay open."""

import hashlib
import http.client
import http.server
import json
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

    def do_GET(self) -> None:
        number = int(self.path.rpartition("/")[2])
        body = json.dumps(
            {"number": number, "squares": [k * k % 1013 for k in range(number % 50 + 50)]}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64


def fetch(port: int, first: int, amount: int, digests: list[str]) -> None:
    digest = hashlib.sha256()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for i in range(first, first + amount):
        connection.request("GET", f"/readings/{i}")
        answer = connection.getresponse()
        record = json.loads(answer.read())
        assert (answer.status, record["number"]) == (200, i)
        digest.update(bytes(value % 256 for value in record["squares"]))
    connection.close()
    digests.append(digest.hexdigest())


def work(amount: int) -> None:
    digests: list[str] = []
    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        serving.start()
        clients = [
            threading.Thread(target=fetch, args=(server.server_port, i * amount, amount, digests))
            for i in range(4)
        ]
        for thread in clients:
            thread.start()
        for thread in clients:
            thread.join()
        server.shutdown()
        serving.join()
    assert len(digests) == 4
