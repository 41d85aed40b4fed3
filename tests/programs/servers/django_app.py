"""An application of Django, for gunicorn with threads: pages that wait, compute, take a lock, and ask a database."""

import hashlib
import threading
import time

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of a test",
)
lock = threading.Lock()


def waits(request: HttpRequest) -> HttpResponse:
    time.sleep(0.005)
    return HttpResponse("waited")


def computes(request: HttpRequest) -> HttpResponse:
    return HttpResponse(hashlib.sha256(b"x" * 10_000).hexdigest())


def locks(request: HttpRequest) -> HttpResponse:
    with lock:
        time.sleep(0.001)
    return HttpResponse("locked")


def asks(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("select 6 * 7")
        return HttpResponse(str(cursor.fetchone()[0]))


urlpatterns = [path("waits", waits), path("computes", computes), path("locks", locks), path("asks", asks)]
app = get_wsgi_application()
