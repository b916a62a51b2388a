"""English phrases against groups of people, and threats of violence: who, and what is said of them or wished to them."""

from __future__ import annotations

from llmasos.services.safety.finding import COARSE, GRAVE
from llmasos.services.safety.phrases import Phrase, phrase

_KIND = (
    r"(?:trans|transgender|gay|lesbian|queer|black|white|brown|asian|disabled|handicapped|jewish|muslim|christian|arab|chinese|japanese"
    r"|indian|mexican|african|polish|turkish|russian|ukrainian|foreign|immigrant|homeless|autistic)"
)
_GROUP = (
    r"(?:jews|muslims|christians|hindus|sikhs|catholics|immigrants|migrants|refugees|asylum seekers|foreigners|gays|lesbians|homosexuals"
    rf"|blacks|asians|arabs|mexicans|africans|gypsies|women|cripples|{_KIND} (?:people|persons?|folks?|men|women|lives|life)|(?:that|this|every|any) immigrant)"
    r"\b(?!'s|s')"
)
_BRIDGE = r"(?:(?!(?:of|with|by|to|for|in|from|against|not|never|as|who|that|than|about)\b)[\w'-]+ ){0,4}"
_SCORN = (
    r"(?:vermin|subhuman|less than human|parasites?|animals|beasts|inferior|rats|cockroach\w*|scum\w*|trash|garbage|filth\w*|a disease|a plague|a cancer"
    r"|worthless|lesser beings|waste of space|vile|disgusting|sickening|despicable|degenerates?|uncivili[sz]ed|savages?|dirty|stupid|dumb\w*|idiots"
    r"|evil|criminals|rapists|a threat to (?:us|civili[sz]ation|society|our \w+)|brainless|retarded)"
)
_WILL = (
    r"(?:let's|let us|i'll|i will|i'm (?:just )?going to|i am (?:\w+ )?going to|i want to|i would love to|i'd love to|i could|we'll|we will"
    r"|(?:we|you|someone|somebody|people|they) (?:should|must|need to|needs to|ought to|have to)|what if we|time to|if only (?:we|someone|somebody) (?:would|could)"
    r"|in a just world|one can only hope)"
)
_HARM = (
    r"(?:kill|murder|shoot|slaughter|exterminate|eradicate|burn|hang|lynch|gas|execute|strangle|behead|beat up|stab|wipe out|get rid of|put an end to"
    r"|torture|drown|cut down|lock up)"
)
_HARMED = (
    r"(?:die|suffer|(?:be |get |all be )*(?:dead|shot|killed|murdered|slaughtered|exterminated|eradicated|burned|hanged|hung|lynched|gassed|executed|strangled"
    r"|beheaded|wiped out|locked up in cages|put down|beaten|raped|tortured|burnt))"
)
_SOMEBODY = (
    r"(?:you|him|her|them|everyone|everybody|your (?:family|mother|father|kids|children|dog|sister|brother|friends))"
)
_SPORT = r"(?! (?:all )?(?:at|in) (?:chess|cards|tennis|football|the game|the race|this game|a race))"

TABLE: tuple[Phrase, ...] = (
    phrase("hate", GRAVE, rf"\b{_GROUP} (?:like (?:you|them) )?(?:are|is|'re) {_BRIDGE}{_SCORN}\b"),
    phrase("hate", GRAVE, r"\byou(?:'re| are) (?:all )?(?:just |nothing but )?(?:a |an )?(?:dirty|filthy|stupid|vile|disgusting|worthless) "
           rf"(?:{_KIND}|jew|muslim|immigrant|foreigner|woman)\b"),
    phrase("hate", GRAVE, rf"\b(?:i|we) (?:\w+ ){{0,2}}(?:hate|despise|loathe|detest|can't stand) (?:(?:all|those|these|you|the|every|any) )*{_GROUP}(?! (?:clothes|shoes|jokes|music|films))"),
    phrase("hate", GRAVE, rf"\b(?:hatred|contempt|disdain|scorn|disgust) (?:\w+ ){{0,3}}for (?:(?:all|those|these|you|the|any) )*{_GROUP}"),
    phrase("hate", GRAVE, rf"\b{_GROUP} (?:\w+ ){{0,4}}makes? me (?:\w+ )?(?:sick|angry|vomit|puke|boil)"),
    phrase("hate", GRAVE, rf"\b{_GROUP} (?:aren't|are not|isn't|have no|has no) (?:worth|value|human|people)\b"),
    phrase("hate", GRAVE, rf"\b{_GROUP} (?:like you )?(?:should|must|deserve to|ought to|need to)(?: all| just| simply)* (?:{_HARMED}|obey)\b"),
    phrase("hate", GRAVE, rf"\b{_GROUP} (?:like you )?belong (?:in|behind) (?:a |the |their )?(?:zoo|cages?|kitchens?|gutter|chains)"),
    phrase("hate", GRAVE, rf"\b{_WILL}\b(?: \w+){{0,3}} {_HARM} (?:(?:all|those|these|the|every|any|some|more|of|you|their|that) )*{_GROUP}"),
    phrase("hate", GRAVE, rf"(?:^|[.!?;:,\"]\s*|\b(?:to|and|then) )(?:exterminate|gas|kill|lynch|wipe out|eradicate|death to|fuck) (?:all |the |those |every |you )+{_GROUP}"),
    phrase("hate", GRAVE, rf"\bin a just world,? (?:[\w']+ ){{0,2}}{_GROUP}[^.!?]{{0,80}}\bdead\b"),
    phrase("threat", COARSE, rf"\b(?:i'll|i will|i'm (?:just )?going to|i am (?:\w+ ){{0,3}}going to|i'm gonna|we'll|we will|we're going to|i want to|i would love to)"
           rf" (?:\w+ )?(?:{_HARM}|punch|hurt|choke|destroy|cut|beat|crush) {_SOMEBODY}\b{_SPORT}", guarded=False),
    phrase("threat", COARSE, r"\b(?:cut|slit) (?:your|his|her|their) (?:\w+ )?throats?\b"),
    phrase("threat", GRAVE, r"\b(?:i|we) know where (?:you|your \w+) (?:live|lives|sleep|work|works|go|goes)\b[^.!?]{0,80}"
           r"\b(?:kill|find you|hurt|pay|get you|coming|better|regret)", guarded=False),
    phrase("threat", GRAVE, r"\bi(?:'ll| will) find you and (?:i(?:'ll| will) )?(?:kill|hurt|murder|destroy)", guarded=False),
    phrase("threat", GRAVE, r"\b(?:bring|take) (?:a|the|your) (?:gun|knife|rifle|weapon) to (?:school|work|the office|church)"),
    phrase("threat", GRAVE, r"\b(?:someone|somebody|we|you) (?:should|must|ought to) (?:just )?(?:shoot|kill|murder|stab|bomb|lynch)"
           r" (?:the|that|this|all|every|them)\b(?! (?:\w+ )?(?:process|program|job|task|server|zombie|orc|monster|dragon|light|weed|ball|film|movie|scene|enem|king|lamp))"),
    phrase("threat", GRAVE, r"\bburn (?:down )?(?:their|the|that|this|every|all) (?:\w+ )?(?:mosque|church|synagogue|temple|school|shelter|house)s?"
           r"\b.{0,80}\b(?:inside|in it|asleep)"),
)  # fmt: skip
