// Markdown of a model as DOM nodes: headings, lists, code, tables, quotes, rules, formulas. What is
// still being written is shown as far as it has come (an open code block is a code block).

import { copyText, element, iconButton } from "./dom.js";
import { inline } from "./inline.js";
import { formula } from "./math.js";

const DEEPEST = 12; // nesting of lists and quotes; what is deeper is text
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?:\s(.*))?$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}(?=\S)| *$)/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const MATH = /^\s*(\\\[|\$\$)/;

/**
 * Show a text in a container. Called again with a longer text it keeps the blocks that did not
 * change, so a selection survives and a long answer costs only its last block.
 */
export function render(container, text) {
  const blocks = parse(text.replace(/\r\n?/g, "\n").split("\n"), 0);
  const shown = container.markdownSources ?? [];
  let same = 0;
  while (same < shown.length && same < blocks.length && shown[same] === blocks[same].source) same++;
  while (container.childNodes.length > same) container.lastChild.remove();
  for (const block of blocks.slice(same)) container.append(build(block));
  container.markdownSources = blocks.map((block) => block.source);
}

/** Blocks of some lines; each has a kind and the lines that it came from. */
function parse(lines, depth) {
  const blocks = [];
  for (let at = 0; at < lines.length;) {
    if (!lines[at].trim()) {
      at++;
      continue;
    }
    const block = readBlock(lines, at, depth);
    block.source = lines.slice(at, block.end).join("\n") + (block.open ? "\0" : "");
    blocks.push(block);
    at = block.end;
  }
  return blocks;
}

function readBlock(lines, at, depth) {
  const line = lines[at];
  const heading = HEADING.exec(line);
  if (heading) {
    const title = (heading[2] ?? "").trim().replace(/(?:^|\s)#+$/, "");
    return { kind: "heading", level: heading[1].length, text: title, end: at + 1 };
  }
  if (FENCE.test(line)) return readCode(lines, at);
  if (RULE.test(line)) return { kind: "rule", end: at + 1 };
  if (MATH.test(line)) {
    const block = readMath(lines, at);
    if (block) return block;
  }
  if (depth < DEEPEST) {
    if (QUOTE.test(line)) return readQuote(lines, at, depth);
    if (ITEM.test(line)) return readList(lines, at, depth);
  }
  if (isTable(lines, at)) return readTable(lines, at);
  return readParagraph(lines, at);
}

function readCode(lines, at) {
  const [, fence, info] = FENCE.exec(lines[at]);
  const indent = /^ */.exec(lines[at])[0];
  const body = [];
  let end = at + 1;
  const closing = new RegExp(`^ {0,3}${fence[0]}{${fence.length},}\\s*$`);
  while (end < lines.length && !closing.test(lines[end])) {
    const text = lines[end++];
    body.push(text.startsWith(indent) ? text.slice(indent.length) : text.trimStart());
  }
  const open = end >= lines.length;
  const language = info.trim().split(/\s/)[0];
  return { kind: "code", language, text: body.join("\n"), open, end: open ? end : end + 1 };
}

function readMath(lines, at) {
  const closer = MATH.exec(lines[at])[1] === "$$" ? "$$" : "\\]";
  const text = lines.slice(at, at + 60).join("\n").trimStart().slice(2);
  const close = text.indexOf(closer);
  if (close < 0 || text.slice(close + 2).split("\n")[0].trim()) return null;
  const inner = text.slice(0, close);
  return { kind: "math", text: inner, end: at + inner.split("\n").length };
}

function readQuote(lines, at, depth) {
  const inner = [];
  let end = at;
  while (end < lines.length && (QUOTE.test(lines[end]) || continues(lines, end, inner))) {
    inner.push(lines[end++].replace(QUOTE, ""));
  }
  return { kind: "quote", blocks: parse(inner, depth + 1), end };
}

/** A line without its marker goes on with the paragraph above it. */
function continues(lines, at, above) {
  return above.length > 0 && above.at(-1).trim() !== "" && !interrupts(lines, at);
}

/** True where a line cannot be part of the paragraph above it. */
function interrupts(lines, at) {
  const line = lines[at];
  const item = ITEM.exec(line);
  return !line.trim() || HEADING.test(line) || FENCE.test(line) || QUOTE.test(line) ||
    RULE.test(line) || (item !== null && line.trim() !== item[2]) || isTable(lines, at) ||
    /^\s*(?:\\\[|\$\$)\s*$/.test(line);
}

function readList(lines, at, depth) {
  const kindOf = (marker) => (/\d/.test(marker) ? marker.at(-1) : marker);
  const first = ITEM.exec(lines[at]);
  const kind = kindOf(first[2]);
  const items = [];
  let end = at;
  let loose = false;
  while (end < lines.length) {
    const marker = ITEM.exec(lines[end]);
    if (!marker || kindOf(marker[2]) !== kind || RULE.test(lines[end])) break;
    const width = marker[1].length + marker[2].length + (marker[3].length || 1);
    const inner = [lines[end].slice(width)];
    end = readItem(lines, end + 1, width, inner);
    const blank = inner.length > 1 && inner.at(-1).trim() === "";
    while (inner.length > 1 && inner.at(-1).trim() === "") inner.pop();
    const next = end < lines.length && ITEM.exec(lines[end]);
    loose ||= inner.includes("") || (blank && next && kindOf(next[2]) === kind);
    items.push(itemOf(inner, depth));
  }
  const start = /\d/.test(first[2]) ? parseInt(first[2], 10) : null;
  return { kind: "list", start, items, loose, end };
}

/** Collect the lines of an item; models often indent by two where a number asks for three. */
function readItem(lines, from, width, inner) {
  let end = from;
  for (; end < lines.length; end++) {
    const line = lines[end];
    const indent = /^ */.exec(line)[0].length;
    if (!line.trim()) {
      let after = end;
      while (after < lines.length && !lines[after].trim()) after++;
      if (after === lines.length || (!/^ {2}/.test(lines[after]) && !ITEM.test(lines[after]))) break;
      inner.push("");
      end = after - 1;
    } else if (indent >= Math.min(width, 2) && (indent >= width || ITEM.test(line.trimStart()) ||
        inner.at(-1) !== "")) {
      inner.push(line.slice(Math.min(indent, width)));
    } else if (continues(lines, end, inner)) {
      inner.push(line.trimStart());
    } else {
      break;
    }
  }
  return end;
}

function itemOf(inner, depth) {
  const task = /^\[([ xX])\]\s+/.exec(inner[0]);
  if (task) inner[0] = inner[0].slice(task[0].length);
  return { checked: task ? task[1] !== " " : null, blocks: parse(inner, depth + 1) };
}

function isTable(lines, at) {
  return lines[at].includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") &&
    lines[at + 1].includes("-") && cells(lines[at]).length === cells(lines[at + 1]).length;
}

/** Cells of a row: at pipes that are neither escaped nor inside code. */
function cells(line) {
  const row = line.trim().replace(/^\|/, "");
  const found = [];
  let cell = "";
  let code = false;
  for (let at = 0; at < row.length; at++) {
    if (row[at] === "\\" && row[at + 1] === "|") cell += row[++at];
    else if (row[at] === "|" && !code) {
      found.push(cell.trim());
      cell = "";
    } else {
      if (row[at] === "`") code = !code && row.indexOf("`", at + 1) > 0;
      cell += row[at];
    }
  }
  if (cell.trim() || !row.endsWith("|")) found.push(cell.trim());
  return found;
}

function readTable(lines, at) {
  const align = cells(lines[at + 1]).map((rule) =>
    rule.endsWith(":") ? (rule.startsWith(":") ? "center" : "right") : "left");
  const rows = [];
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) rows.push(cells(lines[end++]));
  return { kind: "table", align, head: cells(lines[at]), rows, end };
}

function readParagraph(lines, at) {
  let end = at + 1;
  while (end < lines.length && !interrupts(lines, end)) end++;
  const text = lines.slice(at, end).map((line) => line.trimStart()).join("\n");
  return { kind: "paragraph", text, end };
}

/** The node of a block. */
function build(block) {
  return BUILDERS[block.kind](block);
}

const BUILDERS = {
  // Levels start below the page's own heading.
  heading: ({ level, text }) => element(`h${Math.min(level + 1, 6)}`, {}, ...inline(text)),
  paragraph: ({ text }) => element("p", {}, ...inline(text.trimEnd())),
  rule: () => element("hr"),
  math: ({ text }) => element("div", { class: "math-block" }, formula(text, true)),
  quote: ({ blocks }) => element("blockquote", {}, ...blocks.map(build)),

  code({ language, text }) {
    const code = element("code", {}, text);
    const button = iconButton("copy", "Copy code", () => copyText(code.textContent, button));
    const name = element("span", {}, language || "text");
    const pre = element("pre", { tabindex: "0", "aria-label": `Code, ${language || "text"}` }, code);
    return element("div", { class: "code" }, element("div", { class: "code-head" }, name, button), pre);
  },

  list({ start, items, loose }) {
    const tag = start === null ? "ul" : "ol";
    const from = start !== null && start !== 1 ? start : null;
    return element(tag, { start: from }, ...items.map((item) => listItem(item, loose)));
  },

  table({ align, head, rows }) {
    const row = (tag, texts) => element("tr", {}, ...align.map((side, n) =>
      element(tag, { class: `to-${side}`, scope: tag === "th" && "col" }, ...inline(texts[n] ?? ""))));
    const table = element("table", {}, element("thead", {}, row("th", head)),
      element("tbody", {}, ...rows.map((texts) => row("td", texts))));
    return element("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" }, table);
  },
};

function listItem({ checked, blocks }, loose) {
  const nodes = blocks.flatMap((block) =>
    block.kind === "paragraph" && !loose ? inline(block.text.trimEnd()) : [build(block)]);
  const item = element("li", {}, ...nodes);
  if (checked !== null) {
    const box = element("input", { type: "checkbox", disabled: true, checked, "aria-label": checked ? "Done" : "Open" });
    item.classList.add("task");
    item.prepend(box, " ");
  }
  return item;
}
