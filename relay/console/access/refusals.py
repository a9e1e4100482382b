"""Refusals of requests, each with a status of HTTP and a sentence."""

from http import HTTPStatus

from relay.errors import RelayError


class Refusal(RelayError):  # noqa: N818 - it is no error of ours
    """A request that is not served."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        self.status = status
        super().__init__(detail)


class SignInNeededError(Refusal):
    """Nobody has signed in, or too long ago."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.UNAUTHORIZED, "Sign in first.")


def forbidden(detail: str) -> Refusal:
    """Return the refusal of somebody who may not do that."""
    return Refusal(HTTPStatus.FORBIDDEN, detail)


def invalid(detail: str) -> Refusal:
    """Return the refusal of a request that makes no sense."""
    return Refusal(HTTPStatus.BAD_REQUEST, detail)


def not_found(detail: str) -> Refusal:
    """Return the refusal of a page that is about nothing."""
    return Refusal(HTTPStatus.NOT_FOUND, detail)
