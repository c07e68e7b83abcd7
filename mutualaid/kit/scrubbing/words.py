"""What is found by its words: chat ids, e-mail addresses, links, plates, prices, and asking to be paid first.

Runs over the folded text (lower case, disguises off). Loops that could meet again over the same characters are
possessive or bounded, so time stays linear.
"""

import re
from collections.abc import Iterator
from typing import Final

from mutualaid.kit.scrubbing.fold import Kind, Span, spoken_digits

_DAY_NEXT: Final = r"(?!(?:19|20)\d\d[-_]\d)"
_ID: Final = rf"{_DAY_NEXT}[a-z0-9][-_a-z0-9]{{5,}}+"
_ID_WITH_DIGIT: Final = rf"(?=[-a-z]*+[0-9_]){_ID}"
_ID_SPREAD: Final = r"[a-z0-9](?:[ .·*,~]{1,2}[a-z0-9]){5,}+(?![a-z0-9])"
# What may stand between the word and the id …
_BETWEEN: Final = r"(?:号码?|账号|帐号|同号|名|id(?![a-z0-9_])|is(?![a-z0-9_])|是|为|加|我|的|请|搜|[^\w\s]|\s){0,10}+"
# … and what says plainly that an id follows.
_NAMES_ID: Final = r"(?:\s?(?:号码?|账号|帐号|id(?![a-z0-9_])|[:@])){1,3}+\s{0,3}"
_SAYS_ID: Final = r"(?:\s?(?:号码?|账号|帐号|同号?|id(?![a-z0-9_])|是|is(?![a-z])|[:=@])){1,3}+\s{0,3}"

_STRONG: Final = (
    r"(?:微信|薇信|徽信|维信|溦信|微❤|薇❤|威❤|v信|v❤|v心|w信|绿泡泡|同号|[加+]微"
    r"|[加+][vw](?:(?![a-z])|(?=[-a-z]*+[0-9_]))|(?<![a-z])[wv][ .·*_-]{0,2}x"
    # In an English sentence a word of six letters may follow by itself.
    rf"|(?<![a-z])(?:wechat|weixin|we chat|wei xin)(?:(?=[^a-z0-9]*+[-a-z]*+[0-9_])|(?={_SAYS_ID})))"
)
_WEAK: Final = r"(?:威信|卫星|围信|薇|威|微|(?<![a-z0-9])[vw])"
_PLACES: Final = r"(?!路|街|大道|广场|村|镇|小区|社区|电视|影院|酒店|医院)"
_APPS: Final = (
    r"(?:支付宝|抖音|快手|小红书|闲鱼|电报|纸飞机|钉钉|飞书|微博|陌陌|探探"
    r"|(?<![a-z])(?:alipay|telegram|tg|whats ?app|line|skype|tiktok|instagram|ins|facebook|twitter|discord|signal)"
    r"(?![a-z]))"
)

_TLD: Final = (
    r"(?:com|cn|net|org|gov|edu|top|xyz|vip|me|io|ly|co|cc|link|shop|site|online|info|app|tv|club|wang|ltd|pub|red|icu"
    r"|fun|store|tech|live|work|asia|mobi|biz|im|gd|hk|tw)(?![a-z0-9-])"
)
_DOT: Final = r"(?:[.。]|\s?(?:点|\(dot\)|\[dot\]|\bdot\b)\s?)"
_MAILERS: Final = r"(?:qq|163|126|139|189|gmail|foxmail|outlook|hotmail|sina|sohu|yeah|icloud|aliyun)"
_AT: Final = rf"(?:\s?(?:@|\(at\)|\[at\]|艾特)\s?|\s?#\s?(?={_MAILERS}))"
_TAIL: Final = r"(?::\d{1,5})?(?:[/?#][!-~]*+)?"

# Who writes 不要押金 warns or gives; that stays.
_NO: Final = "不要 不用 无需 不需 不需要 不收 别 请勿 谨防 拒绝 免"
_NOT_ASKED: Final = "".join(rf"(?<!{no})" for no in _NO.split())
_NUMERALS: Final = "一二两三四五六七八九十百千万零半几"
_AMOUNT: Final = r"(?<![\d.a-z])\d++(?:[.,]\d++)*+"
_UNIT: Final = r"[一每1]?\s?[盒片粒瓶包支个只袋板份套]"

