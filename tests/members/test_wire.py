"""What comes in shows nothing of itself."""

from mutualaid.members import wire
from tests.moments import START


def test_drafts_show_neither_phones_nor_codes_nor_names() -> None:
    drafts = [
        wire.AskCode(phone="13800138000"),
        wire.Answered(challenge="a" * 32, code="123456"),
        wire.SignIn(wechat_code="fake:neighbour"),
        wire.NewPhone(wechat_phone_code="phone:+8613800138000"),
        wire.RealNameDraft(name="王小明", id_number="450103199506150014"),
    ]

    for draft in drafts:
        assert repr(draft) == f"{type(draft).__name__}(…)"
        assert str(draft) == repr(draft)


def test_a_session_that_has_begun_does_not_show_its_token() -> None:
    me = wire.MeView(
        id="a" * 32,
        display_name="王**",
        phone_masked=None,
        real_name="checked",
        role="member",
        consents=[],
        created_at=START,
    )
    begun = wire.SignedInView(token="the-token", expires_at=START, member=me)

    assert "the-token" not in repr(begun)


def test_a_phone_comes_in_as_e164_and_a_name_without_its_extra_spaces() -> None:
    assert wire.AskCode(phone="１３８ ００１３-8000").phone == "+8613800138000"
    assert wire.RealNameDraft(name=" 王  小明 ", id_number="x").name == "王 小明"
