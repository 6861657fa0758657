"""Known answers: RFC 5869 appendix A; the vectors for the TLS 1.2 PRF that its working group published."""

from __future__ import annotations

import pytest

from analyzer.tls.key_schedule import expand, extract, prf

HKDF = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("material", "salt", "info", "pseudorandom", "output"), HKDF)
def test_hkdf(material: bytes, salt: bytes, info: bytes, pseudorandom: str, output: str) -> None:
    key = extract("sha256", salt, material)
    assert key.hex() == pseudorandom
    assert expand("sha256", key, info, 42).hex() == output


@pytest.mark.parametrize(
    ("hash_name", "secret", "seed", "output"),
    [
        (
            "sha256",
            "9bbe436ba940f017b17652849a71db35",
            "a0ba9f936cda311827a6f796ffd5198c",
            (
                "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af"
                "0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
                "87347b66"
            ),
        ),
        (
            "sha384",
            "b80b733d6ceefcdc71566ea48e5567df",
            "cd665cf6a8447dd6ff8b27555edb7465",
            (
                "7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0"
                "e534cb400fed2700884f9dc236f80edd8bfa961144c9e8d792eca722a7b32fc3d416d473ebc2c5fd4abfdad05d918425"
                "9b5bf8cd4d90fa0d31e2dec479e4f1a26066f2eea9a69236a3e52655c9e9aee691c8f3a26854308d5eaa3be85e099070"
                "3d73e56f"
            ),
        ),
    ],
)
def test_prf_of_tls12(hash_name: str, secret: str, seed: str, output: str) -> None:
    made = prf(0x0303, hash_name, bytes.fromhex(secret), b"test label", bytes.fromhex(seed), len(output) // 2)
    assert made.hex() == output
