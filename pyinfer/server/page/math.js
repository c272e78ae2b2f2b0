// Formulas in the part of LaTeX that models write, as MathML. What is not understood stays as it was
// written, in the face of code.

import { element } from "./dom.js";

const MATHML = "http://www.w3.org/1998/Math/MathML";
const DEEPEST = 40;

const SIGNS = {
  times: "×", cdot: "·", div: "÷", pm: "±", mp: "∓", ast: "∗", star: "⋆", circ: "∘", bullet: "•",
  le: "≤", leq: "≤", ge: "≥", geq: "≥", lt: "<", gt: ">", ne: "≠", neq: "≠", approx: "≈", equiv: "≡",
  sim: "∼", simeq: "≃", cong: "≅", propto: "∝", ll: "≪", gg: "≫", to: "→", rightarrow: "→",
  leftarrow: "←", Rightarrow: "⇒", Leftarrow: "⇐", implies: "⟹", iff: "⟺", Leftrightarrow: "⇔",
  leftrightarrow: "↔", mapsto: "↦", uparrow: "↑", downarrow: "↓", in: "∈", notin: "∉", ni: "∋",
  subset: "⊂", subseteq: "⊆", supset: "⊃", supseteq: "⊇", cup: "∪", cap: "∩", setminus: "∖",
  emptyset: "∅", varnothing: "∅", forall: "∀", exists: "∃", neg: "¬", lnot: "¬", land: "∧",
  wedge: "∧", lor: "∨", vee: "∨", oplus: "⊕", otimes: "⊗", perp: "⊥", parallel: "∥", mid: "∣",
  angle: "∠", triangle: "△", therefore: "∴", because: "∵", sum: "∑", prod: "∏", int: "∫", oint: "∮",
  iint: "∬", partial: "∂", nabla: "∇", ldots: "…", dots: "…", cdots: "⋯", vdots: "⋮", ddots: "⋱",
  lfloor: "⌊", rfloor: "⌋", lceil: "⌈", rceil: "⌉", langle: "⟨", rangle: "⟩", vert: "|", Vert: "‖",
  lbrace: "{", rbrace: "}", backslash: "\\", "{": "{", "}": "}", "|": "‖", "%": "%", "#": "#",
  "&": "&", _: "_", $: "$", colon: ":", prime: "′", surd: "√", checkmark: "✓",
};
const LETTERS = {
  alpha: "α", beta: "β", gamma: "γ", delta: "δ", epsilon: "ϵ", varepsilon: "ε", zeta: "ζ", eta: "η",
  theta: "θ", vartheta: "ϑ", iota: "ι", kappa: "κ", lambda: "λ", mu: "μ", nu: "ν", xi: "ξ", pi: "π",
  rho: "ρ", sigma: "σ", tau: "τ", upsilon: "υ", phi: "ϕ", varphi: "φ", chi: "χ", psi: "ψ", omega: "ω",
  Gamma: "Γ", Delta: "Δ", Theta: "Θ", Lambda: "Λ", Xi: "Ξ", Pi: "Π", Sigma: "Σ", Upsilon: "Υ",
  Phi: "Φ", Psi: "Ψ", Omega: "Ω", infty: "∞", hbar: "ℏ", ell: "ℓ", Re: "ℜ", Im: "ℑ", aleph: "ℵ",
  degree: "°",
};
const FUNCTIONS = new Set(["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan",
  "sinh", "cosh", "tanh", "log", "ln", "lg", "exp", "lim", "max", "min", "sup", "inf", "gcd", "det",
  "dim", "ker", "arg", "deg", "Pr", "mod", "bmod"]);
const SPACES = { ",": 0.17, ":": 0.22, ";": 0.28, " ": 0.33, "!": 0, quad: 1, qquad: 2, "\n": 0.33 };
const TEXT = new Set(["text", "textbf", "textit", "textrm", "mathrm", "operatorname", "mbox", "mathsf"]);
const LOOKS = { mathbf: "bold", boldsymbol: "bold", mathbb: "double-struck", mathcal: "script" };
const ACCENTS = { hat: "^", widehat: "^", bar: "‾", overline: "‾", vec: "→", dot: "˙", ddot: "¨",
  tilde: "~", widetilde: "~", overrightarrow: "→" };
const SIZES = new Set(["displaystyle", "textstyle", "limits", "nolimits", "big", "Big", "bigg",
  "Bigg", "bigl", "bigr", "Bigl", "Bigr", "rm", "bf"]);
