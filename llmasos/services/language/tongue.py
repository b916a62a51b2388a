"""Which language a text is in, and which one a person means by its name: by script and by the commonest words.

Enough to answer somebody in their own language, or to say in it that the model can't. A text without enough signs
has no language here: what is unsure isn't acted on.
"""

from __future__ import annotations

import re
from collections import Counter

NAMES = {
    "en": ("English", "english", "英语", "英文"),
    "zh": ("Chinese", "chinese", "mandarin", "中文", "汉语", "普通话", "国语"),
    "de": ("German", "german", "deutsch", "德语", "德文"),
    "fr": ("French", "french", "français", "francais", "法语", "法文"),
    "es": ("Spanish", "spanish", "español", "espanol", "castellano", "西班牙语"),
    "it": ("Italian", "italian", "italiano", "意大利语"),
    "pt": ("Portuguese", "portuguese", "português", "portugues", "葡萄牙语"),
    "nl": ("Dutch", "dutch", "nederlands", "荷兰语"),
    "sv": ("Swedish", "swedish", "svenska", "瑞典语"),
    "pl": ("Polish", "polish", "polski", "波兰语"),
    "tr": ("Turkish", "turkish", "türkçe", "土耳其语"),
    "ru": ("Russian", "russian", "русский", "俄语", "俄文"),
    "uk": ("Ukrainian", "ukrainian", "українська", "乌克兰语"),
    "el": ("Greek", "greek", "ελληνικά", "希腊语"),
    "he": ("Hebrew", "hebrew", "עברית", "希伯来语"),
    "ar": ("Arabic", "arabic", "العربية", "阿拉伯语"),
    "fa": ("Persian", "persian", "farsi", "فارسی", "波斯语"),
    "hi": ("Hindi", "hindi", "हिन्दी", "हिंदी", "印地语"),
    "th": ("Thai", "thai", "ไทย", "泰语"),
    "ja": ("Japanese", "japanese", "日本語", "日语", "日文"),
    "ko": ("Korean", "korean", "한국어", "韩语", "韩文"),
}
"""Code -> its English name, and how people call it."""

SORRY = {
    "zh": "现在用的模型只会英文，读不懂中文。请用 --model 文件.gguf 换一个模型，或者用英文问。",
    "de": "Das Modell kann nur Englisch. Nenne mit --model DATEI.gguf ein anderes, oder frag auf Englisch.",
    "fr": "Le modèle ne connaît que l'anglais. Choisis-en un autre avec --model FICHIER.gguf, ou demande en anglais.",
    "es": "El modelo solo sabe inglés. Elige otro con --model ARCHIVO.gguf, o pregunta en inglés.",
    "it": "Il modello sa solo l'inglese. Scegline un altro con --model FILE.gguf, o chiedi in inglese.",
    "pt": "O modelo só sabe inglês. Escolhe outro com --model FICHEIRO.gguf, ou pergunta em inglês.",
    "nl": "Het model kent alleen Engels. Kies een ander met --model BESTAND.gguf, of vraag het in het Engels.",
    "ru": "Модель знает только английский. Выберите другую: --model ФАЙЛ.gguf, или спросите по-английски.",
    "ja": "このモデルは英語だけです。--model ファイル.gguf で別のモデルを選ぶか、英語で聞いてください。",
    "ko": "이 모델은 영어만 압니다. --model 파일.gguf 로 다른 모델을 고르거나 영어로 물어보세요.",
}
"""That the model can't, in the language that it can't."""

_SCRIPTS = (
    ("ja", "\u3040-\u30ff"), ("ko", "\uac00-\ud7af\u1100-\u11ff"), ("zh", "\u3400-\u9fff"), ("th", "\u0e00-\u0e7f"),
    ("hi", "\u0900-\u097f"), ("he", "\u0590-\u05ff"), ("el", "\u0370-\u03ff"), ("ar", "\u0600-\u06ff"),
    ("ru", "\u0400-\u04ff"),
)  # fmt: skip
_LETTERS = {code: re.compile(f"[{span}]") for code, span in _SCRIPTS}
OWN_SCRIPT = frozenset({*_LETTERS, "uk", "fa"})
"""Languages that no text in Latin letters is in."""

