"""Check the certificate files that the environment sets for TLS connections."""

from __future__ import annotations

import os


def find_certificate_error() -> str | None:
    """Try to load the certificates in ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.

    Returns:
        The error, or None when the certificates can be loaded or the variables are not set.
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