const ABOVE = new Set(["∑", "∏", "lim", "max", "min", "sup", "inf"]);
const TABLES = new Set(["aligned", "align", "align*", "gathered", "cases", "matrix", "pmatrix",
  "bmatrix", "vmatrix", "array", "split", "equation", "equation*"]);
const FENCES = { pmatrix: "()", bmatrix: "[]", vmatrix: "||", cases: "{" };

/** Node of a formula; `display` for one that stands alone. */
export function formula(source, display) {
  const shown = source.trim();
  try {
    const math = node("math", ...new Parser(shown, display).all());
    if (display) math.setAttribute("display", "block");
    math.setAttribute("title", shown);
    return math;
  } catch (error) {
    if (!(error instanceof NotUnderstood)) throw error;
    return element("code", { class: display ? "formula display" : "formula" }, shown);
  }
}

class NotUnderstood extends Error {}

function node(tag, ...children) {
  const made = document.createElementNS(MATHML, tag);
  made.append(...children);
  return made;
}

const known = Object.hasOwn;
const row = (nodes) => (nodes.length === 1 ? nodes[0] : node("mrow", ...nodes));

function space(width) {
  const made = node("mspace");
  made.setAttribute("width", `${width}em`);
  return made;
}

class Parser {
  constructor(source, display) {
    this.tokens = source.match(/\\[A-Za-z]+|\\[^]|\d+(?:[.,]\d+)*|\s+|[^]/gu) ?? [];
    this.display = display;
    this.at = 0;
    this.depth = 0;
  }

  all() {
    const nodes = this.until(() => this.at >= this.tokens.length);
    if (!nodes.length) throw new NotUnderstood();
    return nodes;
  }

  skip() {
    while (/^\s+$/.test(this.tokens[this.at] ?? "")) this.at++;
  }

  until(done) {
    if (++this.depth > DEEPEST) throw new NotUnderstood();
    const nodes = [];
    for (this.skip(); !done(); this.skip()) {
      if (this.at >= this.tokens.length) throw new NotUnderstood();
      const named = FUNCTIONS.has(this.tokens[this.at].slice(1));
      const made = this.scripts(this.atom());
      if (made) nodes.push(made);
      if (named && /^[\d\\a-zA-Z]/.test(this.tokens[this.at] ?? "")) nodes.push(space(0.17));
    }
    this.depth--;
    return nodes;
  }

  group() {
    this.skip();
    if (this.tokens[this.at] !== "{") return this.atom() ?? node("mrow");
    this.at++;
    const inner = this.until(() => this.tokens[this.at] === "}");
    this.at++;
    return row(inner);
  }

  /** Text of a group as it stands. */
  plain() {
    this.skip();
    if (this.tokens[this.at] !== "{") throw new NotUnderstood();
    const end = this.tokens.indexOf("}", this.at);
    if (end < 0) throw new NotUnderstood();
    const words = this.tokens.slice(this.at + 1, end);
    if (words.includes("{")) throw new NotUnderstood();
    this.at = end + 1;
    return words.map((word) => (/^\\[^A-Za-z]/.test(word) ? word[1] : word)).join("");
  }

