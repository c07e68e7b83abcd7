"""The vendors' signatures against what their documents and their own kits compute."""

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from tencentcloud.common.abstract_client import AbstractClient

from mutualaid.providers.numbers.signing import (
    TC3_TYPE,
    Account,
    Aksk,
    acs3_headers,
    acs3_query,
    aksk_digest,
    aksk_headers,
    tc3_headers,
)

NOON = datetime(2023, 1, 7, 12, tzinfo=UTC)


def acs3(account: Account, params: dict[str, str], **more: str) -> str:
    """The signature of a request to Alibaba Cloud, out of its header."""
    told = {"host": "dyplsapi.aliyuncs.com", "action": "BindAxb", "version": "2017-05-25", "nonce": "0" * 32, **more}
    now = datetime.fromisoformat(told.pop("now", NOON.isoformat()))
    headers = acs3_headers(account, query=acs3_query(params), body=b"", now=now, **told)
    return headers["authorization"].rpartition("Signature=")[2]


def test_alibabas_own_example() -> None:
    params = {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"}

    signature = acs3(
        Account("YourAccessKeyId", "YourAccessKeySecret"),
        params,
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        now="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
    )

    assert signature == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_a_binding_as_alibabas_kit_signs_it() -> None:
    params = {
        "PoolKey": "FC100000000000001",
        "PhoneNoA": "13800138000",
        "PhoneNoB": "13900139000",
        "Expiration": "2023-01-08 12:00:00",
    }

    signature = acs3(Account("testak", "testsk"), params, nonce="d410180a5abf7fe235dd9b74aca91fc0")

    assert signature == "7f02e186badd4b1330fe05f63ca7354d8679b05cb3cde0c8e59e23e762db509c"


@pytest.mark.parametrize(
    ("account", "params", "now", "nonce", "signature"),
    [
        (
            Account("AK.id", "se/cr+et="),
            {"PoolKey": "FC1", "ExpectCity": "南宁", "Expiration": "2023-01-08 12:00:00", "OutId": "a*b~c"},
            "2023-01-07T12:00:00Z",
            "00" * 16,
            "443689d549703aa7b165c740d3c6db9199679a8b90b0b8cc03cd3b81b892c0bf",
        ),
        (
            Account("k", "s"),
            {
                "PoolKey": "FC1",
                "PhoneNoX": "17000000001",
                "OperateType": "updateExpire",
                "RingConfig": '{"a":"b&c=d"}',
            },
            "2024-02-29T23:59:59Z",
            "ff" * 16,
            "bec62b6474bce0b565109a216e7601381f3fe9b19e180064683a66b9e503e75b",
        ),
    ],
)
def test_odd_characters_as_alibabas_kit_signs_them(
    account: Account, params: dict[str, str], now: str, nonce: str, signature: str
) -> None:
    """Made with alibabacloud-openapi-util 0.2.4, which agreed with ours on 2,000 random requests as well."""
    assert acs3(account, params, now=now, nonce=nonce) == signature


def test_every_header_that_alibaba_wants_signed_is_signed() -> None:
    headers = acs3_headers(
        Account("k", "s"), host="h", action="A", version="V", query="", body=b"", now=NOON, nonce="n"
    )

    signed = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    assert signed == "host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"


def test_tencents_kit_signs_the_same() -> None:
    rng, theirs = random.Random(7), AbstractClient.__new__(AbstractClient)
    for _ in range(200):
        account = Account("AKID", "".join(rng.choices("abcXYZ019/+=", k=32)))
        body = "".join(rng.choices('{"中文":\\u0020 号}', k=rng.randint(2, 60))).encode()
        now = NOON + timedelta(seconds=rng.randint(0, 10**8))
        host = "npp.tencentcloudapi.com"
        headers = tc3_headers(
            account, host=host, service="npp", action="GetVirtualNum", version="v", body=body, now=now
        )
        stamp = headers["x-tc-timestamp"]
        sent = {"Content-Type": TC3_TYPE, "Host": host, "X-TC-Timestamp": stamp}
        request = SimpleNamespace(method="POST", uri="/", data=body, header=sent)

        day = now.strftime("%Y-%m-%d")
        signature = theirs._get_tc3_signature({}, request, day, "npp", account.secret)

        assert headers["authorization"] == (
            f"TC3-HMAC-SHA256 Credential=AKID/{day}/npp/tc3_request, "
            f"SignedHeaders=content-type;host, Signature={signature}"
        )


def test_huaweis_digest() -> None:
    made = datetime(2018, 2, 12, 15, 30, 20, tzinfo=UTC)

    digest = aksk_digest("test_app_secret", "66C92B11FF8A425FB8D4CCFE0ED9ED1F", made)

    assert digest == "ncMDTi4CNmg1LdN3w25xjbK0M6LxYnfDuuaMqWrUc2E="


def test_huaweis_header_is_read_as_it_is_written() -> None:
    headers = aksk_headers(Account("app", "secret"), now=NOON, nonce="abc123")

    shown = Aksk.read(headers["x-aksk"])

    assert shown is not None and (shown.username, shown.nonce, shown.created) == ("app", "abc123", NOON)
    assert shown.proves("secret") and not shown.proves("another")


def test_the_header_of_huaweis_page_is_read_without_spaces_too() -> None:
    """Their examples write the parts with and without a space behind the comma."""
    shown = Aksk.read(
        'UsernameToken Username="a",PasswordDigest="ncMDTi4CNmg1LdN3w25xjbK0M6LxYnfDuuaMqWrUc2E=",'
        'Nonce="66C92B11FF8A425FB8D4CCFE0ED9ED1F",Created="2018-02-12T15:30:20Z"'
    )

    assert shown is not None and shown.proves("test_app_secret")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer x",
        "UsernameToken",
        'UsernameToken Username="a", PasswordDigest="b", Nonce="", Created="2018-02-12T15:30:20Z"',
        'UsernameToken Username="a", PasswordDigest="b", Nonce="c d", Created="2018-02-12T15:30:20Z"',
        'UsernameToken Username="a", PasswordDigest="b", Nonce="c", Created="yesterday"',
        'UsernameToken Username="a", PasswordDigest="b", Nonce="c"',
        'UsernameToken Username="a", PasswordDigest="b", Nonce="c", Created="9999-12-31T23:59:59Z"',
        'UsernameToken Username="a", PasswordDigest="b", Nonce="c", Created="0001-01-01T00:00:00Z"',
        f'UsernameToken {"a" * 2_000}, Username="a", PasswordDigest="b", Nonce="c", Created="2018-02-12T15:30:20Z"',
    ],
)
def test_what_is_no_such_header_proves_nothing(header: str) -> None:
    assert Aksk.read(header) is None


def test_nothing_prints_a_secret() -> None:
    headers = aksk_headers(Account("app-key", "app-secret"), now=NOON, nonce="abc123")

    shown = f"{Account('app-key', 'app-secret')!r} {Aksk.read(headers['x-aksk'])!r}"

    assert "app-" not in shown and "abc123" not in shown
