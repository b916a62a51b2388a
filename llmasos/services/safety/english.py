"""English phrases that are held back. Folded text: small letters, straight quotes."""

from __future__ import annotations

from llmasos.services.safety import english_hate
from llmasos.services.safety.finding import COARSE, GRAVE, SEVERE
from llmasos.services.safety.phrases import Phrases, phrase

_URGE = r"(?:^|[.!?,;:\"]\s*|\b(?:just|should|must|go|go and|please|then|and|so|better|gotta|could|now|why don't you|maybe|can)\s+)"
_OFTEN = r"(?:kinda |really |just |so |such |nothing but |the most |a bit |all )*"
_DULL = r"(?:stupid|dumb|ugly|fat|worthless|useless|pathetic|disgusting|hideous|brainless|hopeless|a disgrace|a failure|a nobody)"
_FOOL = r"(?:idiot|moron|imbecile|loser|fool|pig|cow|brat|freak|creep|failure|waste of space|coward|clown|bastard|bitch|dumb[a-z]*)"
_GROWN_UPS = r"(?:mom|mum|mommy|mummy|mother|dad|daddy|father|parents|folks|teacher|family|grown-?ups|anyone|anybody)"
_OWN = r"(?:your|his|her|their|my|the)"
_BODY = r"(?:throat|neck|eyes?|eyeballs|heart|guts|head|tongue|fingers?|limbs?|intestines|entrails|skin)"


