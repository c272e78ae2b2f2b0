// One message on the page: a question as it was typed, or an answer with its reasoning folded.

import { copyText, element, icon, iconButton } from "./dom.js";
import { render } from "./markdown.js";
import { settings } from "./settings.js";

/** A question. `actions.edit(text)` sends it again in other words. */
export class QuestionView {
  constructor(message, actions) {
    this.message = message;
    this.actions = actions;
    this.node = element("article", { class: "message question", "aria-label": "You" });
    this.show();
  }

  show() {
    const copy = iconButton("copy", "Copy", () => copyText(this.message.content, copy));
    const edit = iconButton("edit", "Edit and send again", () => this.edit());
    this.node.replaceChildren(
      element("div", { class: "bubble" }, this.message.content),
      element("div", { class: "actions" }, copy, edit));
  }

  edit() {
    const area = element("textarea", { class: "edit-area", "aria-label": "Your question" });
    area.value = this.message.content;
    const send = () => {
      if (area.value.trim()) this.actions.edit(area.value.trim());
    };
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        this.show();
      } else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      }
    });
    const cancel = { type: "button", class: "button plain", on: { click: () => this.show() } };
    this.node.replaceChildren(element("div", { class: "editor" }, area,
      element("div", { class: "buttons" }, element("button", cancel, "Cancel"),
        element("button", { type: "button", class: "button", on: { click: send } }, "Send"))));
    area.focus();
  }
}

/** An answer; `show()` draws what the message holds by now. `live` while it is being written. */
export class AnswerView {
  constructor(message, actions) {
    this.message = message;
    this.label = element("span", { class: "label" });
    this.thoughts = element("div", { class: "text" });
    this.reasoning = element("details", { class: "reasoning" },
      element("summary", {}, icon("think"), this.label, icon("chevron")), this.thoughts);
    this.reasoning.open = settings.openReasoning;
    this.waiting = element("p", { class: "waiting" }, "Reading the question");
    this.answer = element("div", { class: "text answer" });
    this.notice = element("p", { class: "notice" });
    this.stats = element("span", { class: "stats" });
    const copy = iconButton("copy", "Copy answer", () => copyText(message.content, copy));
    const again = iconButton("again", "Answer again", () => actions.again());
    this.actions = element("div", { class: "actions" }, copy, again, this.stats);
    this.retry = element("button", { type: "button", class: "button plain", on: { click: actions.again } },
      "Try again");
    this.failure = element("div", { class: "failure", role: "alert" });
    this.node = element("article", { class: "message reply", "aria-label": "Answer" },
      this.reasoning, this.waiting, this.answer, this.failure, this.notice, this.actions);
    this.show();
  }

  show(live = false) {
    const { content, reasoning, error, notice } = this.message;
    const thinking = live && Boolean(reasoning) && !content;
    this.node.classList.toggle("live", live);
    this.node.setAttribute("aria-busy", String(live));
    this.reasoning.hidden = !reasoning;
    this.reasoning.classList.toggle("thinking", thinking);
    this.label.textContent = thinkingLabel(this.message, thinking);
    if (reasoning) render(this.thoughts, reasoning);
    this.waiting.hidden = !live || Boolean(reasoning || content);
    render(this.answer, content);
    this.notice.hidden = !notice;
    this.notice.textContent = notice ?? "";
    this.failure.hidden = !error;
    this.failure.replaceChildren(...(error ? [icon("alert"), element("span", {}, error), this.retry] : []));
    this.stats.textContent = statsLine(this.message.stats);
    this.stats.title = statsDetails(this.message.stats);
    this.actions.classList.toggle("quiet", live);
  }
}

function thinkingLabel({ thinkingSeconds = 0 }, thinking) {
  const whole = Math.floor(thinkingSeconds);
  if (thinking) return `Thinking… ${whole} s`;
  if (thinkingSeconds < 1) return "Thought for a moment";
  return whole < 60 ? `Thought for ${whole} s` : `Thought for ${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Numbers as the reader's language writes them. */
export const count = (number) => number.toLocaleString();

const rateText = (rate) => (rate >= 100 ? count(Math.round(rate)) : rate.toFixed(1));

function statsLine(stats) {
  if (!stats?.tokens) return "";
  const parts = [`${count(stats.tokens)} ${stats.tokens === 1 ? "token" : "tokens"}`];
  if (stats.rate) parts.unshift(`${rateText(stats.rate)} tok/s`);
  return parts.join(" · ");
}

function statsDetails(stats) {
  if (!stats) return "";
  const lines = [];
  if (stats.model) lines.push(`Model: ${stats.model}`);
  if (stats.firstSeconds) lines.push(`First token after ${stats.firstSeconds.toFixed(2)} s`);
  if (stats.prompt) {
    const reused = stats.cached ? `, ${count(stats.cached)} of them reused` : "";
    lines.push(`Prompt: ${count(stats.prompt)} tokens${reused}`);
  }
  if (stats.reasoning) lines.push(`Reasoning: ${count(stats.reasoning)} tokens`);
  return lines.join("\n");
}
