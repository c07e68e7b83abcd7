"""What may go wrong with whoever answers from outside. Rooms import these names from the promise that they use."""

from mutualaid.kit.errors import ProviderUnavailable


class ProviderDown(ProviderUnavailable):
    """No usable answer: a time-out, a refused connection, a vendor's fault, or our own wrong set-up there.

    `provider` is the promise's name (`sms`), never a value that was sent. `retryable` is false where asking again
    cannot help before an operator acted (bad key, arrears, unknown template). `retry_after`: seconds, what the door
    says to the person.
    """

    def __init__(self, provider: str, *, retryable: bool = True, retry_after: int = 5) -> None:
        super().__init__(retry_after=retry_after)
        self.provider = provider
        self.retryable = retryable


class Throttled(ProviderUnavailable):
    """The vendor asks for a pause. `pause`: whole seconds before the same call may be made again."""

    def __init__(self, provider: str, pause: int) -> None:
        super().__init__(retry_after=pause)
        self.provider = provider
        self.pause = pause
