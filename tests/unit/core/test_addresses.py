"""One guard for all calls that a document can cause: what goes out, what is read inside, what nobody may reach."""

from __future__ import annotations

import pytest

from apps.core.domain.addresses import first_allowed, networks, refused_address, refused_inside, refused_url


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("169.254.169.254", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("fd00:ec2::254", "link-local"),
        ("100.100.100.200", "link-local"),
        ("224.0.0.1", "host"),
        ("0.0.0.0", "host"),
        ("metadata.google.internal", "no IP"),
    ],
)
def test_addresses_that_are_not_read_inside(address: str, why: str) -> None:
    assert why in str(refused_inside(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "8.8.8.8"])
def test_addresses_that_may_be_read_inside(address: str) -> None:
    assert refused_inside(address) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.5.5", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1", "::ffff:127.0.0.1", "2002:7f00:1::", "ff02::1",
    ],
)  # fmt: skip
def test_addresses_of_the_inside_are_refused(address: str) -> None:
    assert refused_address(address) is not None


def test_public_and_allowed_addresses_may_be_called() -> None:
    assert refused_address("93.184.216.34") is None
    assert refused_address("2606:2800:220:1::1") is None
    assert refused_address("10.1.2.3", networks("10.1.0.0/16, fd00::/8")) is None
    assert refused_address("10.2.2.3", networks("10.1.0.0/16")) is not None
    with pytest.raises(ValueError, match=r"127\.0\.0\.1 is not an address"):
        first_allowed(["93.184.216.34", "127.0.0.1"])


def test_nobody_may_allow_what_clouds_hand_credentials_out_at() -> None:
    everything = networks("0.0.0.0/0, ::/0")
    assert refused_address("127.0.0.1", everything) is None
    for address in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "::ffff:169.254.169.254"):
        assert refused_address(address, everything) is not None


@pytest.mark.parametrize(
    "url", ["http://localhost/x", "https://metadata.google.internal/", "http://[::1]:9/", "http://127.1.1.1:80/"]
)
def test_urls_of_the_inside_are_refused_when_declared(url: str) -> None:
    assert refused_url(url) is not None
    assert refused_url("https://hooks.example.com/x") is None
