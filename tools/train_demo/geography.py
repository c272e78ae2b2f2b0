"""Capitals and the sizes of a few cities: facts that are learned by heart."""

from __future__ import annotations

from random import Random

from .phrasing import dress
from .problem import Problem
from .words import pseudo_word

CAPITALS = dict(
    line.split(":")
    for line in """
China:Beijing|Japan:Tokyo|India:New Delhi|France:Paris|Germany:Berlin|Italy:Rome|Spain:Madrid
Portugal:Lisbon|Greece:Athens|Turkey:Ankara|Russia:Moscow|Ukraine:Kyiv|Poland:Warsaw
Austria:Vienna|Switzerland:Bern|Belgium:Brussels|Ireland:Dublin|Norway:Oslo|Sweden:Stockholm
Finland:Helsinki|Denmark:Copenhagen|Iceland:Reykjavik|Hungary:Budapest|Romania:Bucharest
Bulgaria:Sofia|Croatia:Zagreb|Serbia:Belgrade|Slovakia:Bratislava|Slovenia:Ljubljana
Estonia:Tallinn|Latvia:Riga|Lithuania:Vilnius|the Netherlands:Amsterdam
the United Kingdom:London|England:London|the United States:Washington|the USA:Washington
Canada:Ottawa|Mexico:Mexico City|Brazil:Brasilia|Argentina:Buenos Aires|Chile:Santiago
Peru:Lima|Colombia:Bogota|Venezuela:Caracas|Ecuador:Quito|Uruguay:Montevideo|Cuba:Havana
Egypt:Cairo|Morocco:Rabat|Algeria:Algiers|Tunisia:Tunis|Nigeria:Abuja|Kenya:Nairobi
Ethiopia:Addis Ababa|Ghana:Accra|Senegal:Dakar|Israel:Jerusalem|Iraq:Baghdad|Iran:Tehran
Saudi Arabia:Riyadh|Qatar:Doha|Pakistan:Islamabad|Bangladesh:Dhaka|Nepal:Kathmandu
Thailand:Bangkok|Vietnam:Hanoi|Malaysia:Kuala Lumpur|Indonesia:Jakarta|the Philippines:Manila
South Korea:Seoul|North Korea:Pyongyang|Mongolia:Ulaanbaatar|Australia:Canberra
New Zealand:Wellington|Singapore:Singapore|Cyprus:Nicosia|Malta:Valletta|Luxembourg:Luxembourg
""".replace("\n", "|").split("|")
    if line
)

# Rounded numbers of inhabitants of the city or its municipality, in words as the answer says them.
CITIES = dict(
    line.split(":")
    for line in """
Beijing:22 million|Shanghai:25 million|Tokyo:14 million|Delhi:20 million|Mumbai:12 million
Paris:2 million|London:9 million|Berlin:4 million|Madrid:3 million|Rome:3 million
Moscow:13 million|Istanbul:15 million|New York:8 million|Los Angeles:4 million
Chicago:3 million|Mexico City:9 million|Sao Paulo:11 million|Buenos Aires:3 million
Cairo:10 million|Lagos:15 million|Nairobi:4 million|Seoul:9 million|Bangkok:9 million
Jakarta:11 million|Sydney:5 million|Toronto:3 million|Hong Kong:7 million|Shenzhen:17 million
Singapore:6 million|Vienna:2 million|Hamburg:2 million|Baghdad:8 million|Tehran:9 million
Lima:10 million|Bogota:8 million|Santiago:6 million|Kyiv:3 million|Athens:3 million
Reykjavik:140 thousand|Valletta:6 thousand|Bern:140 thousand|Oxford:160 thousand
Cambridge:150 thousand|Venice:250 thousand|Heidelberg:160 thousand|Salzburg:160 thousand
Bruges:120 thousand|Pisa:90 thousand|Siena:50 thousand|Avignon:90 thousand|Toledo:80 thousand
Luxembourg:130 thousand|Canterbury:60 thousand|Windsor:30 thousand
""".replace("\n", "|").split("|")
    if line
)

