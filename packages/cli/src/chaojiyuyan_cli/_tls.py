"""The certificates that the environment names for TLS connections."""

from __future__ import annotations

import os


def find_certificate_error() -> str | None:
    """Try to load the certificates that ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name.

    Returns:
        What is wrong with them; None when they load or the environment names none.
    """
    import ssl

    for name, argument in (("SSL_CERT_FILE", "cafile"), ("SSL_CERT_DIR", "capath")):
        path = os.environ.get(name)
        if not path:
            continue
        try:
            if argument == "capath" and not os.path.isdir(path):  # noqa: PTH112  # ssl ignores it
                raise NotADirectoryError(20, "Not a directory")
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(**{argument: path})
        except OSError as error:  # an SSLError is one
            return f"{name} names {path}, which cannot be loaded: {error.strerror or error}"
    return None
