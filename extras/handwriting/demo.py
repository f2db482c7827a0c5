"""Serve a page to draw on, with the predictions of every run.

    python -m extras.handwriting.demo

It prints its address, which only this machine can reach. Draw with mouse, finger, pen or keyboard;
upload, paste or drop a picture; or choose an image of the test set. Ctrl+C ends it.
"""

import base64
import errno
import hashlib
import html
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from anyio import CapacityLimiter, to_thread
from common.inference import accuracy
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from common.config import Config, load_config
from common.splits import Split, load_split
from extras.handwriting.pictures import PictureError, decode
from extras.handwriting.predictor import Predictor, load_predictor
from support.command_line import CommandError, argument_parser, echo, port, run

PAGE = Path(__file__).with_suffix(".html")
TEST = Path("data/flat/test.npz")
# Not 0.0.0.0: others on the same network cannot reach it.
HOST = "127.0.0.1"
PORT = 8501
PORTS_TO_TRY = 20
MAX_BODY_BYTES = 20_000_000
EXAMPLES_PER_REQUEST = 10
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True)
class Demo:
    """The page, and the addresses that it asks.

    Attributes
    ----------
    page
        Its HTML, with one script and one style sheet in it.
    predictors
        The models, by the names of their runs.
    runs
        What the page shows of each run.
    test
        The images to choose from.
    """

    page: str
    predictors: Mapping[str, Predictor]
    runs: list[dict[str, Any]]
    test: Split
    # One picture at a time: two at once would make both slower.
    limiter: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1))

    def application(self) -> Starlette:
        """Return the web application."""
        headers = HEADERS | {"Content-Security-Policy": content_security_policy(self.page)}

        async def add_headers(request: Request, call: RequestResponseEndpoint) -> Response:
            response = await call(request)
            response.headers.update(headers)
            return response

        return Starlette(
            routes=[
                Route("/", self.show_page),
                Route("/runs", self.list_runs),
                Route("/predictions", self.predict_picture, methods=["POST"]),
                Route("/examples", self.list_examples),
                Route("/examples/{number:int}", self.predict_example),
            ],
            middleware=[
                Middleware(BaseHTTPMiddleware, dispatch=add_headers),
                # A page elsewhere whose name is made to mean this machine is refused.
                Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"]),
            ],
            exception_handlers={HTTPException: _in_one_line},
        )

    async def show_page(self, _request: Request) -> Response:
        """Return the page itself."""
        return HTMLResponse(self.page)

    async def list_runs(self, _request: Request) -> Response:
        """Return the runs to choose from."""
        return JSONResponse({"runs": self.runs})

    async def predict_picture(self, request: Request) -> Response:
        """Predict the digits of the picture in the body, with the run in the address."""
        predictor, content = self._predictor(request), await _body(request)

        def predict() -> dict[str, Any]:
            digits = predictor.prepare(decode(BytesIO(content))[0])
            return _prediction(predictor, digits.images, digits.lines)

        try:
            return JSONResponse(await to_thread.run_sync(predict, limiter=self.limiter))
        except PictureError as error:
            raise HTTPException(422, str(error)) from None

    async def list_examples(self, request: Request) -> Response:
        """Return ten test images, from the number in the address on."""
        start = request.query_params.get("start", "0")
        if not re.fullmatch("[0-9]{1,9}", start):
            raise HTTPException(400, "start should be a number")
        count = min(EXAMPLES_PER_REQUEST, len(self.test))
        numbers = [(int(start) + i) % len(self.test) for i in range(count)]
        examples = [{"number": i, "pixels": _text(self.test.features[i])} for i in numbers]
        return JSONResponse({"examples": examples})

    async def predict_example(self, request: Request) -> Response:
        """Predict a test image as it is, and return its label as well."""
        predictor, number = self._predictor(request), request.path_params["number"]
        if number >= len(self.test):
            raise HTTPException(404, f"no test image {number}, there are {len(self.test)}")
        label = predictor.classes[self.test.labels[number]]
        prediction = _prediction(predictor, self.test.features[[number]], np.zeros(1, np.int_))
        return JSONResponse(prediction | {"label": label})

    def _predictor(self, request: Request) -> Predictor:
        name = request.query_params.get("run", "")
        if name not in self.predictors:
            raise HTTPException(404, f"no run {name!r}, there are: {', '.join(self.predictors)}")
        return self.predictors[name]


