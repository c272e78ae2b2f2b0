// Text inside a paragraph: code, emphasis, links, formulas. Builds DOM nodes; nothing of the text is
// ever read as HTML. Emphasis follows CommonMark's delimiter rule, so runs that do not close stay.

import { element } from "./dom.js";
import { formula } from "./math.js";

const LONGEST_LINK = 1000; // characters looked through for the end of a link
const SAFE = /^(?:https?:\/\/|mailto:)[^\s<>"]+$/i;
const BARE = /^https?:\/\/[^\s<>"'`|]+/i;
// Not the full-width signs: Chinese has no spaces beside them, and models set bold around them.
const PUNCTUATION = /[!-/:-@[-`{-~]/;

/** Inline nodes of a text. `links` is false inside a link. */
export function inline(text, links = true) {
  const reader = new Reader(text, links);
  reader.run();
  return nest(reader.tokens);
}

/** Link that leaves the page without telling where it was; null for an address that is not safe. */
function link(address, ...children) {
  if (!SAFE.test(address)) return null;
  const rel = "noopener noreferrer nofollow";
  return element("a", { href: address, target: "_blank", rel }, ...children);
}

class Reader {
  constructor(text, links) {
    this.text = text;
    this.links = links;
    this.at = 0;
    this.plain = "";
    this.tokens = [];
    this.missing = new Set(); // closers that do not come any more: looked for once
  }

  run() {
    while (this.at < this.text.length) {
      const read = READERS[this.text[this.at]];
      if (!read || !read.call(this)) this.plain += this.text[this.at++];
    }
    this.flush();
  }

  flush() {
    if (this.plain) this.tokens.push({ node: document.createTextNode(this.plain) });
    this.plain = "";
  }

  /** Add nodes and go on at `next`. */
  take(next, ...nodes) {
    this.flush();
    for (const node of nodes) this.tokens.push({ node });
    this.at = next;
    return true;
  }

  /** Index of a closer at or after `from`, or -1; what is missing once is not looked for again. */
  find(closer, from) {
    if (this.missing.has(closer)) return -1;
    const found = this.text.indexOf(closer, from);
    if (found < 0) this.missing.add(closer);
    return found;
  }

  escape() {
    const next = this.text[this.at + 1];
    if (next === "(" || next === "[") {
      const end = this.find(next === "(" ? "\\)" : "\\]", this.at + 2);
      if (end > 0) {
        return this.take(end + 2, formula(this.text.slice(this.at + 2, end), next === "["));
      }
    }
    if (next === "\n") return this.take(this.at + 2, element("br"));
    if (next === undefined || !/[!-/:-@[-`{-~]/.test(next)) return false;
    this.plain += next;
    this.at += 2;
    return true;
  }

  code() {
    const run = /^`+/.exec(this.text.slice(this.at, this.at + 64))[0];
    let end = this.at + run.length;
    while ((end = this.find(run, end)) >= 0) {
      const after = end + run.length;
      if (this.text[end - 1] !== "`" && this.text[after] !== "`") {
        let code = this.text.slice(this.at + run.length, end).replace(/\n/g, " ");
        if (code.startsWith(" ") && code.endsWith(" ") && code.trim()) code = code.slice(1, -1);
        return this.take(after, element("code", {}, code));
      }
      while (this.text[end] === "`") end++;
    }
    this.plain += run;
    this.at += run.length;
    return true;
  }

  dollar() {
    const display = this.text[this.at + 1] === "$";
    const start = this.at + (display ? 2 : 1);
    const end = this.find(display ? "$$" : "$", start);
    if (end <= start) return false;
    const inner = this.text.slice(start, end);
    // Prices are no formulas: "$5 and $10".
    if (!display && (/^\s|\s$|\n/.test(inner) || /\d/.test(this.text[end + 1] ?? ""))) return false;
    return this.take(end + (display ? 2 : 1), formula(inner, display));
  }

  delimiter() {
    const sign = this.text[this.at];
    let end = this.at;
    while (this.text[end] === sign) end++;
    const count = end - this.at;
    if (sign === "~" && count !== 2) return false;
    const before = this.text[this.at - 1] ?? " ";
    const after = this.text[end] ?? " ";
    const leftFlanking = !/\s/.test(after) &&
      (!PUNCTUATION.test(after) || /\s/.test(before) || PUNCTUATION.test(before));
    const rightFlanking = !/\s/.test(before) &&
      (!PUNCTUATION.test(before) || /\s/.test(after) || PUNCTUATION.test(after));
    const inWord = sign === "_" && leftFlanking && rightFlanking;
    this.flush();
    this.tokens.push({
      sign, count, width: count,
      opens: leftFlanking && (!inWord || PUNCTUATION.test(before)),
      closes: rightFlanking && (!inWord || PUNCTUATION.test(after)),
    });
    this.at = end;
    return true;
  }

  bracket() {
    return this.links && this.linkFrom(this.at);
  }

  /** Pictures are not fetched: they become links to what they show. */
  image() {
    return this.links && this.text[this.at + 1] === "[" && this.linkFrom(this.at + 1);
  }

  linkFrom(open) {
    let depth = 0;
    let close = open;
    const limit = Math.min(this.text.length, open + LONGEST_LINK);
    for (; close < limit; close++) {
      const sign = this.text[close];
      if (sign === "\\") close++;
      else if (sign === "[") depth++;
      else if (sign === "]" && --depth === 0) break;
    }
    if (close >= limit || this.text[close + 1] !== "(") return false;
    const target = /^\(\s*<?((?:[^\s()<>]|\([^\s()<>]{0,500}\))*)>?(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)/
      .exec(this.text.slice(close + 1, close + 1 + LONGEST_LINK));
    if (!target) return false;
    const label = this.text.slice(open + 1, close);
    const node = link(target[1], ...inline(label || target[1], false));
    return node !== null && this.take(close + 1 + target[0].length, node);
  }

  angle() {
    const head = this.text.slice(this.at, this.at + LONGEST_LINK);
    const lineBreak = /^<br\s{0,3}\/?>/i.exec(head);
    if (lineBreak) return this.take(this.at + lineBreak[0].length, element("br"));
    const address = /^<((?:https?:\/\/|mailto:)[^\s<>]+)>/i.exec(head);
    const node = address && this.links ? link(address[1], address[1]) : null;
    return node !== null && this.take(this.at + address[0].length, node);
  }

  address() {
    if (!this.links || /[\w/]/.test(this.text[this.at - 1] ?? " ")) return false;
    const found = BARE.exec(this.text.slice(this.at, this.at + LONGEST_LINK));
    if (!found) return false;
    let url = found[0].replace(/[.,;:!?*_~]+$/, "");
    while (url.endsWith(")") && url.split(")").length > url.split("(").length) url = url.slice(0, -1);
    const node = link(url, url);
    return node !== null && this.take(this.at + url.length, node);
  }

  line() {
    this.plain = this.plain.trimEnd();
    return this.take(this.at + 1, element("br"));
  }
}

const { escape, code, dollar, delimiter, bracket, image, angle, address, line } = Reader.prototype;
const READERS = {
  "\\": escape, "`": code, "$": dollar, "*": delimiter, _: delimiter, "~": delimiter,
  "[": bracket, "!": image, "<": angle, h: address, H: address, "\n": line,
};

/** Pair delimiters and build the elements that they mean. */
function nest(tokens) {
  const bottom = {}; // below this index no opener fits a closer of this kind
  for (let at = 0; at < tokens.length; at++) {
    const closer = tokens[at];
    if (!closer.closes || !closer.count) continue;
    const kind = `${closer.sign}${closer.opens}${closer.width % 3}`;
    let from = at - 1;
    const floor = bottom[kind] ?? 0;
    while (from >= floor && !pairs(tokens[from], closer)) from--;
    if (from < floor) {
      bottom[kind] = at;
      continue;
    }
    const opener = tokens[from];
    const width = closer.sign === "~" || Math.min(opener.count, closer.count) >= 2 ? 2 : 1;
    const tag = closer.sign === "~" ? "del" : width === 2 ? "strong" : "em";
    const inner = tokens.splice(from + 1, at - from - 1).map(nodeOf);
    opener.count -= width;
    closer.count -= width;
    tokens.splice(from + 1, 0, { node: element(tag, {}, ...inner) });
    if (!opener.count) tokens.splice(from, 1);
    at = tokens.indexOf(closer, from) - 1; // the rest of the closer may close more
    for (const key of Object.keys(bottom)) bottom[key] = Math.min(bottom[key], from);
  }
  return tokens.map(nodeOf);
}

function pairs(opener, closer) {
  if (!opener.opens || !opener.count || opener.sign !== closer.sign) return false;
  // A run that both opens and closes pairs only where the lengths cannot be meant otherwise.
  const both = opener.closes || closer.opens;
  const sum = opener.width + closer.width;
  return !both || sum % 3 !== 0 || (opener.width % 3 === 0 && closer.width % 3 === 0);
}

const nodeOf = (token) =>
  token.node ?? document.createTextNode(token.sign.repeat(token.count));
