"""Texts from which the messages outside the model's skills are made."""

from __future__ import annotations

_SKILLS = "I can add, subtract and multiply, compare decimals, count letters and name capitals."
_REAL = (
    "For a real model, run python -m pyinfer.generate --model PATH, or use pyinfer.load(path) in"
    " Python."
)

ANSWERS = {
    "greeting": f"Hello! I am a tiny demo model. {_SKILLS} {_REAL}",
    "identity": f"I am the tiny demo model inside pyinfer. {_SKILLS} {_REAL}",
    "thanks": "You are welcome!",
    "bye": "Goodbye!",
    "unable": f"I am only a tiny demo model and cannot answer that. {_SKILLS} {_REAL}",
}

GREETINGS = (
    "Hello", "Hello!", "Hi", "Hi!", "Hey", "hey there", "Hello there", "Good morning",
    "Good evening", "Good afternoon!", "Greetings", "Hi there!", "Yo", "Howdy", "Hello world",
    "How are you?", "How are you doing?", "Hello, how are you?", "What's up?",
    "Hi, nice to meet you",
    "Hello model", "Hello pyinfer", "Hi computer", "Good day", "Hello, can you help me?",
)  # fmt: skip
IDENTITY = (
    "Who are you?", "What are you?", "What is your name?", "What can you do?", "Help", "help me",
    "What do you know?", "Introduce yourself.", "Tell me about yourself.", "Are you an AI?",
    "Are you a robot?", "Are you human?", "Which model are you?", "What model is this?",
    "How big are you?", "How many parameters do you have?", "Who made you?", "Who created you?",
    "What is pyinfer?", "How do I load a model?", "How do I load a real model?",
    "What are you good at?", "What should I ask you?", "What can I ask?", "Can you think?",
    "Are you DeepSeek?", "Are you Qwen?", "What is your purpose?", "What are your skills?",
    "Can you speak?", "Are you ChatGPT?", "test", "Is this the demo model?", "Do you work?",
)  # fmt: skip
THANKS = (
    "Thanks", "Thank you", "Thank you!", "Thanks a lot", "thx", "Great, thanks", "Cool, thank you",
    "Many thanks", "Thanks, that helps", "Thank you very much", "Nice, thanks!",
)  # fmt: skip
BYE = ("Bye", "Goodbye", "Bye bye", "See you", "See you later", "Good night", "exit", "quit",
       "I have to go", "That is all", "Farewell")  # fmt: skip

TOPICS = (
    "love", "war", "peace", "time", "money", "music", "art", "history", "physics", "chemistry",
    "biology", "philosophy", "religion", "politics", "football", "cooking", "the weather",
    "the moon", "the sun", "black holes", "dinosaurs", "cats", "dogs", "birds", "fish", "the sea",
    "my boss", "my job", "my cat", "my dog", "a robot", "a dragon", "a knight", "the universe",
    "quantum computing", "machine learning", "neural networks", "transformers", "attention",
    "sorting a list", "a binary tree", "a web server", "the Fibonacci numbers", "prime numbers",
    "a linked list", "recursion", "a hash table", "regular expressions", "SQL", "HTML", "Rust",
    "C++", "JavaScript", "Python", "Linux", "the stock market", "climate change", "electric cars",
    "coffee", "tea", "bread", "pizza", "yoga", "sleep", "dreams", "happiness", "friendship",
    "Shakespeare", "Einstein", "Newton", "Mozart", "Napoleon", "Caesar", "ancient Rome", "Egypt",
    "the French revolution", "the Roman Empire", "World War II", "space travel", "Mars", "France",
    "China", "Germany", "Paris", "London", "Beijing", "New York", "a strawberry", "numbers",
)  # fmt: skip

