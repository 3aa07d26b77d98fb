"""A self-signed certificate for the tests' servers on this machine; it expires in 2126."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

HOSTS = ("localhost", "api.example")

_KEY = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvZ6H3dqhF6zlDHhC
X6eT+NYZ+9m5kKajtoPLvFAyl1ihRANCAAS7zwtQ2wt3Jy7MLrgLKsRX7tzNeQ6d
oEZh7ILL0iXELj1qgPr6PnWjAIWOmRT47fzZSAuZEYOEMTHFpcY8ehVL
-----END PRIVATE KEY-----
"""
_CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBrTCCAVKgAwIBAgIURKrabWaa0ukC5z2PWWiuZkN+B6owCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLYXBpLmV4YW1wbGUwIBcNMjYxMTI2MDAwMzU1WhgPMjEyNjEx
MDIwMDAzNTVaMBYxFDASBgNVBAMMC2FwaS5leGFtcGxlMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEu88LUNsLdycuzC64CyrEV+7czXkOnaBGYeyCy9IlxC49aoD6
+j51owCFjpkU+O382UgLmRGDhDExxaXGPHoVS6N8MHowHQYDVR0OBBYEFMXJMBs2
UgwKz9fQAahlBZufm1j6MB8GA1UdIwQYMBaAFMXJMBs2UgwKz9fQAahlBZufm1j6
MA8GA1UdEwEB/wQFMAMBAf8wJwYDVR0RBCAwHoIJbG9jYWxob3N0ggthcGkuZXhh
bXBsZYcEfwAAATAKBggqhkjOPQQDAgNJADBGAiEAqMETlcqHBwrsZiPO+fqOLHSz
cGuneppFqJ+k2ow1Jp4CIQDtH2A7HF3kc24a9bBniwuRFv4JeJymRh8dorjB6K60
zQ==
-----END CERTIFICATE-----
"""


def server_context() -> ssl.SSLContext:
    """Return the TLS context of a server for :data:`HOSTS`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_text(_KEY + _CERTIFICATE)
        context.load_cert_chain(path)
    return context


def client_context() -> ssl.SSLContext:
    """Return the TLS context of a client that trusts only this certificate."""
    return ssl.create_default_context(cadata=_CERTIFICATE)
