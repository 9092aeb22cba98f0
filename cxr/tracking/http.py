"""Answers over HTTP by MLflow's scoring server, to requests that name this machine and are not too large."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

# MLflow brings both, and starts its own server with them.
import uvicorn
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse

from cxr.tracking.internals import scoring_app

_GRACE = 5  # seconds that requests get at the end


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `most` bytes, and keeps no more than that in memory.

    A `Content-Length` that is too large is enough; a body that comes in chunks without one is counted (RFC 9110, section 15.5.14).
    """

    def __init__(self, app: Any, most: int) -> None:
        self.app, self.most = app, most
        self.text = f"the body is larger than {most / 1e6:g} MB: send fewer or smaller images, or start cxr serve with --max-body"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        count = 0

        async def counted() -> Any:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > self.most:
                raise HTTPException(413, self.text)
            return message

        length = next((value for name, value in scope.get("headers", ()) if name == b"content-length"), b"0")
        if int(length) > self.most:
            await JSONResponse({"detail": self.text}, 413)(scope, receive, send)
        else:
            await self.app(scope, counted, send)


def serve(folder: Path, listening: socket.socket, timeout: int, most: int, ready: Callable[[], None]) -> None:
    """Serve an exported folder until it is interrupted.

    Args:
        folder: as `write_pyfunc` writes it.
        listening: a socket that listens on this machine only.
        timeout: seconds of a request.
        most: bytes of a request's body.
        ready: called when the model is loaded.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"], os.environ["MLFLOW_LOGGING_LEVEL"] = "true", "WARNING"
    os.environ["MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"] = str(timeout)
    app = scoring_app(str(folder))
    app.user_middleware.append(Middleware(BodyLimit, most=most))  # innermost, where Starlette makes a response of its exception
    app.add_exception_handler(RecursionError, lambda request, error: JSONResponse({"detail": "the body is nested too deep"}, 400))
    # A page of another site that has its own name resolve to this machine (DNS rebinding) sends that name as Host.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    ready()
    uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE)).run([listening])