def content_security_policy(page: str) -> str:
    """Allow the page its own script and style, by their SHA-256, and nothing from elsewhere."""

    def source(tag: str) -> str:
        digests = (
            base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            for content in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        )
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    return (
        f"default-src 'self'; script-src {source('script')}; style-src {source('style')}; "
        "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, f"more than the {MAX_BODY_BYTES / 1e6:.0f} MB allowed")
    return bytes(body)


async def _in_one_line(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    return JSONResponse({"error": " ".join(detail.split())}, status)


def _prediction(
    predictor: Predictor, images: NDArray[np.uint8], lines: NDArray[np.int_]
) -> dict[str, Any]:
    prediction = predictor.predict(images, lines)
    return {
        "digits": prediction.digits,
        "probability": prediction.probability,
        "images": [
            {"pixels": _text(pixels), "probabilities": probabilities.tolist()}
            for pixels, probabilities in zip(images, prediction.probabilities, strict=True)
        ],
    }


def _text(pixels: NDArray[np.uint8]) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


def fill_page(page: str, config: Config, predictors: Mapping[str, Predictor]) -> str:
    """Put the dataset's title into the page, and a heading that speaks of digits if it has any."""
    digits = all(predictor.reads_digits for predictor in predictors.values())
    heading = "Draw a digit" if digits else "Draw or upload an image"
    page = page.replace("{{ dataset }}", html.escape(config.dataset.title))
    return page.replace("{{ heading }}", heading)


def describe_runs(
    config: Config, predictors: Mapping[str, Predictor], test: Split
) -> list[dict[str, Any]]:
    """Return what the page shows of each run: iterations, test accuracy, classes."""
    return [
        {
            "name": name,
            "iterations": config.runs[name].iterations,
            # Measured here, because metrics/ may be of other weights than these.
            "test": accuracy(predictor.weights, test.features, test.labels),
            "classes": predictor.classes,
        }
        for name, predictor in predictors.items()
    ]


def listen(port: int | None) -> socket.socket:
    """Open a port on loopback.

    Parameters
    ----------
    port
        Which one; 0 for any free one; None for 8501, or the next one that is free.

    Raises
    ------
    CommandError
        If it is taken.
    """
    ports = range(PORT, PORT + PORTS_TO_TRY) if port is None else [port]
    for number in ports:
        try:
            return socket.create_server((HOST, number))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    taken = f"{ports[0]} to {ports[-1]} are" if port is None else f"{port} is"
    raise CommandError(f"port {taken} not free; choose another with --port, or 0 for any")


def serve(app: ASGIApp, opened: socket.socket) -> None:
    """Serve until the process is interrupted."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    try:
        uvicorn.Server(config).run(sockets=[opened])
    except KeyboardInterrupt:
        echo("ended")


def main() -> None:
    """Load the settings, the weights and the test images; serve the page."""
    parser = argument_parser("extras.handwriting.demo", __doc__)
    parser.add_argument("--port", type=port, help=f"else {PORT}, or the next free one; 0: any")
    arguments = parser.parse_args()
    config = load_config()
    predictors = {name: load_predictor(name, config) for name in config.runs}
    test = load_split(TEST)
    page = fill_page(PAGE.read_text(encoding="utf-8"), config, predictors)
    app = Demo(page, predictors, describe_runs(config, predictors, test), test).application()
    with listen(arguments.port) as opened:
        echo(f"http://{HOST}:{opened.getsockname()[1]}/ is the page; Ctrl+C ends it")
        serve(app, opened)


if __name__ == "__main__":
    run(main)