  scripts(base) {
    if (!base) return null;
    let below = null;
    let above = null;
    for (this.skip(); /^[_^']$/.test(this.tokens[this.at] ?? ""); this.skip()) {
      const sign = this.tokens[this.at++];
      if (sign === "'") above = row([above, node("mo", "′")].filter(Boolean));
      else if (sign === "_") below = this.group();
      else above = this.group();
    }
    if (!below && !above) return base;
    const stacked = this.display && ABOVE.has(base.textContent);
    const tag = below && above ? (stacked ? "munderover" : "msubsup")
      : below ? (stacked ? "munder" : "msub") : stacked ? "mover" : "msup";
    return node(tag, base, ...[below, above].filter(Boolean));
  }

  atom() {
    const token = this.tokens[this.at++];
    if (token === undefined || token === "}" || token === "&" || token === "^" || token === "_") {
      throw new NotUnderstood();
    }
    if (token === "{") {
      this.at--;
      return this.group();
    }
    if (token[0] === "\\") return this.command(token.slice(1));
    if (/^\d/.test(token)) return node("mn", token);
    if (/^\p{L}/u.test(token)) return node("mi", token);
    return node("mo", token === "-" ? "−" : token);
  }

  command(name) {
    if (known(SIGNS, name)) return node("mo", SIGNS[name]);
    if (known(LETTERS, name)) return node("mi", LETTERS[name]);
    if (FUNCTIONS.has(name)) return node("mi", name);
    if (SIZES.has(name)) return null;
    if (known(SPACES, name)) return space(SPACES[name]);
    if (TEXT.has(name)) return node("mtext", this.plain().replace(/^ | $/g, "\u00a0"));
    if (known(LOOKS, name)) return this.styled(LOOKS[name]);
    if (known(ACCENTS, name)) return accented("mover", this.group(), ACCENTS[name]);
    if (name === "underline") return accented("munder", this.group(), "_");
    if (!known(COMMANDS, name)) throw new NotUnderstood();
    return COMMANDS[name](this);
  }

  styled(variant) {
    return node("mi", [...this.plain()].map(LOOK[variant]).join(""));
  }

  fence() {
    this.skip();
    const token = this.tokens[this.at++] ?? "";
    if (token === ".") return "";
    if (token.length === 1) return token;
    if (!known(SIGNS, token.slice(1))) throw new NotUnderstood();
    return SIGNS[token.slice(1)];
  }

  root() {
    this.skip();
    if (this.tokens[this.at] !== "[") return node("msqrt", this.group());
    this.at++;
    const degree = row(this.until(() => this.tokens[this.at] === "]"));
    this.at++;
    return node("mroot", this.group(), degree);
  }

  table() {
    const name = this.plain();
    if (!TABLES.has(name)) throw new NotUnderstood();
    if (name === "array") this.plain();
    const rows = [[]];
    for (;;) {
      const stop = () => ["&", "\\\\", "\\end"].includes(this.tokens[this.at]);
      rows.at(-1).push(node("mtd", ...this.until(stop)));
      const token = this.tokens[this.at++];
      if (token === "\\\\") rows.push([]);
      else if (token === "\\end") break;
    }
    this.plain();
    if (rows.at(-1).every((cell) => !cell.childNodes.length)) rows.pop();
    const table = node("mtable", ...rows.map((cells) => node("mtr", ...cells)));
    table.setAttribute("class", name.replace("*", ""));
    const [open, close] = FENCES[name] ?? [];
    return node("mrow", ...(open ? [node("mo", open)] : []), table, ...(close ? [node("mo", close)] : []));
  }
}

function accented(tag, base, sign) {
  const made = node(tag, base, node("mo", sign));
  made.setAttribute("accent", "true");
  return made;
}

function boxed(parser) {
  const made = node("mrow", parser.group());
  made.setAttribute("class", "boxed");
  return made;
}

const fraction = (parser) => node("mfrac", parser.group(), parser.group());

function fenced(parser) {
  const open = parser.fence();
  const inner = parser.until(() => parser.tokens[parser.at] === "\\right");
  parser.at++;
  const close = parser.fence();
  const sides = [open, close].map((sign) => (sign ? [node("mo", sign)] : []));
  return node("mrow", ...sides[0], ...inner, ...sides[1]);
}

function binomial(parser) {
  const line = node("mfrac", parser.group(), parser.group());
  line.setAttribute("linethickness", "0");
  return node("mrow", node("mo", "("), line, node("mo", ")"));
}

const COMMANDS = {
  frac: fraction, dfrac: fraction, tfrac: fraction, cfrac: fraction, binom: binomial, boxed, fbox: boxed,
  left: fenced, sqrt: (parser) => parser.root(), begin: (parser) => parser.table(),
  pmod: (parser) => node("mrow", node("mo", "("), node("mi", "mod"), node("mspace"), parser.group(), node("mo", ")")),
};

/** Letters of a style at their own code points, as MathML Core wants them. */
const shifted = (upper, lower, digit) => (letter) => {
  const code = letter.codePointAt(0);
  if (letter >= "A" && letter <= "Z") return String.fromCodePoint(upper + code - 65);
  if (letter >= "a" && letter <= "z" && lower) return String.fromCodePoint(lower + code - 97);
  if (letter >= "0" && letter <= "9" && digit) return String.fromCodePoint(digit + code - 48);
  return letter;
};
const COMMON = { C: "ℂ", H: "ℍ", N: "ℕ", P: "ℙ", Q: "ℚ", R: "ℝ", Z: "ℤ" };
const blackboard = shifted(0x1d538, 0x1d552, 0x1d7d8);
const SCRIPT = { B: "ℬ", E: "ℰ", F: "ℱ", H: "ℋ", I: "ℐ", L: "ℒ", M: "ℳ", R: "ℛ" };
const script = shifted(0x1d49c);
const LOOK = {
  bold: shifted(0x1d400, 0x1d41a, 0x1d7ce),
  "double-struck": (letter) => COMMON[letter] ?? blackboard(letter),
  script: (letter) => SCRIPT[letter] ?? script(letter),
};
