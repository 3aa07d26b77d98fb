"""Device logins (RFC 8628): a program shows a code, a human approves it in a browser."""

from collections.abc import Callable, Iterable

from .agents import key_hash
from .errors import Refusal
from .records import DeviceLogin

LOGIN_TIMEOUT = 600
"""Seconds for which a device code is valid."""
POLL_INTERVAL = 1
"""Seconds between two polls of a client."""


class Logins:
    """The device logins in progress.

    Args:
        on_change: Called with every login that changed.
    """

    def __init__(self, on_change: Callable[[DeviceLogin], None]) -> None:
        self._on_change = on_change
        self._by_hash: dict[str, DeviceLogin] = {}
        self.by_user_code: dict[str, DeviceLogin] = {}

    def restore(self, logins: Iterable[DeviceLogin]) -> None:
        """Add stored logins."""
        for login in logins:
            self._by_hash[login.device_code_hash] = self.by_user_code[login.user_code] = login

    def start(self, device_code: str, user_code: str, client_name: str, now: float) -> DeviceLogin:
        """Start a login, and delete expired ones."""
        login = DeviceLogin(
            key_hash(device_code), user_code, client_name, now + LOGIN_TIMEOUT, POLL_INTERVAL
        )
        live = [known for known in self.by_user_code.values() if known.expires_at > now]
        self._by_hash, self.by_user_code = {}, {}
        self.restore([*live, login])
        self._on_change(login)
        return login

    def find(self, user_code: str, now: float) -> DeviceLogin | None:
        """Return the pending login with this user code, or None."""
        login = self.by_user_code.get(user_code.strip().upper())
        if login is None or login.status != "pending" or now >= login.expires_at:
            return None
        return login

    def decide(self, user_code: str, approve: bool, now: float) -> DeviceLogin:
        """Approve or deny a login.

        Raises:
            Refusal: 404 ``user_code_not_found``, if the code is unknown, used or expired.
        """
        login = self.find(user_code, now)
        if login is None:
            raise Refusal(404, "user_code_not_found", "This code is unknown, used or expired.")
        login.status = "approved" if approve else "denied"
        self._on_change(login)
        return login

    def poll(self, device_code: str, now: float) -> DeviceLogin:
        """Return an approved login; only the first time.

        Raises:
            Refusal: 428 ``authorization_pending``, 429 ``slow_down``, 410 ``access_denied`` or
                ``expired_token``.
        """
        login = self._by_hash.get(key_hash(device_code))
        if login is None or login.status == "used" or now >= login.expires_at:
            raise Refusal(410, "expired_token", "The device code is unknown, used or expired.")
        if login.status == "denied":
            raise Refusal(410, "access_denied", "The login was denied.")
        previous, login.last_poll_at = login.last_poll_at, now
        if login.status == "approved":
            login.status = "used"
            self._on_change(login)
            return login
        # Network delays can bring two polls closer together, so half the interval is accepted.
        if previous is not None and now - previous < login.interval / 2:
            raise Refusal(429, "slow_down", "The client polls too often.")
        raise Refusal(428, "authorization_pending", "Nobody has approved the login yet.")
