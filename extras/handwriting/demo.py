"""Serve a page to draw on, with the predictions of every run.

    python -m extras.handwriting.demo

It prints its address, which only this machine can reach. Draw with mouse, finger or pen; choose
or paste a picture; or choose an image of the test set. Ctrl+C ends it.
"""

import base64
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from jinja2 import Template
from numpy.typing import NDArray
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
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
    """The page, the models by the names of their runs, and the images to choose from."""

    page: str
    predictors: Mapping[str, Predictor]
    test: Split

    def application(self) -> Starlette:
        """Return the web application."""
        return Starlette(
            routes=[
                Route("/", self.show_page),
                Route("/predictions", self.predict_picture, methods=["POST"]),
                Route("/examples/{start:int}", self.list_examples),
                Route("/predictions/{number:int}", self.predict_example),
            ],
            # A page elsewhere whose name is made to mean this machine is refused.
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
        )

    async def show_page(self, _request: Request) -> Response:
        """Return the page itself."""
        return HTMLResponse(self.page)

    async def predict_picture(self, request: Request) -> Response:
        """Predict the digits of the picture in the body, with the run in the address."""
        predictor, content = self._predictor(request), BytesIO(await request.body())
        try:
            digits = await run_in_threadpool(lambda: predictor.prepare(decode(content)))
        except PictureError as error:
            raise HTTPException(422, str(error)) from None
        return JSONResponse(_prediction(predictor, digits))

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
    # The longest first, because the page begins with it.
    names = sorted(config.runs, key=lambda name: -config.runs[name].iterations)
    predictors = {name: load_predictor(name, config) for name in names}
    test = load_split(TEST)
    # Measured here, because metrics/ may be of other weights than these.
    accuracies = {name: accuracy(predict(model.model, test)) for name, model in predictors.items()}
    page = Template(PAGE.read_text(encoding="utf-8"), autoescape=True).render(
        dataset=config.dataset.title,
        digits=predictors[names[0]].reads_digits,
        classes=predictors[names[0]].classes,
        runs=[
            (name, f"{config.runs[name].iterations:,}", f"{accuracies[name]:.2%}") for name in names
        ],
    )
    return Demo(page, predictors, test)


def listen(port: int) -> socket.socket:
    """Open a port on loopback; 0 is any free one. Raises CommandError if it is taken."""
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise CommandError(f"port {port}: {reason}; try `make demo DEMO_PORT={port + 1}`") from None


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
