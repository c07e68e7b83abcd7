"""Free text: what is hidden however it is disguised, what must stay, and which characters may not come in at all."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.kit.scrubbing import TOKEN, refused_characters, scrub

# ---- the rows of the contract ----------------------------------------------------------------------------------------

CAUGHT = [
    ("１３８ ００１３ ８０００", "phone"),
    ("一三八零零一三八零零零", "phone"),
    ("幺三八洞洞幺三八洞洞洞", "phone"),
    ("1③8零0一38〇〇〇", "phone"),
    ("①③⑧⓪⓪①③⑧⓪⓪⓪", "phone"),
    ("壹叁捌零零壹叁捌零零零", "phone"),
    ("1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣", "phone"),
    ("1\u200b3\u200b8\u200b0\u200b0138000", "phone"),
    ("l38OOl38OOO", "phone"),
    ("+86 13800138000", "phone"),
    ("0086-13800138000", "phone"),
    ("(138)00138000", "phone"),
    ("13800.138.000", "phone"),
    ("0771-5881234转801", "landline"),
    ("加V信 abc_12345", "wechat"),
    ("v❤:wx138888", "wechat"),
    ("微信同号13800138000", "phone"),
    ("QQ 13800138000", "phone"),
    ("扣扣：10001", "qq"),
    ("11010119900307707X", "id_number"),
]

STAYS = [
    "订单1380013800012",
    "需要布洛芬4粒、N95口罩20只，2023年1月7日前",
    "体温38.5度 一天三次，每次一片",
    "民族大道131号3栋1202",
    "国药准字H20067255",
    "一二三四五六七八九十一",
]

# ---- more of both, met while reading how people write ------------------------------------------------------------

ALSO_CAUGHT = [
    ("tel13800138000", "phone"),
    ("13800138000两盒", "phone"),
    ("13800138000 2盒", "phone"),
    ("15 138 0013 80 00", "phone"),
    ("013800138000", "phone"),
    ("138一0013一8000", "phone"),
    ("138|0013|8000", "phone"),
    ("138○○138○○○", "phone"),
    ("138❤0013❤8000", "phone"),
    ("14800138000", "phone"),
    ("❶❸❽⓿⓿❶❸❽⓿⓿⓿", "phone"),
    ("١٣٨٠٠١٣٨٠٠٠", "phone"),
    ("房间25㎡13800138000", "phone"),
    ("+852 5123 4567", "phone"),
    ("+1 415 555 2671", "phone"),
    ("☎️13800138000", "phone"),
    (f"138{TOKEN}0013{TOKEN}8000", "phone"),
    ("010-12345678", "landline"),
    ("零七七一 五八八一二三四", "landline"),
    ("电话：5881234", "landline"),
    ("400-123-4567", "landline"),
    ("1101 0119 9003 0770 7X", "id_number"),
    ("一一〇一〇一一九九〇〇三〇七七〇七×", "id_number"),
    ("110101900307707", "id_number"),
    ("身份证号H12345678", "id_number"),
    ("6222 0212 3456 7890 128", "bank_card"),
    ("someone@example.com", "email"),
    ("10001艾特qq点com", "email"),
    ("someone at example dot com", "email"),
    ("https://example.com/a?b=c", "link"),
    ("example点com", "link"),
    ("t.cn/A6abc", "link"),
    ("www。example。com", "link"),
    ("复制￥AbC123dEf45￥打开", "link"),
    ("🅥🅧 abc12345", "wechat"),
    ("Ⅴ信abc12345", "wechat"),
    ("vх zhangsan", "wechat"),  # the second letter is Cyrillic
    ("加微信zhangsan88", "wechat"),
    ("w x : 1 3 8 a b c", "wechat"),
    ("威信 abc123", "wechat"),
    ("卫星号 zhangsan", "wechat"),
    ("my wechat is zhangsan", "wechat"),
    ("wxid_abc123def", "wechat"),
    ("q群 12345678", "qq"),
    ("企鹅号壹零零零壹", "qq"),
    ("抖音号：abcde99", "chat"),
    ("telegram @someone", "chat"),
    ("桂A12345", "plate"),
    ("50元一盒", "price"),
    ("¥50", "price"),
    ("五十元", "price"),
    ("20块钱", "price"),
    ("一百块一盒", "price"),
    ("先付款", "pay_first"),
    ("需要押金", "pay_first"),
    ("扫码付款", "pay_first"),
]

ALSO_STAYS = [
    "",
    "三天没退烧了，孩子两岁，家在三单元，我妈的药也吃完了",
    "免费送，不要钱，自取",
    "不要转账，谨防红包",
    "红包装的药",
    "先给老人",
    "元旦前要",
    "肥皂3块。",
    "卫星路口自取",
    "加vitamin c",
    "全新N95KN95口罩",
    "10mg*14片*2板 批号230113 有效期2024-12-31",
    "0.25g*24*2盒",
    "布洛芬混悬液 100ml:2g",
    "1-7 18:00 38.5, 22:00 39.1, 1-8 02:00 38.8",
    "体温18:30 38.5，19:00 38.8，20:30 39.2",
    "2023-1-7 08:00-10:30，2盒",
    "2023-01-13 15:30:22",
    "上午9:00-11:30 下午14:00-17:30 均可",
    "1、3、5、7、9、11、13、15栋",
    "二零二三年一月七日",
    "I use wechat please call",
    "lol 3 oil ol lo",
    "½片，一日2次",
    TOKEN,
]


@pytest.mark.parametrize(("disguised", "kind"), CAUGHT + ALSO_CAUGHT)
@pytest.mark.parametrize("frame", ["{}", "请联系我：{}，谢谢", "有药吗 {}\n急"])
def test_what_leads_round_the_platform_is_hidden(disguised: str, kind: str, frame: str) -> None:
    found = scrub(frame.format(disguised))

    assert kind in found.hits
    assert TOKEN in found.text
    assert not any(part in found.text for part in ("0013", "12345", "zhangsan", "example", "707", "8️", "\u20e3"))


@pytest.mark.parametrize("text", STAYS + ALSO_STAYS)
def test_what_only_looks_alike_stays_to_the_letter(text: str) -> None:
    assert scrub(text).text is text
    assert scrub(text).hits == ()


def test_only_the_finding_goes_and_each_leaves_one_mark() -> None:
    found = scrub("布洛芬2盒，电话13800138000或139-0013-9000，有效期2024年5月。加V信 abc_12345！")

    assert found.text == f"布洛芬2盒，电话{TOKEN}或{TOKEN}，有效期2024年5月。加V信 {TOKEN}！"
    assert found.hits == ("phone", "phone", "wechat")


def test_a_keycap_leaves_no_rest_behind() -> None:
    assert scrub("打1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣吧").text == f"打{TOKEN}吧"


def test_a_word_that_is_also_slang_is_left_to_a_moderator() -> None:
    assert scrub("有事找我威信").doubtful
    assert not scrub("卫星广场自取").doubtful
    assert not scrub("布洛芬2盒").doubtful


# ---- properties ------------------------------------------------------------------------------------------------------

DIGIT_STYLES = [
    "0123456789",
    "０１２３４５６７８９",
    "〇一二三四五六七八九",
    "零壹贰叁肆伍陆柒捌玖",
    "零壹貳參肆伍陸柒捌玖",
    "洞幺两三四五六拐八勾",
    "⓪①②③④⑤⑥⑦⑧⑨",
    "⓿❶❷❸❹❺❻❼❽❾",
    "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗",
    "٠١٢٣٤٥٦٧٨٩",
    "⁰¹²³⁴⁵⁶⁷⁸⁹",
]
# Neither colon nor bar nor plain full stop: the first makes clock times, the second is also read as a 1.
SEPARATORS = " -—–_，。、·•*/\\()[]【】~～；'\"\u3000"
UNSEEN = "\u200b\u200c\u200d\u2060\ufeff\ufe0f\u20e3\u00ad"
HARMLESS = "药盒感谢邻居好心人孩子发烧需要帮忙请快来啊呀吧,。!?;\n abcdefghjkmnprsty"

phones = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)


@st.composite
def disguised_phones(draw: st.DrawFn) -> str:
    parts: list[str] = []
    for digit in draw(phones):
        parts.append(draw(st.sampled_from(DIGIT_STYLES))[int(digit)])
        parts.append(draw(st.text(UNSEEN, max_size=2)))
        parts.append(draw(st.text(SEPARATORS, max_size=3)))
    return draw(st.sampled_from(["", "+86", "0086 ", "８６-"])) + "".join(parts)


@given(disguised_phones(), st.text(HARMLESS, max_size=20), st.text(HARMLESS, max_size=20))
def test_a_phone_in_any_digits_with_any_separators_is_caught(phone: str, before: str, after: str) -> None:
    found = scrub(before + phone + after)

    assert "phone" in found.hits
    assert sum(unicodedata.numeric(c, -1) >= 0 for c in found.text.replace(TOKEN, "")) <= 2  # 两 拐 勾 洞 have no value


@given(phones, st.sampled_from(SEPARATORS + ":.|"), st.integers(1, 3), st.sampled_from(DIGIT_STYLES))
def test_a_phone_cut_evenly_by_anything_is_caught(phone: str, separator: str, width: int, style: str) -> None:
    assert "phone" in scrub((separator * width).join(style[int(digit)] for digit in phone)).hits


@given(st.text(HARMLESS))
def test_a_text_without_digits_and_words_of_the_trade_is_untouched(text: str) -> None:
    assert scrub(text).text is text


PIECES = [disguised for disguised, _ in CAUGHT + ALSO_CAUGHT] + STAYS + ALSO_STAYS
mixtures = st.lists(
    st.one_of(st.sampled_from(PIECES), st.text(max_size=6), st.text("0138一lo|x微信v:@.-", max_size=8))
).map("".join)


@given(mixtures)
def test_scrubbing_again_changes_nothing(text: str) -> None:
    once = scrub(text)
    twice = scrub(once.text)

    assert twice.text == once.text
    assert twice.hits == ()


@given(st.text(st.characters(exclude_categories=())))
def test_no_text_whatever_makes_it_fail(text: str) -> None:
    scrub(text)
    refused_characters(text)


HOSTILE = {
    "ones": "1" * 10_000,
    "phone beginnings": "13" * 5_000,
    "wide gaps": "1     " * 1_667,
    "bars and letters": "l|" * 5_000,
    "every reading": "1一l|" * 2_500,
    "one word": "a" * 10_000,
    "labels": "a." * 5_000,
    "addresses": "a@" * 5_000,
    "dots as words": "a dot " * 1_666,
    "slang": "wx " * 3_333,
    "plus slang": "+v" * 5_000,
    "spread id": "微信 " + "a " * 5_000,
    "dashes": "wx" + "-" * 10_000,
    "schemes": "http://" * 1_400,
    "timetables": "18:00 38.5 " * 900,
    "dates": "2023-01-07 " * 900,
    "counting": ",".join(str(number) for number in range(2_000)),
    "id beginnings": "450103199506150 " * 620,
    "phones of two kinds": "13800138000一三八零零一三八零零零" * 450,
    "numerals": "一" * 10_000,
    "prices": "1块" * 5_000,
    "invisible": "1\u200b" * 5_000,
    "tags": "\U0001f3f4" + "\U000e0067" * 9_999,
    "marks": TOKEN * 2_000,
    "an onion of phones": "13800 " * 700 + "13900139000" + " 138000" * 700,
    "ids in a row": "微信 a12345 " + "b12345 " * 1_400,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_ten_thousand_hostile_characters_take_no_long_time(text: str) -> None:
    began = time.process_time()
    once = scrub(text)
    refused_characters(text)
    took = time.process_time() - began

    assert took < 5  # some tenths of a second; a pattern that explodes would take hours
    assert scrub(once.text).text == once.text


# ---- characters that may not come in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("布洛芬\u202e盒", ["bidi_control"]),
        ("\u2066a\u2069", ["bidi_control"]),
        ("a\u200fb", ["bidi_control"]),
        ("1\u200b3", ["zero_width"]),
        ("1\u200d3", ["zero_width"]),
        ("a\u200d", ["zero_width"]),
        ("\u200d", ["zero_width"]),
        ("❤\u200d药", ["zero_width"]),
        ("a\u2060b", ["zero_width"]),
        ("\ufeffa", ["zero_width"]),
        ("a\u00adb", ["zero_width"]),
        ("a\u3164b", ["zero_width"]),
        ("a\u034fb", ["zero_width"]),
        ("a\U000e0067", ["zero_width"]),
        ("a\x00", ["control_character"]),
        ("a\tb", ["control_character"]),
        ("a\rb", ["control_character"]),
        ("a\x1b[31m", ["control_character"]),
        ("a\x85", ["control_character"]),
        ("a\u2028b", ["control_character"]),
        ("\ud800", ["not_a_character"]),
        ("\uffff", ["not_a_character"]),
        ("\ufdd0", ["not_a_character"]),
        ("\u202e\u200b\x00\u202e", ["bidi_control", "zero_width", "control_character"]),
    ],
)
def test_hiding_and_turning_characters_are_refused_each_for_its_reason(text: str, reasons: list[str]) -> None:
    assert refused_characters(text) == reasons


@pytest.mark.parametrize(
    "text",
    [
        "",
        "两行\n字",
        "表单的\r\n换行",
        "谢谢❤️",
        "一家👨‍👩‍👧",
        "👩🏽‍⚕️来了",
        "❤️‍🔥",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿",
        "1️⃣",
        "ئۇيغۇر བོད་ ᠮᠣᠩᠭᠣᠯ Sawcuengh",
        "葛\U000e0100",
        "é e\u0301",
    ],
)
def test_line_breaks_emoji_and_the_scripts_of_the_country_are_welcome(text: str) -> None:
    assert refused_characters(text) == []
