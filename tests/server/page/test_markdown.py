"""Markdown of models as nodes of the page, seen in a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .scripted_server import ScriptedServer

# Renders a text with the page's own modules; gives tags, texts and addresses, nothing else.
RENDER = """async ([text, step]) => {
  const { render } = await import("/page/markdown.js");
  const box = document.createElement("div");
  for (let end = step; end < text.length; end += step) render(box, text.slice(0, end));
  render(box, text);
  const show = (node) => {
    if (node.nodeType === 3) return node.data.replaceAll("<", "&lt;");
    if (node.className === "code") {
      return `<code:${node.querySelector(".code-head").textContent}>` +
        `${show(node.querySelector("code").firstChild ?? new Text())}</code>`;
    }
    const tag = node.localName;
    if (tag === "div") return [...node.childNodes].map(show).join("");
    const extra = ["href", "start"].filter((name) => node.hasAttribute(name))
      .map((name) => ` ${name}=${node.getAttribute(name)}`).join("");
    const side = /^to-(right|center)$/.exec(node.className)?.[1];
    const head = `<${tag}${extra}${side ? ` ${side}` : ""}${node.checked ? " checked" : ""}>`;
    return ["br", "hr", "input"].includes(tag) ? head
      : `${head}${[...node.childNodes].map(show).join("")}</${tag}>`;
  };
  return show(box);
}"""
MATH = """async ([text, display]) => {
  const { formula } = await import("/page/math.js");
  const node = formula(text, display);
  node.removeAttribute("title");
  return node.outerHTML.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "");
}"""

CASES = {
    "one\ntwo\n\nthree": "<p>one<br>two</p><p>three</p>",
    "a **bold** and *slanted* __b__ _s_ ***both***":
        "<p>a <strong>bold</strong> and <em>slanted</em> <strong>b</strong> <em>s</em> "
        "<em><strong>both</strong></em></p>",
    "2 * 3 * 4, snake_case_name, **open": "<p>2 * 3 * 4, snake_case_name, **open</p>",
    "*a **b** c* ~~gone~~ ~one~": "<p><em>a <strong>b</strong> c</em> <del>gone</del> ~one~</p>",
    "**注意：**这里": "<p><strong>注意：</strong>这里</p>",
    r"\*not\* \`code\` \# 5 \a": r"<p>*not* `code` # 5 \a</p>",
    "`a*b*` ``x ` y`` `open": "<p><code>a*b*</code> <code>x ` y</code> `open</p>",
    "# One\n## Two ##\n#no": "<h2>One</h2><h3>Two</h3><p>#no</p>",
    "a\n\n---\n\n***\nb": "<p>a</p><hr><hr><p>b</p>",
    "- a\n- b\n  - c\n\nafter": "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>after</p>",
    "1. a\n  - b\n2. c": "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>",
    "3) a\n4) b": "<ol start=3><li>a</li><li>b</li></ol>",
    "- a\n\n- b": "<ul><li><p>a</p></li><li><p>b</p></li></ul>",
    "- a\nstill a\n\nnot a": "<ul><li>a<br>still a</li></ul><p>not a</p>",
    "1. x\n\n   ```sh\n   ls\n   ```\n2. y":
        "<ol><li><p>x</p><code:sh>ls</code></li><li><p>y</p></li></ol>",
    "- [ ] a\n- [x] b": "<ul><li><input> a</li><li><input checked> b</li></ul>",
    "text\n- a": "<p>text</p><ul><li>a</li></ul>",
    "> a\nb\n> - c\n\nd": "<blockquote><p>a<br>b</p><ul><li>c</li></ul></blockquote><p>d</p>",
    "```python\nx = '<b>'\n\n# y\n```\nafter":
        "<code:python>x = '&lt;b>'\n\n# y</code><p>after</p>",
    "~~~\n```\n~~~": "<code:text>```</code>",
    "```js\nopen": "<code:js>open</code>",
    "|a|b|c|\n|-|:-:|-:|\n|1|`x|y`|3|\n|4|\\||": "<table><thead><tr><th>a</th><th center>b</th>"
        "<th right>c</th></tr></thead><tbody><tr><td>1</td><td center><code>x|y</code></td>"
        "<td right>3</td></tr><tr><td>4</td><td center>|</td><td right></td></tr></tbody></table>",
    "a | b": "<p>a | b</p>",
    "[a *b*](https://x.org/p_(q)?r=1 't') [no](javascript:alert(1)) [d](data:text/html,x)":
        "<p><a href=https://x.org/p_(q)?r=1>a <em>b</em></a> [no](javascript:alert(1)) "
        "[d](data:text/html,x)</p>",
    "![pic](https://x.org/p.png) ![](https://x.org/q)": "<p><a href=https://x.org/p.png>pic</a> "
        "<a href=https://x.org/q>https://x.org/q</a></p>",
    "see https://x.org/a_b_c). <https://y.org> xhttps://z.org": "<p>see "
        "<a href=https://x.org/a_b_c>https://x.org/a_b_c</a>). "
        "<a href=https://y.org>https://y.org</a> xhttps://z.org</p>",
    "<b>x</b> <script>alert(1)</script><br>y &amp; z":
        "<p>&lt;b>x&lt;/b> &lt;script>alert(1)&lt;/script><br>y &amp; z</p>",
    "it costs $5 or $10": "<p>it costs $5 or $10</p>",
    "a\r\nb\rc": "<p>a<br>b<br>c</p>",
    "": "",
}  # fmt: skip

FORMULAS = {
    "x^2": "<math><msup><mi>x</mi><mn>2</mn></msup></math>",
    r"\frac{1}{2}": "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>",
    r"a_i^{2} \le \pi": "<math><msubsup><mi>a</mi><mi>i</mi><mn>2</mn></msubsup><mo>≤</mo>"
        "<mi>π</mi></math>",
    r"\sqrt[3]{8}": "<math><mroot><mn>8</mn><mn>3</mn></mroot></math>",
    r"\boxed{9.9}": '<math><mrow class="boxed"><mn>9.9</mn></mrow></math>',
    r"\text{two words}": "<math><mtext>two words</mtext></math>",
    r"\left( x \right)": "<math><mrow><mo>(</mo><mi>x</mi><mo>)</mo></mrow></math>",
    r"\mathbb{R}": "<math><mi>ℝ</mi></math>",
    r"f'": "<math><msup><mi>f</mi><mo>′</mo></msup></math>",
    # What is not understood stays readable.
    r"\weird{x}": r'<code class="formula">\weird{x}</code>',
    r"\constructor": r'<code class="formula">\constructor</code>',
    r"\frac{1}{": r'<code class="formula">\frac{1}{</code>',
    "{" * 99: f'<code class="formula">{"{" * 99}</code>',
}  # fmt: skip


@pytest.fixture
def evaluate(
    script: ScriptedServer, open_page: Callable[..., Any]
) -> Callable[[str, object], object]:
    """Call JavaScript on the page."""
    return open_page(script.url).evaluate  # type: ignore[no-any-return]


def test_markdown_becomes_nodes(evaluate: Callable[[str, object], object]) -> None:
    shown = {text: evaluate(RENDER, [text, len(text) + 1]) for text in CASES}
    assert shown == CASES


def test_text_that_grows_ends_like_text_at_once(evaluate: Callable[[str, object], object]) -> None:
    for text in CASES:
        whole = evaluate(RENDER, [text, len(text) + 1])
        assert evaluate(RENDER, [text, 1]) == whole, text
    everything = "\n\n".join(CASES)
    whole = evaluate(RENDER, [everything, len(everything) + 1])
    assert evaluate(RENDER, [everything, 7]) == whole


def test_formulas_become_mathml(evaluate: Callable[[str, object], object]) -> None:
    assert {text: evaluate(MATH, [text, False]) for text in FORMULAS} == FORMULAS
    stacked = str(evaluate(MATH, [r"\sum_{i=1}^{n} i", True]))
    assert stacked.startswith('<math display="block"><munderover><mo>∑</mo>')


def test_formulas_are_found_in_text(evaluate: Callable[[str, object], object]) -> None:
    for text in ("so \\(x_1*y*z_2\\) is", "so $x_1*y*z_2$ is", "a\n\\[\nx_1\n\\]\nb", "$$x_1$$"):
        shown = str(evaluate(RENDER, [text, len(text) + 1]))
        assert "<math><" in shown, text
        assert "<em>" not in shown


def test_hostile_text_costs_little(evaluate: Callable[[str, object], object]) -> None:
    timed = "async ([text]) => { const { render } = await import('/page/markdown.js');"
    timed += "render(document.createElement('div'), text); return true; }"
    for sign in ("*", "_", "`", "[", "![", "> ", "- ", "$", "\\(", "|", "# ", "~~", "* a\n", "\n",
                 "<", "**a ", "```\n", " ", "h", "https://", "a|b\n-|-\n", "(("):  # fmt: skip
        assert evaluate(timed, [sign * (40_000 // len(sign))])


def test_what_was_shown_stays_while_more_comes(evaluate: Callable[[str, object], object]) -> None:
    kept = """async () => {
      const { render } = await import("/page/markdown.js");
      const box = document.createElement("div");
      render(box, "first\\n\\n```\\ncode\\n```\\n\\nla");
      const nodes = [...box.childNodes];
      render(box, "first\\n\\n```\\ncode\\n```\\n\\nlast");
      return nodes.map((node, n) => node === box.childNodes[n]);
    }"""
    assert evaluate(kept, None) == [True, True, False]
