"""Products that open TLS on the way and sign a certificate of their own, known by the name in its issuer.

Written by hand from the names the products ship with, as vendors document them and as published studies list them:
Durumeric and others, "The Security Impact of HTTPS Interception" (NDSS 2017); de Carne de Carnavalet and Mannan,
"Killed by Proxy" (NDSS 2016); Huang and others, "Analyzing Forged SSL Certificates in the Wild" (S&P 2014).

A match is a strong hint, not a proof: an appliance's own web interface may carry its maker's name too, and an
administrator who installed a company's own authority leaves no trace here. Names that public authorities also use
(Symantec, Cisco, Cloudflare, Trend Micro, Microsoft) are only matched together with the product.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

# Product, and the pattern that gives it away: whole words, capitals do not matter, underscores separate words.
INTERCEPTION_PRODUCTS: tuple[tuple[str, str], ...] = (
    # Gateways, firewalls and cloud proxies.
    ("A10 Thunder SSLi", r"A10 (Networks|Thunder)"),
    ("Barracuda", r"Barracuda"),
    ("Cato Networks", r"Cato Networks"),
    ("Check Point", r"Check ?Point"),
    ("Cisco Umbrella", r"Cisco Umbrella|OpenDNS|Cisco Secure Access"),
    ("Cisco Web Security Appliance", r"IronPort|Cisco (Web Security|WSA)"),
    ("Clavister", r"Clavister"),
    ("Cloudflare Gateway", r"Gateway CA - Cloudflare Managed|Cloudflare for Teams|Cloudflare (Zero Trust|Gateway)"),
    ("Forcepoint", r"Forcepoint|Websense"),
    ("Fortinet FortiGate", r"Fortinet|FortiGate|FortiGuard|FortiProxy|FortiSASE"),
    ("Hillstone", r"Hillstone"),
    ("iboss", r"iboss"),
    ("Kerio Control", r"Kerio"),
    ("McAfee Web Gateway / Skyhigh", r"McAfee|Skyhigh|Trellix|Webwasher"),
    ("Menlo Security", r"Menlo Security"),
    ("Microsoft Forefront TMG", r"Forefront TMG|Microsoft (Forefront|ISA|TMG)"),
    ("Netskope", r"Netskope|goskope"),
    ("OPNsense", r"OPNsense"),
    ("Palo Alto Networks", r"Palo ?Alto( Networks)?|PAN-OS|Prisma Access"),
    ("Perimeter 81", r"Perimeter ?81"),
    ("pfSense", r"pfSense"),
    ("Sangfor", r"Sangfor"),
    ("SonicWall", r"SonicWALL"),
    ("Sophos", r"Sophos|Cyberoam|Astaro"),
    ("Squid", r"Squid"),
    ("Stormshield", r"Stormshield|NETASQ"),
    ("Symantec ProxySG / Web Security Service", r"Blue ?Coat|ProxySG|Symantec (Web Security|WSS|Proxy)|Cloud SWG"),
    ("Trend Micro InterScan", r"InterScan|IWSVA|Trend ?Micro (Web|Deep|Cloud App|Apex)"),
    ("Untangle", r"Untangle|Arista Edge Threat"),
    ("WatchGuard", r"WatchGuard|Fireware"),
    ("Zscaler", r"Zscaler"),
    # Schools and families.
    ("Blocksi", r"Blocksi"),
    ("ContentKeeper", r"ContentKeeper"),
    ("Covenant Eyes", r"Covenant Eyes"),
    ("CYBERsitter", r"CYBERsitter"),
    ("Deledao", r"Deledao"),
    ("GoGuardian", r"GoGuardian"),
    ("KinderGate", r"KinderGate"),
    ("Lightspeed Systems", r"Lightspeed"),
    ("Linewize", r"Linewize|Family ?Zone"),
    ("Net Nanny", r"Net ?Nanny|ContentWatch"),
    ("NetSpark", r"NetSpark"),
    ("Netsweeper", r"Netsweeper"),
    ("Qustodio", r"Qustodio"),
    ("Securly", r"Securly"),
    ("Smoothwall", r"Smoothwall"),
    # Antivirus.
    ("Avast", r"avast"),
    ("AVG", r"AVG"),
    ("Avira", r"Avira"),
    ("Bitdefender", r"Bitdefender"),
    ("BullGuard", r"BullGuard"),
    ("Dr.Web", r"Dr\.? ?Web|Doctor Web"),
    ("ESET", r"ESET"),
    ("F-Secure", r"F-Secure"),
    ("G DATA", r"G ?DATA"),
    ("Kaspersky", r"Kaspersky"),
    ("Norton", r"Norton(LifeLock)? Web/Mail Shield"),
    ("Panda Security", r"Panda Security"),
    ("Quick Heal", r"Quick Heal|Seqrite"),
    ("Webroot", r"Webroot"),
    # On the machine: filters, monitors, adware.
    ("AdGuard", r"AdGuard"),
    ("eDellRoot", r"eDellRoot|DSDTestProvider"),
    ("GlassWire", r"GlassWire"),
    ("Komodia", r"Komodia"),
    ("PrivDog", r"PrivDog|AdTrustMedia"),
    ("Superfish", r"Superfish"),
    ("Wajam", r"Wajam"),
    # Tools of developers and testers.
    ("AnyProxy", r"AnyProxy"),
    ("Bettercap", r"bettercap"),
    ("Burp Suite", r"PortSwigger|Burp Suite"),
    ("Charles Proxy", r"Charles (Proxy|Web Debugging)"),
    ("Fiddler", r"Fiddler(Root)?|DO_NOT_TRUST"),
    ("HTTP Toolkit", r"HTTP ?Toolkit"),
    ("mitmproxy", r"mitmproxy"),
    ("PolarProxy", r"PolarProxy"),
    ("Postman", r"Postman Proxy|Postman.*Proxy CA"),
    ("Proxyman", r"Proxyman"),
    ("Reqable", r"Reqable"),
    ("Surge", r"Surge Generated CA"),
    ("SSLsplit", r"sslsplit"),
    ("whistle", r"whistle\.\d+"),
    ("ZAP", r"(OWASP )?Zed Attack Proxy|ZAP Root CA"),
)


@lru_cache(maxsize=4096)
def interception_product(issuer: str) -> str | None:
    """Name the product that made a certificate with this issuer; None when the issuer is none we know.

    Certificates that call themselves self-signed belong to an appliance's own web interface (pfSense, OPNsense).
    """
    issuer = issuer.lower()
    if "self-signed" in issuer:
        return None
    found = _compile_patterns().search(issuer)
    if found is None or found.lastgroup is None:
        return None
    return INTERCEPTION_PRODUCTS[int(found.lastgroup[1:])][0]


@cache
def _compile_patterns() -> re.Pattern[str]:
    """Make one pattern of all, each in a group named by its place; groups inside a pattern are made not to count. It is in small letters,
    and for text in small letters: a pattern that minds none takes twice as long to make."""
    groups = (re.sub(r"\((?!\?)", "(?:", pattern.lower()) for _, pattern in INTERCEPTION_PRODUCTS)
    alternatives = "|".join(f"(?P<p{place}>{group})" for place, group in enumerate(groups))
    return re.compile(rf"(?<![a-z0-9])(?:{alternatives})(?![a-z0-9])")