PHRASES = Phrases(
    (
        r"kill|know where|\bdie\b|\bkys\b|your(?:self| life| wrists?)|hang|murder|stab|shoot|shot|gun|burn|slit|strangle|punch|hurt|beat|choke"
        r"|exterminat|eradicat|gas\b|gassed|slaughter|lynch|execut|strangl|wip(?:e|ed) out|get rid|suffer|vermin|subhuman|less than|parasit"
        r"|animals|inferior|rats|cockroach|scum|trash|garbage|filth|disease|plague|cancer|worthless|lesser|vile|disgust|sicken|despic"
        r"|can't stand|cages|put an end|not human|degenerate|uncivil|savage|dirty|evil|criminals|rapists|a threat|brainless|despise|loathe|detest|hate|hatred|contempt|disdain"
        r"|scorn|makes? me|belong|worth|value|obey|just world|death to|fuck|throat|bomb|molotov|explosive|grenade|sarin|ricin|nerve gas"
        r"|chlorine|meth\b"
        r"|bleach|poison|socket|outlet|roof|balcony|breath|lighter|matches|pills|weed|cocaine|heroin|crack|ecstasy|lsd|drunk|stoned"
        r"|secret|tell|photo|picture|pic\b|address|password|phone number|where do you live|alone|clothes|naked|bra\b|undress"
        r"|sleep with|thrust|moan|blood|guts|skinned|ripped|cut off|disembowel|decapitat|dismember|tortur|entrails|gouge"
        rf"|{_DULL}|{_FOOL}|shut up|(?:likes|loves) you|never been born|myself|held back|miss you|without you"
    ),
    (
        r"\b(?:don't|dont|do not|didn't|never|not|no|nobody|mustn't|must not|shouldn't|should not|can't|cannot|won't|stop|avoid|without"
        r"|instead of|against|prevent|illegal|if (?:you|somebody|someone|anybody)(?: ever)?(?: are| is|'re)?"
        r"(?: want| feel| think| thinking| planning| ask)"
        r"|thoughts? (?:of|about)|thinking (?:of|about)|urges? to|asks? you to|tells? you to|you'll|you will|you'd|you would)\b[^,]*$"
    ),
    (
        # Self-harm.
        phrase("self-harm", SEVERE, rf"{_URGE}(?:kill yourself|end your (?:own )?life|hang yourself|off yourself|go (?:and )?die\b)"),
        phrase("self-harm", SEVERE, r"\bkys\b"),
        phrase("self-harm", SEVERE, rf"{_URGE}(?:cut|slit) (?:yourself|your wrists?|your arms?)(?! (?:on|off|a|some)\b)"),
        phrase("self-harm", SEVERE, r"\b(?:world|everyone|everybody|we|they|people|life) (?:would|will|'d|'ll)(?: all)? be (?:so much |much )?"
                r"better (?:off )?without you"),
        phrase("self-harm", SEVERE, r"\bnobody (?:would|will|'d|'ll) (?:even )?(?:miss you|care if you (?:die|died|are gone|were gone))"),
        phrase("self-harm", SEVERE, r"\b(?:least painful|painless|best|easiest|quickest|surest) way to (?:die|kill yourself|end your life|commit suicide)"),
        phrase("self-harm", SEVERE, rf"{_URGE}(?:take|swallow|eat) (?:the whole bottle|(?:a )?(?:whole|all) (?:bottle|box|packet)|all)(?: of)?"
                r"(?: the| your| these)? ?(?:sleeping )?(?:pills|tablets)"),
        phrase("self-harm", COARSE, r"\bi (?:want|wanna|'m going|am going|wish|just want|like)(?: to)? (?:die|kill myself|end my life|cut myself|hurt myself)\b"),
        phrase("self-harm", COARSE, r"\bi (?:sometimes |often |always )?cut myself[, ]+(?:because|to feel|and it)"),
        *english_hate.TABLE,
        # Instructions and dares.
        phrase("danger", SEVERE, r"\b(?:how to|to|steps to|let me show you how to|you can|instructions to|recipe to)"
                r" (?:make|build|assemble|construct|prepare|cook|synthesi[sz]e|produce|brew)"
                r" (?:an? |some |your own )?(?:\w+ )?(?:(?:pipe|nail|car|dirty|fertili[sz]er|home-?made|letter) bombs?|bombs?(?! (?:shelter|disposal|calorimeter|squad))"
                r"|molotov|explosives?|grenades?|nerve gas|chlorine gas|mustard gas|sarin|ricin|napalm|meth|crystal meth|heroin|crack)\b"),
        phrase("danger", SEVERE, r"\bmix(?:ing)? (?:the |some )?bleach (?:with|and) [^.!?]{0,80}\b(?:room|bottle|gas|him|her|them|acid)"),
        phrase("danger", SEVERE, r"\bpoison (?:somebody|someone|him|her|them|your \w+)\b[^.!?]{0,80}\b(?:ricin|arsenic|cyanide|caught|undetected|antifreeze|thallium)"),
        phrase("danger", SEVERE, rf"{_URGE}(?:drink|swallow|try|have)(?: up)? (?:a (?:glass|cup|bottle|sip|shot) of |some |the |your )?(?:bleach|disinfectant|antifreeze|drain cleaner|gasoline|petrol)\b"),
        phrase("danger", GRAVE, rf"{_URGE}(?:put|stick|push|shove) (?:a|an|the|your) (?:fork|knife|finger|fingers|key|nail|paper ?clip|spoon)"
                r" in(?:to)? (?:the |a |an )?(?:\w+ )?(?:socket|outlet|plug)"),
        phrase("danger", GRAVE, rf"{_URGE}jump (?:off|from) (?:the|a|your|that) (?:\w+ )?(?:roof|balcony|bridge|window|cliff|building)"),
        phrase("danger", COARSE, rf"{_URGE}hold your breath (?:until|till) you (?:faint|pass out|black out)"),
        phrase("danger", COARSE, rf"{_URGE}play with (?:the |some |your )?(?:matches|lighter|fire|gun|knives)"),
        phrase("drugs", COARSE, r"\b(?:let's|you should|you gotta|come on,?(?: and)?|wanna|want to|do you want to|try to)(?: \w+)? (?:smoke|snort|try|take|shoot|drop|do|have)"
                r" (?:some |a bit of |a |my )?(?:weed|pot|joint|cocaine|coke|heroin|meth|crack|ecstasy|mdma|lsd|acid|ketamine|molly)\b(?! (?:out|from|beds?|killer))"),
        phrase("drugs", COARSE, r"\b(?:let's|you should|wanna|want to|we can|come and) (?:all )?(?:get|be) (?:drunk|stoned|wasted|high|hammered)\b"),
        # What an adult with bad intentions says to a child.
        phrase("secrets", COARSE, rf"\bdon't (?:you )?(?:ever )?tell (?:your )?{_GROWN_UPS}\b(?![^.!?]{{0,80}}\b(?:surprise|birthday|present|gift|party|christmas)\b)", guarded=False),
        phrase("secrets", COARSE, rf"\b(?:keep|hide) (?:this|it|that|our \w+)(?: a)?(?: secret)? from (?:your )?{_GROWN_UPS}"),
        phrase("secrets", COARSE, r"\bsend (?:me )?(?:a |some |another )?(?:\w+ )?(?:photos?|pictures?|pics?|selfies?|nudes?) (?:of (?:you|yourself|your)|naked)"),
        phrase("secrets", COARSE, r"\b(?:what(?:'s| is)|tell me|give me|send me) your (?:home )?(?:address|phone number|password|real name|full name|credit card)"),
        phrase("secrets", COARSE, r"\bmeet me (?:all )?alone\b|\bare you (?:home )?alone(?: at home)?\?"),
        phrase("secrets", COARSE, r"\bwhere do you live\b", sure=False),
        # Sex and cruelty without a word of the lists.
        phrase("sexual", COARSE, rf"\b(?:take|took|takes|taking|pull|pulled|slip|slipped) off {_OWN} (?:\w+ )?(?:clothes|shirt|bra|pants|panties|underwear|dress|top)\b(?=[^.!?]{{0,80}}"
                r"\b(?:closer|against|bed|naked|body|show|slowly|me)\b)|\bslowly (?:took|taking|take|slipped|pulled) off (?:her|his|your|my) (?:bra|shirt|dress|panties|underwear)"),
        phrase("sexual", COARSE, r"\b(?:want|wants|wanted|wanna|like|going) to (?:sleep with|make love to|undress) (?:you|him|her|me)\b|\bsex with (?:me|you)\b|\bsend (?:me )?nudes\b"),
        phrase("sexual", GRAVE, r"\bthrust(?:s|ing)? (?:\w+ )?in(?:to|side) (?:her|him|me|you)\b"),
        phrase("minors", SEVERE, r"\b(?:child|children|kids?|little (?:girl|boy)s?|schoolgirls?|schoolboys?|toddlers?)\b[^.!?]{0,80}\b(?:undress(?:es)?|naked|strip)\b[^.!?]{0,80}\b(?:for|with) me\b"),
        phrase("cruelty", COARSE, rf"\b(?:ripped|tore|gouged|cut|hacked|carved|sliced|sawed|bit) (?:out |off |open )?{_OWN} {_BODY}(?: (?:out|off|open|one by one))?\b"
                r"(?=[^.!?]{0,80}\b(?:scream|blood|laugh|crush|out|off|alive|floor|heel)\w*)"),
        phrase("cruelty", COARSE, r"\b(?:blood|guts|brains|intestines|entrails) (?:\w+ )?(?:spurted|sprayed|gushed|spilled|splattered|poured|oozed|squirted)"),
        phrase("cruelty", COARSE, r"\b(?:skinned|flayed|burned|buried|boiled|roasted) [^.!?]{0,30}\balive\b|\bdisembowel|\bdismember(?:ed|ing)|\btortur(?:ed|ing) (?:him|her|them) (?:to death|for)"),
        # Insults.
        phrase("insult", COARSE, rf"\b(?:you(?:'re| are|r)?|ur|your \w+ is) (?:just |only )?(?:{_OFTEN})?(?:(?:a|an|such a|such an) )?(?:(?:little|big|fat|total|complete|real|stupid|filthy|dirty|lazy|dumb|ugly|worthless|old) )*{_FOOL}\b(?! of)"),
        phrase("insult", COARSE, rf"\b(?:you(?:'re| are)?|are you|ur) {_OFTEN}{_DULL}\b"),
        phrase("insult", COARSE, rf"\b{_FOOL} like you\b|(?<!to )\bshut (?:up|your (?:mouth|face|trap))\b|\bthat (?:stupid |little |lazy |fat |old )*(?:bastard|idiot|moron|bitch|dick|loser)\b|\byou (?:\w+ ){{0,5}}{_FOOL}$|, you {_FOOL}\b"),
        phrase("insult", COARSE, r"\b(?:nobody|no one|no-one) (?:likes|loves|wants|ever liked|ever loved) you\b|\byou (?:should|had) never (?:have )?been born"),
        phrase("insult", COARSE, r"\bi (?:really |fucking |so )?hate you\b(?!,? (?:\w+day|for being so))"),
        # A notice that only the system may give.
        phrase("notice", GRAVE, r"[\[〔(](?:held back|此句)", guarded=False),
    ),
)  # fmt: skip
