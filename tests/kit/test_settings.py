"""Settings: one frozen object from the environment and a file; what cannot be meant is refused at the start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from mutualaid.kit.settings import CONFIG, MAKERS, PREFIX, PROD_DEFAULTS, SettingsRefused, load
from mutualaid.wiring import open_services

HONEST = {
    "wechat": "off",
    "numbers": "words",
    "realname": "appointment",
    "geocoding": "district",
    "content": "wordlist",
}
SECRET = "postgresql+asyncpg://somebody:hunter2@127.0.0.1/aid"


def refused(**environ: str) -> str:
    with pytest.raises(SettingsRefused) as refusal:
        load({PREFIX + name.upper(): value for name, value in environ.items()})
    return str(refusal.value)


def test_nothing_said_is_a_dev_instance_in_var() -> None:
    settings = load({"PATH": "/bin", "HOME": "/nowhere"})

    assert settings.env == "dev" and settings.dev
    assert settings.data == Path("var").absolute()
    assert settings.database_url == f"sqlite+aiosqlite:///{settings.data}/mutualaid.db"
    assert settings.keys_url == f"sqlite+aiosqlite:///{settings.data}/keys.db"
    assert (settings.limits, settings.crowd_k, settings.second_factor, settings.quiet_hours) == (
        "relaxed",
        1,
        False,
        "",
    )


def test_the_environment_beats_the_file_and_the_file_beats_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "mutualaid.toml"
    file.write_text('crowd_k = 3\nrequire_real_name = false\nnumbers = "words"\n', encoding="utf-8")

    settings = load({CONFIG: str(file), "MUTUALAID_CROWD_K": "7"})

    assert (settings.crowd_k, settings.require_real_name, settings.numbers) == (7, False, "words")
    assert settings.numbers_pool == 50


def test_an_unknown_name_refuses_and_is_named() -> None:
    assert refused(crowdk="7") == "MUTUALAID_CROWDK: no such setting"


def test_an_unknown_name_in_the_file_refuses_too(tmp_path: Path) -> None:
    file = tmp_path / "mutualaid.toml"
    file.write_text("crowdk = 3\n", encoding="utf-8")

    assert "MUTUALAID_CROWDK: no such setting" in refused(config=str(file))


@pytest.mark.parametrize("text", ["crowd_k = ", "\ud800"])
def test_a_file_that_cannot_be_read_refuses(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mutualaid.toml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")

    assert refused(config=str(file)).startswith(CONFIG)
    assert refused(config=str(tmp_path / "none.toml")).startswith(CONFIG)


def test_every_wrong_value_is_named_at_once() -> None:
    told = refused(crowd_k="0", numbers_pool="x", sms="pigeon", quiet_hours="25:00-07:00", limits="")

    assert {line.split(":")[0] for line in told.splitlines()} == {
        "MUTUALAID_CROWD_K", "MUTUALAID_NUMBERS_POOL", "MUTUALAID_SMS", "MUTUALAID_QUIET_HOURS", "MUTUALAID_LIMITS",
    }  # fmt: skip


def test_a_refusal_and_a_repr_keep_passwords_to_themselves() -> None:
    for told in (
        refused(database_url=SECRET, crowd_k="0"),
        refused(database_url=SECRET.replace("+asyncpg", "")),
        repr(
            load({"MUTUALAID_DATABASE_URL": SECRET, "MUTUALAID_KEYS_URL": SECRET + "2", "MUTUALAID_REDIS_URL": SECRET})
        ),
    ):
        assert "hunter2" not in told
    with pytest.raises(SettingsRefused) as refusal:
        load({"MUTUALAID_DATABASE_URL": SECRET, "MUTUALAID_CROWD_K": "0"})
    assert refusal.value.__cause__ is None  # pydantic's own error would repeat what was given


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        load({}).env = "prod"  # type: ignore[misc]  # that is the point


def test_quiet_hours_can_be_switched_off() -> None:
    assert load({"MUTUALAID_QUIET_HOURS": "off"}).quiet_hours == ""
    assert load({"MUTUALAID_QUIET_HOURS": "22:00-07:00"}).quiet_hours == "22:00-07:00"


def test_an_empty_clock_file_name_is_no_clock_file() -> None:
    assert load({"MUTUALAID_NOW_FILE": ""}).now_file is None


# ---- prod -------------------------------------------------------------------------------------------------------


def test_prod_refuses_every_fake_maker_by_name() -> None:
    assert refused(env="prod") == "prod refuses fake makers: " + ", ".join(PREFIX + name.upper() for name in MAKERS)


@pytest.mark.parametrize("fake", sorted(HONEST))
def test_prod_refuses_any_single_fake_maker(fake: str) -> None:
    told = refused(env="prod", **(HONEST | {fake: "fake"}))

    assert PREFIX + fake.upper() in told


def test_prod_refuses_a_clock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mutualaid.kit.settings.MAKERS", tuple(HONEST))  # no live maker of text messages is built yet

    assert refused(env="prod", now_file=str(tmp_path / "now"), **HONEST) == "prod refuses MUTUALAID_NOW_FILE"


def test_prod_is_strict_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mutualaid.kit.settings.MAKERS", tuple(HONEST))
    environ = {PREFIX + name.upper(): value for name, value in {**HONEST, "env": "prod"}.items()}

    prod = load(environ)
    assert {name: getattr(prod, name) for name in PROD_DEFAULTS} == PROD_DEFAULTS
    assert load(environ | {"MUTUALAID_QUIET_HOURS": "off", "MUTUALAID_CROWD_K": "9"}).crowd_k == 9
    assert load(environ | {"MUTUALAID_QUIET_HOURS": "off"}).quiet_hours == ""


async def test_prod_refuses_a_postgresql_that_can_lose_commits(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given: the tests' own server, which runs without fsync
    monkeypatch.setattr("mutualaid.kit.settings.MAKERS", tuple(HONEST))
    environ = {**HONEST, "env": "prod", "data": str(tmp_path), "database_url": postgres_url}
    settings = load({PREFIX + name.upper(): value for name, value in environ.items()})

    with pytest.raises(SettingsRefused, match="fsync, full_page_writes, synchronous_commit"):
        async with open_services(settings):
            raise AssertionError("opened")


@pytest.mark.parametrize("name", ["database_url", "keys_url"])
@pytest.mark.parametrize("url", ["mysql://x", "postgresql://x", "/var/db", "sqlite:///x"])
def test_only_the_two_databases_are_taken(name: str, url: str) -> None:
    assert f"MUTUALAID_{name.upper()} must begin with" in refused(**{name: url})


def test_the_keys_never_lie_in_the_database() -> None:
    assert "must not be the database" in refused(database_url=SECRET, keys_url=SECRET)


# ---- vendors of masked numbers ------------------------------------------------------------------------------------

VENDOR = {"numbers": "huawei", "numbers_key": "the-key", "numbers_secret": "hunter2", "numbers_file": "numbers.txt"}


def named(**environ: str) -> dict[str, str]:
    return {PREFIX + name.upper(): value for name, value in environ.items()}


def test_a_vendor_of_numbers_needs_its_account_and_says_what_is_missing() -> None:
    assert refused(numbers="tencent") == (
        "tencent needs MUTUALAID_NUMBERS_KEY, MUTUALAID_NUMBERS_SECRET, MUTUALAID_NUMBERS_FILE, MUTUALAID_NUMBERS_ACCOUNT"
    )
    assert refused(numbers="huawei", numbers_key="k", numbers_file="f") == "huawei needs MUTUALAID_NUMBERS_SECRET"


@pytest.mark.parametrize(
    ("maker", "modes"), [("aliyun", "axe"), ("tencent", "x"), ("huawei", "axb,axe"), ("fake", "x"), ("words", "axe")]
)
def test_a_mode_that_the_maker_does_not_have_is_refused(maker: str, modes: str) -> None:
    told = refused(**{**VENDOR, "numbers": maker, "numbers_account": "a", "numbers_modes": modes})

    assert told.startswith(f"MUTUALAID_NUMBERS_MODES: {maker} takes ")


def test_in_prod_a_vendor_is_asked_by_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mutualaid.kit.settings.MAKERS", tuple(HONEST))
    for name in ("numbers_url", "numbers_hook"):
        told = refused(**{**HONEST, **VENDOR, "env": "prod", name: "http://127.0.0.1:8009"})
        assert told == f"MUTUALAID_{name.upper()} must begin with https://"
    assert load(named(**VENDOR, numbers_url="http://127.0.0.1:8009")).numbers == "huawei"
    assert load(named(**{**HONEST, **VENDOR, "env": "prod"})).numbers_modes == "axb"


def test_a_vendors_secret_is_not_shown() -> None:
    assert "hunter2" not in repr(load(named(**VENDOR))) + refused(**VENDOR, crowd_k="0")
