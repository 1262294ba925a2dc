"""Settings of the product under torture: webhooks go to this machine, and are not put off for hours."""

from config.settings import *  # noqa: F403
from config.settings import OUTBOX as OPTIONS

OUTBOX = OPTIONS | {
    "WEBHOOK_ALLOWED_NETWORKS": ["127.0.0.0/8"],
    "WEBHOOK_CONNECT_TIMEOUT_SECONDS": 1,
    "WEBHOOK_TIMEOUT_SECONDS": 2,
    "WEBHOOK_RETRY_SECONDS": [1] * 60,
    "PUBLISHER_LONGEST_PAUSE_SECONDS": 2,
}
