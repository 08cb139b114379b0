"""Which hosts may be called, and at which addresses."""

from __future__ import annotations

import socket

import pytest

from engine import EngineError
from engine.workers.addresses import AllowedHosts, HostRule, is_public, is_single, resolve
from engine.workers.work import JobFailed


def hosts(*addresses, public=("api.cn", "*.gov.cn"), internal=("desk.local:8080",)):
    return AllowedHosts(public, internal, lambda host, port: list(addresses))


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "224.0.1.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_what_is_not_in_the_public_internet_is_refused(address):
    assert not is_public(address)
    with pytest.raises(JobFailed, match="not a public one") as refused:
        hosts(address).address("https", "api.cn", 443)
    assert refused.value.retry is False


@pytest.mark.parametrize("address", ["8.8.8.8", "114.114.114.114", "2400:3200::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_may_be_called(address):
    assert is_public(address)
    assert hosts(address).address("https", "api.cn", 443) == address


def test_one_private_address_among_public_ones_is_enough_to_refuse():
    with pytest.raises(JobFailed, match=r"10\.0\.0\.1"):
        hosts("8.8.8.8", "10.0.0.1").address("https", "api.cn", 443)


def test_a_host_listed_as_internal_may_have_any_address_of_one_machine():
    assert hosts("127.0.0.1").address("http", "desk.local", 8080) == "127.0.0.1"
    for address in ("224.0.0.1", "0.0.0.0", "255.255.255.255", "ff02::1", "::"):
        assert not is_single(address)
        with pytest.raises(JobFailed):
            hosts(address).address("http", "desk.local", 8080)


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("https", "api.cn", 443),
        ("http", "api.cn", 80),
        ("https", "a.gov.cn", 443),
        ("https", "a.b.gov.cn", 443),
        ("http", "desk.local", 8080),
    ],
)
def test_listed_hosts_may_be_called(scheme, host, port):
    hosts().check(scheme, host, port)


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("https", "other.cn", 443), ("https", "api.cn.evil.org", 443), ("https", "xapi.cn", 443), ("https", "gov.cn", 443),
        ("https", "evilgov.cn", 443), ("https", "api.cn", 8443), ("http", "api.cn", 443), ("http", "api.cn", 22), ("http", "desk.local", 80),
        ("ftp", "api.cn", 21), ("file", "", 0), ("http", "2130706433", 80), ("http", "", 80),
    ],
)  # fmt: skip
def test_everything_else_may_not(scheme, host, port):
    with pytest.raises(JobFailed) as refused:
        hosts("8.8.8.8").address(scheme, host, port)
    assert refused.value.retry is False


def test_an_unknown_host_is_tried_again_later():
    def unknown(host, port):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    for look_up in (unknown, lambda host, port: []):
        with pytest.raises(JobFailed) as failed:
            AllowedHosts(["api.cn"], [], look_up).address("https", "api.cn", 443)
        assert failed.value.retry is True


@pytest.mark.parametrize("entry", ["", "*", "*.", "http://a.cn", "a.cn/path", "a b", "a.cn:", "a.cn:port", "-a.cn", "a.*.cn", "::1"])
def test_an_entry_that_is_no_host_is_refused(entry):
    with pytest.raises(EngineError):
        HostRule.of(entry)


def test_entries_may_name_ports_and_addresses():
    assert HostRule.of("A.cn:8443") == HostRule("a.cn", False, 8443)
    assert HostRule.of("*.a.cn:8443").allows("http", "b.a.cn", 8443)
    assert HostRule.of("[::1]:80") == HostRule("::1", False, 80)
    assert HostRule.of("10.0.0.1").allows("http", "10.0.0.1", 80)


def test_the_machine_knows_itself():
    assert "127.0.0.1" in resolve("127.0.0.1", 80)
