"""Which code serves which kind of publisher, as the settings say."""

from django.utils.module_loading import import_string

from ..options import options
from .contract import Publisher


def publisher_of(kind: str) -> Publisher:
    """Load the publisher of a kind; raises KeyError or ImportError, which the checks report before."""
    found: Publisher = import_string(options().publishers[kind])
    return found
