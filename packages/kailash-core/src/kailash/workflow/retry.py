"""When to try a node again: a decision, made without a clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from kailash.errors import ConfigurationError, KailashError, Kind

WORTHLESS: Final = frozenset(
    {
        Kind.MALFORMED,
        Kind.INVALID,
        Kind.UNAUTHENTICATED,
        Kind.DENIED,
        Kind.NOT_FOUND,
        Kind.CONFLICT,
        Kind.TOO_LARGE,
        Kind.UNCONFIRMED,
        Kind.UNSUPPORTED,
    }
)  # fmt: skip - asking the same again would be answered the same
PROGRAMMING: Final = (TypeError, NameError, AttributeError, NotImplementedError, AssertionError)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a node is tried, and how long to wait in between.

    attempts: tries in all, the first included. delay: seconds before the second; *backoff* times longer
    before each further one, at most *maximum* seconds. jitter: share of the delay that is left to chance.
    on: names of exception classes (or of their bases) worth another try; empty: all but those that would be
    answered the same again, and programming errors.
    """

    attempts: int = 3
    delay: float = 0.1
    backoff: float = 2.0
    maximum: float = 30.0
    jitter: float = 0.1
    on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.delay, self.maximum) < 0 or self.backoff < 1 or not 0 <= self.jitter <= 1:
            raise ConfigurationError(
                "this retry policy makes no sense", hint="attempts and backoff from 1, delays from 0, jitter 0 to 1"
            )

    def delay_before(self, attempt: int, error: BaseException, chance: float) -> float | None:
        """Return the seconds to wait before *attempt* (the second is 2), or None to give up.

        chance: a number from 0 to 1 that spreads those who wait.
        """
        if attempt > self.attempts or not self._worth_it(error):
            return None
        delay = min(self.delay * self.backoff ** (attempt - 2), self.maximum)
        return delay * (1 - self.jitter * chance)

    def _worth_it(self, error: BaseException) -> bool:
        if self.on:
            return any(base.__name__ in self.on for base in type(error).__mro__)
        if isinstance(error, KailashError):
            return error.kind not in WORTHLESS
        return isinstance(error, Exception) and not isinstance(error, PROGRAMMING)


def retry_of(given: Any) -> RetryPolicy | None:
    """Return what an author wrote as *retry*: a policy, a number of attempts, a mapping of settings, or None.

    Raises: ConfigurationError.
    """
    if given is None or isinstance(given, RetryPolicy):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        return RetryPolicy(attempts=given)
    if isinstance(given, Mapping):
        try:
            return msgspec.convert({**given, "on": [_name(each) for each in given.get("on", ())]}, RetryPolicy)
        except msgspec.ValidationError as cause:
            raise ConfigurationError(f"retry: {str(cause)[:1].lower()}{str(cause)[1:]}") from cause
    raise ConfigurationError(
        f"retry cannot be a {type(given).__name__}", hint="give a number of attempts, a mapping or a RetryPolicy"
    )


def _name(error: Any) -> Any:
    return error.__name__ if isinstance(error, type) else error
