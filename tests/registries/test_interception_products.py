"""Issuers that interception products write, and issuers of public authorities that resemble them."""

from __future__ import annotations

import pytest

from analyzer.registries.interception_products import INTERCEPTION_PRODUCTS, interception_product


@pytest.mark.parametrize(
    ("issuer", "product"),
    [
        ("CN=Zscaler Intermediate Root CA (zscaler.net) (t),O=Zscaler Inc.", "Zscaler"),
        ("CN=ca.example.goskope.com,O=Example", "Netskope"),
        ("CN=FG100D3G00000000,OU=Certificate Authority,O=Fortinet", "Fortinet FortiGate"),
        ("CN=Sophos_CA_C01001,O=Example", "Sophos"),
        ("CN=Fireware HTTPS Proxy (SN 000) CA,O=WatchGuard_Technologies", "WatchGuard"),
        ("CN=Gateway CA - Cloudflare Managed G1,O=Cloudflare\\, Inc.", "Cloudflare Gateway"),
        ("CN=Kaspersky Anti-Virus Personal Root Certificate,O=AO Kaspersky Lab", "Kaspersky"),
        ("CN=ESET SSL Filter CA,O=ESET\\, spol. s r. o.", "ESET"),
        ("CN=avast! Web/Mail Shield Root,O=avast! Web/Mail Shield", "Avast"),
        ("CN=AVG Web/Mail Shield Root", "AVG"),
        ("CN=Bitdefender Personal CA.Net-Defender", "Bitdefender"),
        ("CN=mitmproxy,O=mitmproxy", "mitmproxy"),
        ("CN=DO_NOT_TRUST_FiddlerRoot,O=DO_NOT_TRUST", "Fiddler"),
        ("CN=PortSwigger CA,O=PortSwigger", "Burp Suite"),
        ("CN=Charles Proxy CA (1 Jan 2025\\, host),O=XK72 Ltd", "Charles Proxy"),
        ("CN=Superfish\\, Inc.,O=Superfish\\, Inc.", "Superfish"),
        ("cn=adguard personal ca", "AdGuard"),
    ],
)
def test_product_is_known_by_its_issuer(issuer: str, product: str) -> None:
    assert interception_product(issuer) == product


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "CN=R11,O=Let's Encrypt,C=US",
        "CN=WE1,O=Google Trust Services,C=US",
        "CN=Cloudflare Inc ECC CA-3,O=Cloudflare\\, Inc.",
        "CN=Symantec Class 3 Secure Server CA - G4,O=Symantec Corporation",
        "CN=HydrantID Server CA O1,O=IdenTrust",
        "CN=Microsoft Azure RSA TLS Issuing CA 03,O=Microsoft Corporation",
        "CN=DigiCert Global G2 TLS RSA SHA256 2020 CA1,O=DigiCert Inc",
        "CN=Sectigo Public Server Authentication CA DV R36,O=Sectigo Limited",
        "CN=Reset Services CA",
        "CN=Sesquidalia CA,O=Javagent",
        "CN=pfSense-0123,O=pfSense webConfigurator Self-Signed Certificate",
        "O=pfSense webConfigurator Self-Signed Certificate,CN=pfSense-0123",
    ],
)
def test_public_authorities_are_left_alone(issuer: str) -> None:
    assert interception_product(issuer) is None


def test_no_product_is_listed_twice() -> None:
    products = [product for product, _ in INTERCEPTION_PRODUCTS]
    assert len(products) == len(set(products))
