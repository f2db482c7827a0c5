"""Serve a page to draw on, with the predictions of every run.

    python -m extras.handwriting.demo

It prints its address, which only this machine can reach. Draw with mouse, finger or pen; choose,
paste or drop a picture; or choose an image of the test set. Ctrl+C ends it.
"""

import base64
import html
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from common.config import Config, load_config
from common.splits import Split, load_split
from extras.handwriting.pictures import PictureError, decode
from extras.handwriting.predictor import Predictor, load_predictor
from extras.handwriting.preparation import Digits
from stages.evaluate.evaluate import accuracy, predict
from support.command_line import CommandError, argument_parser, echo, run

PAGE = Path(__file__).with_suffix(".html")
TEST = Path("data/flat/test.npz")
# Not 0.0.0.0: others on the same network cannot reach it.
HOST = "127.0.0.1"
PORT = 8501
EXAMPLES_PER_REQUEST = 10


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
    limiter
        One picture at a time: two at once would make both slower.
    """

    page: str
    predictors: Mapping[str, Predictor]
    runs: list[dict[str, Any]]
    test: Split
    limiter: CapacityLimiter

    def application(self) -> Starlette:
        """Return the web application."""
        return Starlette(
            routes=[
                Route("/", self.show_page),
                Route("/runs", self.list_runs),
                Route("/predictions", self.predict_picture, methods=["POST"]),
                Route("/examples/{start:int}", self.list_examples),
                Route("/predictions/{number:int}", self.predict_example),
            ],
            # A page elsewhere whose name is made to mean this machine is refused.
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
            exception_handlers={HTTPException: _in_one_line},
        )

    async def show_page(self, _request: Request) -> Response:
        """Return the page itself."""
        return HTMLResponse(self.page)

    async def list_runs(self, _request: Request) -> Response:
        """Return the runs to choose from."""
        return JSONResponse(self.runs)

    async def predict_picture(self, request: Request) -> Response:
        """Predict the digits of the picture in the body, with the run in the address."""
        predictor, content = self._predictor(request), await request.body()

        def prediction() -> dict[str, Any]:
            return _prediction(predictor, predictor.prepare(decode(BytesIO(content))))

        try:
            return JSONResponse(await to_thread.run_sync(prediction, limiter=self.limiter))
        except PictureError as error:
            raise HTTPException(422, str(error)) from None

    async def list_examples(self, request: Request) -> Response:
        """Return ten test images, from the number in the address on."""
        start = request.path_params["start"]
        numbers = np.arange(start, start + EXAMPLES_PER_REQUEST) % len(self.test)
        return JSONResponse(
            [{"number": int(i), "pixels": _text(self.test.features[i])} for i in numbers]
        )

    async def predict_example(self, request: Request) -> Response:
        """Predict a test image as it is, and return its label as well."""
        predictor, number = self._predictor(request), request.path_params["number"]
        if number >= len(self.test):
            raise HTTPException(404, f"no test image {number}, there are {len(self.test)}")
        label = predictor.classes[self.test.labels[number]]
        digits = Digits(self.test.features[[number]], np.zeros(1, np.int_))
        return JSONResponse(_prediction(predictor, digits) | {"label": label})

    def _predictor(self, request: Request) -> Predictor:
        name = request.query_params.get("run", "")
        if name not in self.predictors:
            raise HTTPException(404, f"no run {name!r}, there are: {', '.join(self.predictors)}")
        return self.predictors[name]


async def _in_one_line(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else str(error)
    return JSONResponse({"error": " ".join(detail.split())}, status)


def _prediction(predictor: Predictor, digits: Digits) -> dict[str, Any]:
    prediction = predictor.predict(digits)
    return {
        "digits": prediction.digits,
        "probability": prediction.probability,
        "images": [
            {"pixels": _text(pixels), "probabilities": probabilities.tolist()}
            for pixels, probabilities in zip(digits.images, prediction.probabilities, strict=True)
        ],
    }


def _text(pixels: NDArray[np.uint8]) -> str:
    return base64.b64encode(pixels.tobytes()).decode()


def load_demo(config: Config) -> Demo:
    """Load the page, the models and the test images."""
    predictors = {name: load_predictor(name, config) for name in config.runs}
    test = load_split(TEST)
    runs = [
        {
            "name": name,
            "iterations": config.runs[name].iterations,
            # Measured here, because metrics/ may be of other weights than these.
            "test": accuracy(predict(predictor.model, test)),
            "classes": predictor.classes,
        }
        for name, predictor in predictors.items()
    ]
    digits = all(predictor.reads_digits for predictor in predictors.values())
    page = PAGE.read_text(encoding="utf-8")
    page = page.replace("{{ heading }}", "Draw a digit" if digits else "Draw or upload an image")
    page = page.replace("{{ dataset }}", html.escape(config.dataset.title))
    return Demo(page, predictors, runs, test, CapacityLimiter(1))


def listen(port: int) -> socket.socket:
    """Open a port on loopback; 0 is any free one. Raises CommandError if it is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CommandError(f"port {port}: {reason}; choose another with --port") from None


def serve(demo: Demo, opened: socket.socket) -> None:
    """Serve until the process is interrupted."""
    config = uvicorn.Config(
        demo.application(), log_level="warning", lifespan="off", ws="none", server_header=False
    )
    try:
        uvicorn.Server(config).run(sockets=[opened])
    except KeyboardInterrupt:
        echo("ended")


def main() -> None:
    parser = argument_parser("extras.handwriting.demo", __doc__)
    parser.add_argument("--port", type=int, default=PORT, help=f"default: {PORT}; 0: any free one")
    arguments = parser.parse_args()
    if not 0 <= arguments.port <= 65535:
        parser.error("argument --port: should be from 0 to 65535")
    demo = load_demo(load_config())
    with listen(arguments.port) as opened:
        echo(f"http://{HOST}:{opened.getsockname()[1]}/ is the page; Ctrl+C ends it")
        serve(demo, opened)


if __name__ == "__main__":
    run(main)