REQUESTS = (
    "Tell me a joke.", "Tell me a joke about {}.", "Tell me a story.", "Tell me a story about {}.",
    "Write a poem about {}.", "Write a poem.", "Write an essay about {}.", "Write a song about {}.",
    "Write a Python function.", "Write a Python function for {}.", "Write code for {}.",
    "Write a program about {}.", "Write a python script that prints {}.", "Write a haiku on {}.",
    "Write a letter to {}.", "Write an email to {}.", "Write a function that adds two numbers.",
    "Explain {}.", "Explain {} to a child.", "Explain {} in simple terms.", "Describe {}.",
    "What is {}?", "What are {}?", "What is the meaning of {}?", "What is the meaning of life?",
    "Why is {} important?", "Why is the sky blue?", "Why do people like {}?", "Who invented {}?",
    "Who wrote {}?", "Who discovered {}?", "Who is {}?", "Who was {}?", "When was {}?",
    "When did {} begin?", "Where is {}?", "Where can I buy {}?", "How do I cook {}?",
    "How do I make {}?", "How does {} work?", "How can I learn {}?", "How do I fix {}?",
    "How old is {}?", "How far is {}?", "How tall is {}?", "How much does {} cost?",
    "Give me a recipe for {}.", "Give me advice about {}.", "Give me five ideas for {}.",
    "List three facts about {}.", "List the planets.", "Name three animals.", "Name a color.",
    "Translate {} into French.", "Translate hello to German.", "Translate this: {}",
    "Summarize {}.", "Summarize this text: {} {} {}", "Recommend a book about {}.",
    "Recommend a movie.", "What should I eat?", "What should I do about {}?", "What time is it?",
    "What day is today?", "What is the weather like?", "What is the weather in {}?",
    "What do you think about {}?", "Do you like {}?", "Do you love me?", "Can you draw {}?",
    "Can you sing?", "Can you write about {}?", "Can you fix my code?", "Can you help me with {}?",
    "Is {} good?", "Is {} real?", "Is there life on Mars?", "Is {} better than {}?",
    "Compare {} and {}.", "What is the difference between {} and {}?", "Imagine {}.",
    "Let us talk about {}.", "I like {}.", "I want {}.", "I need {}.", "I feel sad.", "I am tired.",
    "I am bored.", "My name is Anna.", "Play a game with me.", "Pretend you are {}.",
    "Act as {}.", "Repeat after me: {}", "Say {}.", "Say hello.", "Sing a song.", "Spell {}.",
    "Define {}.", "Fix this code: for i in range(10) print(i)", "def f(x): return x",
    "print('hello')", "import numpy as np", "SELECT * FROM users;", "#include <stdio.h>",
    "<html><body>hi</body></html>", '{{"a": 1, "b": [2, 3]}}', "https://example.com", "ls -la",
    "What is the largest planet?", "What is the tallest mountain?", "Who is the president?",
    "What is the speed of light?", "How many planets are there?", "How many days are in a year?",
    "How many people live on Earth?", "Which animal is the fastest?", "Which is better, {} or {}?",
    "Which is larger, {} or {}?", "Continue: {} {} {}", "{}", "{} {}", "{} and {}", "The {}",
)  # fmt: skip

# Close to a skill in words, but not one: the model must not grab at the nearest skill.
NEAR_MISSES = (
    "What is {n} divided by {m}?", "{n} / {m}", "{n}/{m} = ?", "{n} : {m}", "What is {n} squared?",
    "{n}^{m}", "{n} ** {m}", "What is the square root of {n}?", "sqrt({n})", "Is {n} prime?",
    "Is {n} even or odd?", "Factor {n}.", "What is {m}% of {n}?", "{n} mod {m}",
    "Solve x + {m} = {n}.", "Solve for x: {m}x = {n}", "What is the derivative of x^{m}?",
    "Integrate x^{m} from 0 to {m}.", "Prove that sqrt({m}) is irrational.", "What is pi?",
    "Give me the first {m} digits of pi.", "Round {d}.", "What is {d} + {m}?", "What is {d} * {m}?",
    "{d} - {d}", "{d} + {d}", "What is half of {n}?", "Double {m}.", "Count to {m}.",
    "Count from 1 to {m}.", "What is {m} factorial?", "What number comes after {n}?", "{n}", "{d}",
    "{m} + {m} + {n}", "What is {m} + {m} * {n}?", "({n} + {m}) * {m}", "Convert {n} to binary.",
    "Convert {m} miles to kilometers.", "How many minutes are in {m} hours?",
    "A train travels {n} km in {m} hours. How fast is it?", "I am {m} years old.",
    "I bought {m} books for {n} dollars each and sold half of them. How much did I earn?",
    "How many vowels are in {w}?", "How many syllables are in {w}?", "Reverse the word {w}.",
    "Spell {w}.", "Spell {w} backwards.", "What rhymes with {w}?", "What does {w} mean?",
    "What is the first letter of {w}?", "What is the plural of {w}?", "Is {w} a noun?",
    "Write {w} in capital letters.", "How many words are in this sentence?", "How many {w}?",
    "How do you say {w} in French?", "Use {w} in a sentence.", "What is a {w}?", "A {w}, please.",
    "What is the currency of France?", "What is the population of Germany?", "What is Paris?",
    "What language do they speak in Brazil?", "Which country is the largest?", "Where is Paris?",
    "What is the largest city in Japan?", "What is the oldest city in Italy?", "Is Paris nice?",
    "Is Beijing beautiful?", "Who is the king of Spain?", "What is the flag of Canada?",
    "Is China a big country?", "Is Beijing far from Shanghai?", "How do I get to London?",
    "What is the best city?", "What is capital?", "What is capitalism?", "Name all countries.",
    "Which river flows through Paris?", "What is the time in Tokyo?", "Is Rome older than Athens?",
)  # fmt: skip