_COMMON = {
    "en": "the of and to is that it for you was with on are this have be not what how where when why who which can do "
    "does did my your his her they we from there would could should about will if or an at by",
    "de": "der die das und ist ein eine nicht ich du wir sie es mit für auf den dem zu von wie was wo wann warum wer "
    "kann haben hat sind auch nach im am bei aus über mir mein dein bitte noch oder wenn",
    "fr": "le la les et est un une des du de que qui dans pour pas je tu nous vous il elle avec sur ce cette au aux "
    "comment où quand pourquoi quel quelle peut sont mon ton son plus mais ou bien est-ce",
    "es": "el la los las y es un una de que en por para no con del se yo tú nosotros él ella como cómo dónde cuándo "
    "qué quién cuál puede son mi tu su más pero hay está muy también al lo me",
    "it": "il lo la gli le e è un una di che in per non con del della si io tu noi come dove quando perché chi quale "
    "può sono mio tuo suo più ma anche questo questa al alla dei nel nella mi ti",
    "pt": "o a os as e é um uma de que em por para não com do da se eu tu nós ele ela como onde quando porquê quem "
    "qual pode são meu teu seu mais mas há está muito também ao no na você isso",
    "nl": "de het een en is van ik je wij niet dat met voor op te zijn hoe wat waar wanneer waarom wie kan hebben "
    "heeft ook naar bij uit mijn jouw nog of als maar er dit deze",
    "sv": "och är en ett det att som i på för inte jag du vi han hon med av till den de hur vad var när varför vem kan "
    "har också från min din om men så detta",
    "pl": "i jest nie to w na z się do że jak co gdzie kiedy dlaczego kto czy mój twój dla od po są ale ten ta tak "
    "przez przy jestem masz mam może",
    "tr": "ve bir bu ne için değil mi mı ben sen biz o da de nasıl nerede zaman neden kim var yok çok daha ama ile "
    "gibi olan benim senin",
}  # fmt: skip
_WORDS = {code: frozenset(words.split()) for code, words in _COMMON.items()}
_WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
_UKRAINIAN, _PERSIAN = re.compile("[іїєґ]", re.IGNORECASE), re.compile("[پچژگ]")


def of(text: str) -> str:
    """The code of the language that a text is in; empty where there are too few signs.

    Names and quotes of another script don't count where most letters are Latin.
    """
    letters = sum(c.isalpha() for c in text)
    for code, pattern in _LETTERS.items():
        found = len(pattern.findall(text))
        # A sign of these scripts is worth several letters; kana decide for Japanese, which has Chinese signs too.
        if found and (code == "ja" or found * (3 if code in ("zh", "ko") else 1) >= letters / 2):
            if code == "ru" and _UKRAINIAN.search(text):
                return "uk"
            return "fa" if code == "ar" and _PERSIAN.search(text) else code
    words = [word.replace("’", "'") for word in _WORD.findall(text.casefold())]
    hits = Counter({code: sum(word in common for word in words) for code, common in _WORDS.items()})
    (best, most), (_, second) = hits.most_common(2)
    enough = most >= 2 and most > 1.3 * second and most >= 0.2 * len(words)
    return best if enough else ""


def named(said: str) -> str:
    """The code of a language that was named, in English, Chinese or its own words; empty for one not known here."""
    wanted = " ".join(said.casefold().split())
    for code, names in NAMES.items():
        if wanted == code or any(wanted == name.casefold() for name in names):
            return code
    # "simplified Chinese", "Brazilian Portuguese", 简体中文
    for code, names in NAMES.items():
        if any(name.casefold() in wanted for name in names[1:]):
            return code
    return ""


def name(code: str) -> str:
    """A language's English name; empty for none."""
    return NAMES[code][0] if code in NAMES else ""


def sorry(code: str) -> str:
    """That the model knows English only, in the language that was spoken, or in English."""
    spoken = name(code) or "another language"
    return SORRY.get(code) or (
        f"The model in use knows English only, and that seems to be {spoken}. "
        "Name another with '--model FILE.gguf', or ask in English."
    )
