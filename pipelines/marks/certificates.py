"""The booth's signature: an ES256 key, and the certificates that say whose it is.

Both are made once, at the first need, and kept in the data folder: `signing/key.pem` for its owner alone,
`signing/chain.pem` for whoever wants to check. Or they are the operator's own. Nothing here goes online.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from errors import OperatorError

if TYPE_CHECKING:  # cryptography takes 0.1 s to import, which start-up does not have
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.x509 import Certificate, CertificateBuilder, KeyUsage

FOLDER, KEY, CHAIN = "signing", "key.pem", "chain.pem"
MOST_BYTES = 64 * 1024  # of an operator's file
# No time-stamping authority is asked (it would need a network), so a file can be checked for as long as the
# certificate lasts. It starts a day early and at midnight: a booth's clock may run behind the checker's, and
# the certificate, which is in every file, tells no hour.
LASTS, EARLY = timedelta(days=3653), timedelta(days=1)
# C2PA specification 2.2, 14.5.1 "Certificate profiles": a signer's certificate asserts digitalSignature and
# has an extended key usage that the checker lists, and is not self-signed. Claim signing is C2PA's own;
# e-mail protection is what checkers of earlier versions list.
CLAIM_SIGNING, EMAIL_PROTECTION = "1.3.6.1.4.1.62558.2.1", "1.3.6.1.5.5.7.3.4"
NAME = "Face Value booth"  # in every file: no machine, no place, no person
USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True)
class Chain:
    """Certificates as PEM."""

    sent: str  # in each file: the signer's, then its issuers, without a root
    anchor: str  # the last issuer, whom a checker trusts
    serial: str  # of the signer's, decimal: an issuer gives each number once


@dataclass(frozen=True, eq=False)
class Credential:
    """What signs."""

    chain: Chain
    key: str = field(repr=False)  # PKCS 8 PEM, P-256


def credential(folder: Path, certificate: Path | None = None, key: Path | None = None) -> Credential:
    """The operator's own, else the one kept below `folder`, made now if there is none.

    Raises `OperatorError` for files that cannot be used, and for a key that others may read.
    """
    if certificate or key:
        return _operators(certificate, key)
    place = folder / FOLDER
    try:
        if not place.is_dir():
            _make(place)
        if os.name == "posix" and (place / KEY).stat().st_mode & 0o077:
            raise OperatorError(
                f"{FOLDER}/{KEY}: others on this machine may read the key. Take it back with chmod 600, "
                f"or delete the folder {FOLDER}: then a new one is made."
            )
        chain, secret = (place / CHAIN).read_bytes(), (place / KEY).read_bytes()
    except OSError as error:
        raise OperatorError(
            f"{FOLDER}: the booth's key cannot be kept in the data folder ({error.strerror})."
        ) from error
    return _check_credential(chain, secret, f"{FOLDER}/{CHAIN}", f"{FOLDER}/{KEY}")


def known_chain(folder: Path, certificate: Path | None = None) -> Chain | None:
    """Whose marks are this booth's own; None where it has not signed anything yet. Needs no key.

    Raises `OperatorError` for a file that holds no certificates.
    """
    path = certificate or folder / FOLDER / CHAIN
    if certificate is None and not path.is_file():
        return None
    named = f"FACE_VALUE_SIGNING_CERTIFICATE = {path.name}" if certificate else f"{FOLDER}/{CHAIN}"
    return _chain(_certificates(_bytes(path, named), named))


def _operators(certificate: Path | None, key: Path | None) -> Credential:
    """Raises `OperatorError`."""
    if not certificate or not key:
        raise OperatorError(
            "FACE_VALUE_SIGNING_CERTIFICATE and FACE_VALUE_SIGNING_KEY belong together. Set both, or none."
        )
    names = (
        f"FACE_VALUE_SIGNING_CERTIFICATE = {certificate.name}",
        f"FACE_VALUE_SIGNING_KEY = {key.name}",
    )
    return _check_credential(_bytes(certificate, names[0]), _bytes(key, names[1]), *names)


def _bytes(path: Path, named: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES)
    except (OSError, ValueError) as error:
        raise OperatorError(f"{named}: this file cannot be read.") from error


def _check_credential(chain: bytes, secret: bytes, chain_named: str, key_named: str) -> Credential:
    """Key and certificates, if they are of one piece. Raises `OperatorError`."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    certificates = _certificates(chain, chain_named)
    try:
        key = load_pem_private_key(secret, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it asks for a password
        raise OperatorError(f"{key_named}: this is no private key in PEM without a password.") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise OperatorError(
            f"{key_named}: marks are signed with ES256. The key should be one of curve P-256."
        )
    if key.public_key() != certificates[0].public_key():
        raise OperatorError(f"{key_named}: this key is not that of the first certificate of {chain_named}.")
    try:
        for issued, issuer in pairwise(certificates):
            issued.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise OperatorError(
            f"{chain_named}: the certificates are no chain. The signer's comes first, each issuer below."
        ) from error
    return Credential(_chain(certificates), _pem_key(key))


def _certificates(chain: bytes, named: str) -> "list[Certificate]":
    """Raises `OperatorError`."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        certificates = load_pem_x509_certificates(chain)
    except ValueError as error:
        raise OperatorError(f"{named}: this file holds no certificates in PEM.") from error
    if len(certificates) < 2:  # C2PA takes no self-signed ones, and without issuer nobody can check
        raise OperatorError(f"{named}: the certificate's issuer is missing. Put it below the signer's own.")
    return certificates


def _chain(certificates: "list[Certificate]") -> Chain:
    from cryptography.hazmat.primitives.serialization import Encoding

    pem = [certificate.public_bytes(Encoding.PEM).decode() for certificate in certificates]
    is_root = certificates[-1].issuer == certificates[-1].subject  # who checks has it, or does not trust it
    return Chain("".join(pem[:-1] if is_root else pem), pem[-1], str(certificates[0].serial_number))


def _make(place: Path) -> None:
    """A new key and its chain: both or neither, and of two processes that start at once one's only."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding

    place.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{FOLDER}-", dir=place.parent))  # for its owner alone
    try:
        key = generate_private_key(SECP256R1())
        certificates = _issue(key.public_key(), datetime.now(UTC))
        (draft / KEY).touch(0o600)
        (draft / KEY).write_text(_pem_key(key), encoding="ascii")
        (draft / CHAIN).write_bytes(
            b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)
        )
        draft.rename(place)  # fails where a folder with something in it has that name
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not (place / KEY).is_file():
            raise  # nobody else was faster


