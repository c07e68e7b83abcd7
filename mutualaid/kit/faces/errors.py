"""What only pages refuse, and how a form is shown again with what was wrong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mutualaid.kit.errors import AidError, NotSignedIn
from mutualaid.kit.texts import N_


class FormStale(AidError):
    """The form's token is not this session's: signed out meanwhile, or sent by somebody else's page."""

    kind = "forbidden"
    code = "form_stale"
    text = N_("This form is no longer valid. Please open the page again and send it once more.")


class ForeignOrigin(AidError):
    kind = "forbidden"
    code = "foreign_origin"
    text = N_("This form was sent from another site.")


class HttpsNeeded(AidError):
    kind = "forbidden"
    code = "https_needed"
    text = N_("Please open this site by https.")


class Again(Exception):
    """The same page once more, with `error` beside what was typed. `trouble.py` gives it its status."""

    def __init__(self, template: str, error: AidError, context: dict[str, Any]) -> None:
        super().__init__(template)
        self.template = template
        self.error = error
        self.context = context


@contextmanager
def or_again(template: str, *, but: tuple[type[AidError], ...] = (), **context: Any) -> Iterator[None]:
    """Show `template` again for whatever the block refuses, so that nothing typed is lost.

    Who is no longer signed in goes to sign in; errors of the kinds in `but` are the caller's to handle.
    """
    try:
        yield
    except AidError as error:
        if isinstance(error, (NotSignedIn, *but)):
            raise
        raise Again(template, error, context) from error
