"""The console itself: one page for every address that is not the API; its files are served by WhiteNoise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie

__all__ = ["api_not_found", "index"]

_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Lamplight</title></head>
<body><h1>The console is not built</h1>
<p>Run <code>make console</code> in the project (it needs Node 20 or later), then load this page again.</p>
<p>The API is at <a href="/api/v1/schema">/api/v1/</a>, and the <code>lamp</code> command works without the console.</p>
</body></html>
"""


@ensure_csrf_cookie
def index(request: HttpRequest, path: str = "") -> HttpResponseBase:
    """The page whose script reads the address. Never cached: it names the files of the newest build."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
    if _looks_like_a_file(path):
        return HttpResponse(f"There is no file {path[:200]}.", status=404, content_type="text/plain; charset=utf-8")
    try:
        body, status = (Path(settings.CONSOLE_DIST) / "index.html").read_bytes(), 200
    except (FileNotFoundError, NotADirectoryError):
        body, status = _NOT_BUILT.encode(), 503
    return HttpResponse(
        body, status=status, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"}
    )


@csrf_exempt
def api_not_found(request: HttpRequest, path: str = "") -> JsonResponse:
    """An address below /api/ that nothing answers: a problem document, never a page."""
    body: dict[str, Any] = {
        "type": "urn:lamplight:problem:not-found",
        "title": "There is no such address",
        "status": 404,
        "detail": f"Nothing answers at {request.path[:200]}; /api/v1/schema lists what there is.",
        "errors": [],
    }
    return JsonResponse(body, status=404, content_type="application/problem+json")


def _looks_like_a_file(path: str) -> bool:
    """A missing script answered with the page would be a riddle in the browser's log."""
    return path.startswith("assets/") or "." in path.rsplit("/", 1)[-1]
