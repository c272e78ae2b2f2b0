"""Word material: everyday words and pronounceable invented ones."""

from __future__ import annotations

from random import Random

_TEXT = """
    strawberry raspberry blueberry cranberry banana apple orange cherry lemon melon papaya mango
    tomato potato carrot onion pepper garlic ginger spinach cabbage cucumber pumpkin mushroom
    bread butter cheese cookie coffee chocolate sugar honey sandwich noodle pizza pasta salad
    mississippi tennessee missouri alabama hawaii alaska arizona california colorado florida
    elephant giraffe monkey tiger lion zebra horse rabbit squirrel hippopotamus crocodile turtle
    penguin parrot pigeon sparrow eagle butterfly mosquito spider beetle dolphin whale octopus
    computer keyboard monitor printer processor memory network internet program function variable
    python compiler kernel thread tensor vector matrix number letter language sentence paragraph
    word book paper pencil school student teacher professor university college library lesson
    mother father sister brother daughter grandmother grandfather family friend neighbor
    doctor nurse engineer lawyer farmer driver pilot soldier artist painter singer dancer
    house garden kitchen bedroom bathroom window door table chair mirror carpet ceiling cellar
    street bridge railway airport station harbor village city country mountain valley river ocean
    island forest desert meadow summer winter spring autumn weather thunder lightning rain snow
    morning evening afternoon midnight monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december
    red green blue yellow purple black white silver golden brown hello world happy sorry really
    little letterbox balloon bottle bubble puzzle pepperoni committee success address assess
    accommodation parallel occurrence necessary embarrass possession bookkeeper coffeehouse
    assistant question answer reason thinking model training random example million thousand
    hundred seven eleven thirteen twenty music guitar piano violin trumpet football basketball
    tennis swimming running bicycle motorcycle airplane helicopter submarine rocket satellite
    planet universe galaxy gravity energy electric magnet battery engine machine robot camera
    picture television telephone message letter envelope address package present birthday wedding
    holiday vacation journey adventure treasure castle dragon princess wizard monster shadow
    window widow anna otto level radar rotor kayak noon eve mama papa bob sees deed
    the and of to in it is was for on are with they be at one have this from or had by not but
    some what there we can out other were all your when up use how said each she which do their
    time if will way about many then them would write like so these her long make thing see him
    two has look more day could go come did my no most who over know than call first people
    strength rhythm queue jazz quiz fizz buzz syzygy onomatopoeia abracadabra supercalifragilistic
"""
WORDS = tuple(_TEXT.split())

_ONSET_TEXT = (
    "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sl sm sn sp "
    "st str sw th tr tw wh"
)
_VOWEL_TEXT = "a e i o u a e i o u ai ea ee oa oo ou y"
_CODA_TEXT = (
    ". . . . b ck d ff g l ll m n nd ng nt p pp r rr rd s ss st t tt x th sh rk mp lt ft ry ly er"
)
_ONSETS = tuple(_ONSET_TEXT.split())
_VOWELS = tuple(_VOWEL_TEXT.split())
_CODAS = tuple(_CODA_TEXT.split())  # a dot: no coda


def pseudo_word(rng: Random, syllables: int | None = None) -> str:
    """Return an invented word of one to four syllables, at most 13 letters."""
    parts = []
    for _ in range(syllables or rng.choice((1, 2, 2, 3, 3, 4))):
        coda = rng.choice(_CODAS)
        parts.append(rng.choice(_ONSETS) + rng.choice(_VOWELS) + ("" if coda == "." else coda))
    return "".join(parts)[:13]
