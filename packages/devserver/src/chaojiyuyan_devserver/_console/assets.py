"""The style sheet and the scripts. htmx 4.0.1 is the file from npm (licence 0BSD)."""

import hashlib
from importlib import resources

from fastapi import APIRouter
from starlette.responses import Response

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

_files = {
    file.name: file.read_bytes()
    for file in resources.files(__package__).joinpath("static").iterdir()
    if file.name.rpartition(".")[2] in TYPES
}

DIGEST = hashlib.sha256(b"".join(_files[name] for name in sorted(_files))).hexdigest()[:12]

router = APIRouter()


@router.get("/assets/{name}")
async def asset(name: str) -> Response:
    """Send one file. Its address contains ``DIGEST``, so browsers may cache it."""
    content = _files.get(name)
    if content is None:
        return Response(status_code=404)
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return Response(content, headers=headers, media_type=TYPES[name.rpartition(".")[2]])