def _issue(public: "EllipticCurvePublicKey", now: datetime) -> "list[Certificate]":
    """A certificate for that key, and its root's, whose own key signs this one and is forgotten.

    So nobody, not even who holds the booth's data, can have that root vouch for a second booth.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.hashes import SHA256

    root_key = generate_private_key(SECP256R1())
    root = (
        _certificate_builder(f"{NAME}, root", f"{NAME}, root", root_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    )
    purposes = [x509.ObjectIdentifier(purpose) for purpose in (CLAIM_SIGNING, EMAIL_PROTECTION)]
    signer = (
        _certificate_builder(NAME, f"{NAME}, root", public, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False
        )
    )
    return [signer.sign(root_key, SHA256()), root.sign(root_key, SHA256())]


def _certificate_builder(
    subject: str, issuer: str, public: "EllipticCurvePublicKey", now: datetime
) -> "CertificateBuilder":
    """A certificate without its uses."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    def name(common: str) -> x509.Name:
        pairs = ((NameOID.ORGANIZATION_NAME, "Face Value"), (NameOID.COMMON_NAME, common))
        return x509.Name([x509.NameAttribute(key, value) for key, value in pairs])

    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - EARLY
    return (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(since + LASTS)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(*uses: str) -> "KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(**{use: use in uses for use in USES})


def _pem_key(key: "EllipticCurvePrivateKey") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
