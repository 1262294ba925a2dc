"""The product's settings for workers of the tests, which know the tests' events too."""

from config.settings import *  # noqa: F403
from config.settings import OUTBOX

OUTBOX["EVENTS"] = "tests.outbox.world.EVENTS"