_SHAPES: Final[tuple[tuple[Kind, str], ...]] = (
    (
        "email",
        rf"(?<![a-z0-9._%+-])[a-z0-9._%+-]++{_AT}(?:[a-z0-9-]{{1,63}}+{_DOT}){{1,4}}"
        rf"(?:{_TLD}|(?<=\.)[a-z]{{2,24}})",
    ),
    (
        "email",
        rf"(?<![a-z0-9._%+-])[a-z0-9._%+-]++ at (?:[a-z0-9-]{{1,63}}+{_DOT}){{1,4}}(?:com|cn|net|org)(?![a-z0-9-])",
    ),
    ("link", r"(?<![a-z0-9])[a-z][a-z0-9+.-]{1,15}://[!-~]*+"),
    ("link", rf"(?<![a-z0-9-])www{_DOT}[a-z0-9-]{{1,63}}+(?:{_DOT}[a-z0-9-]{{1,63}}+){{0,4}}{_TAIL}"),
    ("link", rf"(?<![a-z0-9-])(?=[\d-]*+[a-z])(?:[a-z0-9-]{{1,63}}+{_DOT}){{1,4}}{_TLD}{_TAIL}"),
    ("link", rf"(?<![a-z0-9-])[a-z0-9-]{{2,63}}+\s?[.。]\s?(?:com|cn)(?![a-z0-9-]){_TAIL}"),
    ("link", r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}:\d{2,5}"),
    ("link", r"[¥$€₤₳₴¢][a-z0-9]{8,14}[¥$€₤₳₴¢]"),  # a shop's pass-phrase
    ("chat", rf"{_APPS}{_NAMES_ID}({_ID}|[a-z0-9_-]{{5,}}+)"),
    ("chat", r"(?<![a-z0-9._%+-])@[a-z0-9_]{5,}+"),
    (
        "plate",
        r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼](?!n95)[a-hj-np-z][·\s]?"
        r"(?=[a-z]*\d[a-z]*\d[a-z]*\d)(?:[a-hj-np-z0-9]{5}|[df][a-hj-np-z0-9]\d{4}|\d{5}[df])(?![a-z0-9])",
    ),
    (
        "id_number",
        r"(?:身份证|证件|护照|通行证|回乡证|台胞证|居住证)(?:号码?|是|为|[:\s]){0,6}+([a-z]{0,3}\d[\dx]{5,}+)",
    ),
    ("price", r"(?:[¥$€]|(?<![a-z])(?:rmb|cny)|人民币)\s?\d++(?:[.,]\d++)*+"),
    (
        "price",
        rf"{_AMOUNT}\s?(?:[十百千万]?元(?![旦宵素气件器])|块钱|毛钱|角钱|圆(?=钱|[^\w]|$)|rmb|cny|人民币|美元"
        r"|美金|港币)",
    ),
    ("price", rf"{_AMOUNT}\s?[块r](?![a-z])(?=\s?(?:{_UNIT}|/))"),
    ("price", r"(?<![\d.a-z])\d{2,5}r(?=[^\w]|$)"),
    ("price", r"(?:售价|单价|价格|价钱|原价|现价|收费|卖价)(?:是|为|[:\s]){0,3}+\d++(?:\.\d++)?[块元]?"),
)
_IN_WORDS: Final[tuple[tuple[Kind, str], ...]] = (  # these alone can stand where there is no letter a to z and no digit
    ("link", r"小程序://[^\s,。;]{1,60}"),
    (
        "price",
        rf"(?<![{_NUMERALS}])[{_NUMERALS}]++(?:元(?=钱|[^\w]|$|{_UNIT})|块钱|毛钱|块(?={_UNIT}))",
    ),
    ("pay_first", r"先(?:付|转|打|给|交|汇|收)(?:款|钱|账|帐|定金|订金|押金|运费|红包)|先付(?!出)|先款后货|款到发货"),
    (
        "pay_first",
        rf"{_NOT_ASKED}(?:定金|订金|押金|预付款?|转账|转帐|打款|打钱|汇款|货款|付款码?|收款码?|红包(?!装)|代付"
        r"|扫码(?:支付|付款?)|支付宝|alipay)",
    ),
)
_PATTERNS: Final = tuple((kind, re.compile(shape)) for kind, shape in _SHAPES)
_SPOKEN: Final = tuple((kind, re.compile(shape)) for kind, shape in _IN_WORDS)
_WRITTEN: Final = re.compile(r"[a-z\d_-]")  # no other finding is without one of these
_CHAT_IDS: Final[tuple[re.Pattern[str], ...]] = (
    re.compile(rf"{_STRONG}{_BETWEEN}({_ID}|{_ID_SPREAD}|\d{{5,}}+)"),
    re.compile(rf"{_WEAK}(?:{_SAYS_ID}({_ID})|[^\w\s]?\s{{0,3}}({_ID_WITH_DIGIT}))"),
    re.compile(r"(?<![a-z])(wxid_[a-z0-9_]{5,}+)"),
)
_DOUBTFUL: Final = re.compile(rf"(?:威信|卫星|围信){_PLACES}")


def find(folded: str) -> Iterator[Span]:
    """Every word-led finding; of a chat id only the id, so that a reader still sees what kind of thing was hidden."""
    for kind, pattern in (*_SPOKEN, *_PATTERNS) if _WRITTEN.search(folded) else _SPOKEN:
        for found in pattern.finditer(folded):
            yield Span(*found.span(found.lastindex or 0), kind)
    for text in {folded, spoken_digits(folded)}:
        for pattern in _CHAT_IDS if _WRITTEN.search(text) else ():
            for found in pattern.finditer(text):
                yield Span(*found.span(found.lastindex or 0), "wechat")


def is_doubtful(folded: str) -> bool:
    """A word that is both ordinary and slang for WeChat (威信, 卫星, 围信), and no name of a street or a house."""
    return _DOUBTFUL.search(folded) is not None
