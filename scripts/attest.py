"""Make PEP 740 attestations for the wheels and sdists of a folder, or verify them.

The release's upload action makes its own attestations. This script does the same before the upload,
with the same library, as a dry run: each file gets a ``.publish.attestation`` with its name and
SHA-256, signed with the identity of the running workflow.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pypi_attestations import Attestation, AttestationError, AttestationType, Distribution
from sigstore.errors import Error as SigstoreError, VerificationError
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken, detect_credential
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

ISSUER = "https://token.actions.githubusercontent.com"
"""The issuer of the identity tokens of GitHub workflows."""

SUFFIX = ".publish.attestation"


def files_of(folder: Path) -> list[Path]:
    """List the wheels and sdists of a folder, sorted by name."""
    found = sorted((*folder.glob("*.whl"), *folder.glob("*.tar.gz")))
    if not found:
        sys.exit(f"{folder} holds no wheel and no sdist. Run ./scripts/build first.")
    return found


def sign(folder: Path, config: ClientTrustConfig, token: str) -> None:
    """Write an attestation next to each file.

    Args:
        folder: Where the wheels and sdists are.
        config: The Sigstore services to sign with.
        token: The OpenID Connect token of the workflow.
    """
    context = SigningContext.from_trust_config(config)
    with context.signer(IdentityToken(token)) as signer:
        for file in files_of(folder):
            attestation = Attestation.sign(signer, Distribution.from_file(file))
            target = file.with_name(file.name + SUFFIX)
            target.write_text(attestation.model_dump_json(), encoding="utf-8")
            print(f"attested  {file.name}")


def verify(folder: Path, config: ClientTrustConfig, identity: str) -> None:
    """Verify the attestation of each file.

    Args:
        folder: Where the wheels, sdists and attestations are.
        config: The Sigstore services to trust.
        identity: The workflow that must have signed, as a URL with its ref.

    Raises:
        VerificationError: A signature, an identity or a file is not the expected one.
    """
    verifier = Verifier(trusted_root=config.trusted_root)
    expected = policy.Identity(identity=identity, issuer=ISSUER)
    for file in files_of(folder):
        text = file.with_name(file.name + SUFFIX).read_text(encoding="utf-8")
        attestation = Attestation.model_validate_json(text)
        verifier.verify_dsse(attestation.to_bundle(), expected)
        statement = attestation.statement
        dist = Distribution.from_file(file)
        if statement["predicateType"] != AttestationType.PYPI_PUBLISH_V1.value:
            raise VerificationError(f"{file.name}: not an attestation of publishing")
        if statement["subject"] != [{"name": dist.name, "digest": {"sha256": dist.digest}}]:
            raise VerificationError(f"{file.name}: the attestation is of another file")
        print(f"verified  {file.name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/attest", description=__doc__)
    parser.add_argument("action", choices=["sign", "verify"])
    parser.add_argument("dir", type=Path, metavar="DIR")
    parser.add_argument("identity", nargs="?", help="the workflow that signed, for verify")
    parser.add_argument("--trust-config", type=Path, help="other Sigstore services, as JSON")
    parser.add_argument("--identity-token", help="a token other than that of the workflow")
    args = parser.parse_args()
    config = (
        ClientTrustConfig.from_json(args.trust_config.read_text(encoding="utf-8"))
        if args.trust_config
        else ClientTrustConfig.production()
    )
    if args.action == "verify":
        if not args.identity:
            parser.error("verify needs the identity of the workflow")
        verify(args.dir, config, args.identity)
    elif token := args.identity_token or detect_credential():
        sign(args.dir, config, token)
    else:
        sys.exit("No identity to sign with: run this in a workflow with the permission id-token.")


if __name__ == "__main__":
    try:
        main()
    except (AttestationError, SigstoreError, OSError) as error:
        sys.exit(f"attest: {error}")
