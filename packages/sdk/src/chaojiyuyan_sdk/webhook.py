"""The module path of 0.4.0; the names are in :mod:`chaojiyuyan_core.webhooks`."""

from chaojiyuyan_core.webhooks import sign_webhook, unwrap_webhook, verify_webhook_signature

__all__ = ["sign_webhook", "unwrap_webhook", "verify_webhook_signature"]
