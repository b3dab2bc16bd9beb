# Made from _async/images.py by tools/generate.py.
"""Images that boxes are made from."""

from __future__ import annotations

from typing import BinaryIO
from urllib.parse import quote

from ..errors import BoxRunError, ConnectionFailed
from ..image_types import ImageDetails, ImageInfo, PullProgress, image_details
from ..types import known
from .http import Http, parse_json
from .platform import Stream, closing


class Images:
    def __init__(self, http: Http) -> None:
        self._http = http

    def get(self, reference: str) -> ImageDetails:
        """What it is and what it sets for boxes; of ``base`` its programs too. IMAGE_NOT_FOUND."""
        return image_details(self._http.get(f"/v1/images/{quote(reference, safe='')}"))

    def pull(self, reference: str) -> ImageInfo:
        """IMAGE_PULL_FAILED carries the registry's own reason."""
        with closing(self.pull_progress(reference)) as steps:
            for step in steps:
                if step.image is not None:
                    return step.image
        raise ConnectionFailed(f"{self._http.address} ended the pull of {reference} before it was done")

    def pull_progress(self, reference: str) -> Stream[PullProgress]:
        """The last step has the image. Leaving the loop gives the pull up."""
        with (
            self._http.open("POST", "/v1/images:pull", events=True, json={"reference": reference}) as response,
            closing(self._http.sse(response)) as events,
        ):
            for sse in events:
                data = parse_json("a pull's event", sse.data)
                if sse.event == "progress":
                    yield known(PullProgress, data)
                elif sse.event == "done":
                    yield PullProgress("done", image=known(ImageInfo, data))
                    return
                elif sse.event == "error":
                    raise BoxRunError(data["code"], data["message"], details=data.get("details"))
        raise ConnectionFailed(f"{self._http.address} ended the pull of {reference} before it was done")

    def import_archive(self, tar: BinaryIO, *, reference: str | None = None) -> list[ImageInfo]:
        """From a tar of an OCI layout or a docker-archive; ``reference`` names the image where the archive does not."""

        def pieces() -> Stream[bytes]:
            while piece := tar.read(256 * 1024):
                yield piece

        images = self._http.call(
            "POST",
            "/v1/images:import",
            params=None if reference is None else {"reference": reference},
            content=pieces(),
            headers={"content-type": "application/x-tar"},
        )
        return [known(ImageInfo, image) for image in images]

    def remove(self, reference: str) -> None:
        self._http.call("DELETE", f"/v1/images/{quote(reference, safe='')}")

    def list(self) -> list[ImageInfo]:
        return [known(ImageInfo, image) for image in self._http.get("/v1/images")]