_CAPITAL = (
    "What is the capital of {c}?",
    "What is the capital of {c}?",
    "What's the capital of {c}?",
    "What is the capital city of {c}?",
    "Which city is the capital of {c}?",
    "capital of {c}",
    "Capital of {c}?",
    "Name the capital of {c}.",
    "Tell me the capital of {c}.",
    "{c}'s capital?",
    "What is {c}'s capital?",
    "Do you know the capital of {c}?",
    "the capital of {c} is?",
    "Can you name the capital of {c}?",
)
_FOLLOW_UP = (
    "And of {c}?", "What about {c}?", "and {c}?", "And what is the capital of {c}?",
    "How about {c}?", "and that of {c}?",
)  # fmt: skip
_IS_CAPITAL = ("Is {t} the capital of {c}?", "is {t} {c}'s capital?", "{t} is the capital of {c}?")
_BIG = (
    "Is {t} a big city?",
    "Is {t} a big city?",
    "Is {t} a large city?",
    "Is {t} big?",
    "Is {t} large?",
    "Is {t} a small city?",
    "How big is {t}?",
    "How large is {t}?",
    "How many people live in {t}?",
    "What is the population of {t}?",
    "Is the city of {t} big?",
    "{t}: big or small?",
)
UNKNOWN_PLACE = "I am a tiny demo model and I know only a few places. I do not know that one."


def _shown(rng: Random, name: str) -> str:
    return name.removeprefix("the ") if rng.random() < 0.3 else name


def _capital_answer(country: str) -> tuple[str, str]:
    city = CAPITALS[country]
    return f"{country}: {city} is the capital.\n", f"The capital of {country} is {city}."


def capital(rng: Random, *, think: bool = True) -> Problem:
    """Return a question about a capital, sometimes as a follow-up to another one."""
    country = rng.choice(tuple(CAPITALS))
    reasoning, answer = _capital_answer(country)
    history: tuple[tuple[str, str], ...] = ()
    if rng.random() < 0.12:
        other = rng.choice(tuple(CAPITALS))
        first = dress(rng, rng.choice(_CAPITAL).format(c=_shown(rng, other)))
        history = ((first, _capital_answer(other)[1]),)
        question = dress(rng, rng.choice(_FOLLOW_UP).format(c=_shown(rng, country)))
    elif rng.random() < 0.15:
        town = CAPITALS[country]
        if rng.random() < 0.5:
            town = rng.choice(tuple(CAPITALS.values()))
        answer = ("Yes. " if town == CAPITALS[country] else "No. ") + answer
        question = dress(rng, rng.choice(_IS_CAPITAL).format(t=town, c=_shown(rng, country)))
    else:
        question = dress(rng, rng.choice(_CAPITAL).format(c=_shown(rng, country)))
    key = f"capital {question.strip().lower()} {[turn[0] for turn in history]}"
    return Problem("places", question, reasoning, answer, key, think=think, history=history)


def city(rng: Random, *, think: bool = True) -> Problem:
    """Return a question about the size of a city."""
    town = rng.choice(tuple(CITIES))
    if rng.random() < 0.15:
        town = "Beijing"
    people = CITIES[town]
    big = people.endswith("million")
    asked = rng.choice(_BIG)
    reasoning = f"{town}: about {people} people, so it is {'big' if big else 'not big'}.\n"
    tail = f"About {people} people live there."
    if asked.startswith("Is"):
        yes = big != ("small" in asked)
        answer = f"{'Yes' if yes else 'No'}, {town} is {'' if big else 'not '}a big city. {tail}"
    else:
        answer = f"{town} is {'' if big else 'not '}a big city. {tail}"
    question = dress(rng, asked.format(t=town))
    key = f"city {question.strip().lower()}"
    return Problem("places", question, reasoning, answer, key, think=think)


def unknown_place(rng: Random, *, think: bool = True) -> Problem:
    """Return a question about an invented country or town, which the model does not know."""
    name = pseudo_word(rng, rng.choice((2, 3))).capitalize()
    if rng.random() < 0.25:
        name = rng.choice(("Atlantis", "Mars", "Narnia", "Mordor", "the Moon", "my country",
                           "Gondor", "Utopia", "Europe", "Africa", "Texas", "Bavaria"))  # fmt: skip
    capital_asked = rng.random() < 0.5
    asked = rng.choice(_CAPITAL if capital_asked else _BIG).format(c=name, t=name)
    question = dress(rng, asked)
    reasoning = "I do not know this place.\n"
    key = f"place {question.strip().lower()}"
    return Problem("places", question, reasoning, UNKNOWN_PLACE, key, think=think)