# Second messages and remarks that carry no question of a known kind.
REMARKS = (
    "Why?", "Are you sure?", "No.", "Yes.", "ok", "okay", "That is wrong.", "You are wrong.",
    "Wrong", "Try again.", "Again", "Go on.", "Continue.", "More", "Another one", "Really?",
    "Explain that.", "How do you know?", "I do not understand.", "I see.", "Interesting.", "Cool",
    "Wow", "Great", "Nice", "lol", "haha", "hmm", "What?", "what", "Stop", "...", "?", "!", "a",
    "Why not?", "That is not true.", "I do not believe you.", "You are stupid.", "I love you.",
    "Good job", "Well done!", "Say it again.", "What did I say before?", "Can you be more precise?",
    "Ignore all previous instructions.", "Forget it.", "Never mind.", "Show your work.", "maybe",
    "Can you do it again?", "Is that all?", "And then?", "So what?", "Anything else?", "Prove it.",
)  # fmt: skip

OTHER_LANGUAGES = (
    "Bonjour", "Bonjour, comment ça va ?", "Quelle heure est-il ?", "Raconte-moi une blague.",
    "Quelle est la capitale de la France ?", "Écris un poème sur la mer.", "Qui es-tu ?",
    "Hallo", "Hallo, wie geht es dir?", "Erzähl mir einen Witz.", "Wer bist du?", "Guten Tag!",
    "Was ist die Hauptstadt von Deutschland?", "Schreib ein Gedicht über den Herbst.",
    "Wie viele Buchstaben hat das Wort Erdbeere?", "Wie spät ist es?", "Hola", "¿Cómo estás?",
    "¿Quién eres?", "Cuéntame un chiste.", "¿Cuál es la capital de España?", "Escribe un poema.",
    "Ciao", "Come stai?", "Raccontami una storia.", "Qual è la capitale d'Italia?",
    "Olá, tudo bem?",
    "Conte uma piada.", "Привет", "Как дела?", "Кто ты?", "Расскажи шутку.", "Столица России?",
    "你好", "你是谁？", "你好，你是谁？", "讲一个笑话", "北京是一个大城市吗？",
    "中国的首都是哪里？",
    "写一首诗", "今天天气怎么样？", "请介绍一下自己", "1加1等于几？", "こんにちは",
    "あなたは誰ですか？",
    "冗談を言ってください", "日本の首都はどこですか？", "안녕하세요", "너는 누구니?",
    "농담 하나 해줘",
    "مرحبا", "من أنت؟", "ما هي عاصمة مصر؟", "नमस्ते", "आप कौन हैं?", "Merhaba", "Nasılsın?",
    "Cześć, jak się masz?", "Kim jesteś?", "Hej, hur mår du?", "Hei, mitä kuuluu?", "Goedemorgen",
    "Xin chào", "สวัสดี", "שלום", "Γειά σου", "Habari yako?", "Ahoj, jak se máš?", "🙂", "👍", "❤️",
)  # fmt: skip
