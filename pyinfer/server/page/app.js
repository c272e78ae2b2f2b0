// The page: what is typed becomes a chat, its answers are streamed, stopped, repeated.

import { contextSize, listModels, ServerError, streamChat } from "./api.js";
import { allChats, newChat, saveChat } from "./chats.js";
import { announce, byId, element } from "./dom.js";
import { AnswerView, count, QuestionView } from "./message.js";
import { apiKey, change, connectSettings, sampling, setApiKey, settings } from "./settings.js";
import { connectSidebar, showChats } from "./sidebar.js";

const SUGGESTIONS = [
  "Which is larger, 9.11 or 9.9?",
  "How many r's are in strawberry?",
  "What is 345 + 678?",
  "Is Beijing a big city?",
];
const SAVE_EVERY = 2000; // milliseconds between copies of an unfinished answer to the storage

let chat = newChat();
let running = null; // {chat, message, view, controller, started, first, pieces} of the answer being written
let retryWithKey = null;
const contextLimits = new Map(); // tokens by model

// ---- showing ----

function showChat() {
  const views = chat.messages.map(viewOf);
  byId("messages").replaceChildren(...views.map((view) => view.node));
  byId("empty").hidden = chat.messages.length > 0;
  document.body.classList.toggle("is-empty", chat.messages.length === 0);
  document.title = chat.title ? `${chat.title} · pyinfer` : "pyinfer";
  showContext(chat.context);
  showChats(openChat, () => chat.id);
  toEnd();
}

function viewOf(message) {
  const index = () => chat.messages.indexOf(message);
  if (message.role === "user") {
    return new QuestionView(message, { edit: (text) => ask(text, index()) });
  }
  return new AnswerView(message, { again: () => answer(index()) });
}

function add(message) {
  chat.messages.push(message);
  const view = viewOf(message);
  byId("messages").append(view.node);
  byId("empty").hidden = true;
  document.body.classList.remove("is-empty");
  return view;
}

function showContext(context) {
  byId("context").hidden = !context?.used;
  if (!context?.used) return;
  const { used, limit, estimated } = context;
  const sign = estimated ? "≈ " : "";
  byId("context-text").textContent = `${sign}${count(used)}${limit ? ` / ${count(limit)}` : " tokens"}`;
  byId("context").title = limit ? `Context used: ${count(used)} of ${count(limit)} tokens` : "Context used";
  const meter = byId("context-meter");
  meter.hidden = !limit;
  meter.max = limit ?? 1;
  meter.high = meter.max * 0.85;
  meter.value = used;
}

function showRunning() {
  byId("send").hidden = running !== null;
  byId("stop").hidden = running === null;
}

const scroller = byId("scroll");
const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 60;
let following = true;

function toEnd() {
  following = true;
  scroller.scrollTop = scroller.scrollHeight;
}

function showBanner(text, action) {
  const banner = byId("banner");
  banner.hidden = !text;
  const button = action && { type: "button", class: "button plain", on: { click: action } };
  banner.replaceChildren(text ?? "", ...(button ? [element("button", button, "Try again")] : []));
}

// ---- asking ----

/** Ask a question; with `index` in place of that one and all that followed it. */
function ask(text, index = chat.messages.length) {
  stop();
  truncate(index);
  add({ role: "user", content: text });
  answer(chat.messages.length);
}

function truncate(index) {
  chat.messages.length = index;
  const nodes = byId("messages").childNodes;
  while (nodes.length > index) nodes[nodes.length - 1].remove();
}

/** Answer the question before `index`, in place of what is there. */
async function answer(index) {
  stop();
  truncate(index);
  const body = requestBody();
  const message = { role: "assistant", content: "", reasoning: "" };
  const view = add(message);
  const run = {
    chat, message, view, controller: new AbortController(),
    started: performance.now(), first: 0, pieces: 0, rest: 0, base: questionEstimate(),
  };
  running = run;
  showRunning();
  showBanner(null);
  saveChat(chat);
  showChats(openChat, () => chat.id);
  document.title = `${chat.title} · pyinfer`;
  toEnd();
  const ticker = setInterval(() => draw(run), 250);
  const saver = setInterval(() => saveChat(run.chat), SAVE_EVERY);
  try {
    view.show(true);
    const options = { key: apiKey(), signal: run.controller.signal };
    for await (const chunk of streamChat(body, options)) receive(run, chunk);
  } catch (error) {
    fail(run, error);
  } finally {
    clearInterval(ticker);
    clearInterval(saver);
    finish(run, body.model);
  }
}

function requestBody() {
  const history = chat.messages.filter((message) => message.content && !message.error)
    .map(({ role, content }) => ({ role, content }));
  const system = settings.system.trim();
  if (system) history.unshift({ role: "system", content: system });
  return {
    model: settings.model, messages: history, stream: true, stream_options: { include_usage: true },
    ...sampling(), ...(settings.think ? {} : { chat_template_kwargs: { enable_thinking: false } }),
  };
}

function receive(run, chunk) {
  const { message } = run;
  const choice = chunk.choices?.[0];
  const { reasoning_content: reasoning, content } = choice?.delta ?? {};
  const now = performance.now();
  if (reasoning || content) {
    run.first ||= now;
    run.pieces++;
  }
  if (reasoning) {
    run.thinkingSince ??= now;
    message.reasoning += reasoning;
  }
  if (content) message.content += content;
  if (run.thinkingSince && !run.thinkingDone) {
    message.thinkingSeconds = (now - run.thinkingSince) / 1000;
    run.thinkingDone = Boolean(message.content);
  }
  if (choice?.finish_reason === "length") {
    message.notice = "The answer ends here because it reached its longest length.";
  }
  if (chunk.timings) run.timings = chunk.timings;
  if (chunk.usage) run.usage = chunk.usage;
  schedule(run);
}

/** Draw with one of the next frames, not with every token. */
function schedule(run) {
  if (performance.now() < run.rest) return; // the ticker draws what is left out here
  run.frame ||= requestAnimationFrame(() => draw(run));
}

function draw(run) {
  cancelAnimationFrame(run.frame);
  run.frame = 0;
  if (run !== running) return;
  if (run.thinkingSince && !run.thinkingDone) {
    run.message.thinkingSeconds = (performance.now() - run.thinkingSince) / 1000;
  }
  run.message.stats = statsOf(run);
  const began = performance.now();
  run.view.show(true);
  if (run.pieces && run.chat === chat) showContext(contextOf(run));
  if (following) scroller.scrollTop = scroller.scrollHeight;
  // A long answer on a slow machine: most of the time is the model's and the reader's.
  run.rest = began + 4 * (performance.now() - began);
}

/** Exact numbers where the server has sent them, counted pieces until then. */
function statsOf(run) {
  const { usage, timings } = run;
  const tokens = usage?.completion_tokens ?? timings?.predicted_n ?? run.pieces;
  const seconds = (performance.now() - run.first) / 1000;
  const counted = run.first && seconds > 0.2 && run.pieces > 1 ? (run.pieces - 1) / seconds : null;
  return {
    tokens,
    rate: timings?.predicted_per_second || counted,
    firstSeconds: run.first ? (run.first - run.started) / 1000 : null,
    prompt: usage?.prompt_tokens ?? null,
    cached: usage?.prompt_tokens_details?.cached_tokens ?? null,
    reasoning: usage?.completion_tokens_details?.reasoning_tokens ?? null,
  };
}

function contextOf(run) {
  const limit = contextLimits.get(settings.model) ?? run.chat.context?.limit ?? null;
  if (run.usage) return { used: run.usage.prompt_tokens + run.usage.completion_tokens, limit };
  if (run.timings?.prompt_n !== undefined) {
    const { prompt_n: read, cache_n: cached = 0, predicted_n: written } = run.timings;
    return { used: read + cached + written, limit };
  }
  return { used: run.base + run.pieces, limit, estimated: true };
}

/** Tokens of the prompt, roughly: four characters each. */
function questionEstimate() {
  const characters = chat.messages.reduce((sum, message) => sum + message.content.length, 0);
  return Math.ceil((characters + settings.system.length) / 4) + 8;
}

function fail(run, error) {
  if (error.name === "AbortError") {
    run.message.notice = "Stopped.";
  } else if (error instanceof ServerError && error.status === 401) {
    run.refused = true;
  } else {
    run.message.error = error instanceof ServerError ? error.message : `The page failed: ${error.message}`;
    if (!(error instanceof ServerError)) console.error(error);
  }
}

function finish(run, model) {
  cancelAnimationFrame(run.frame);
  const { message, view } = run;
  if (run === running) running = null;
  showRunning();
  if (run.refused) {
    const index = run.chat.messages.indexOf(message);
    if (run.chat !== chat || index < 0) return;
    truncate(index);
    askForKey(() => answer(chat.messages.length));
    return;
  }
  message.stats = { ...statsOf(run), model };
  view.show(false);
  if (run.usage) run.chat.context = contextOf(run);
  saveChat(run.chat);
  if (run.chat !== chat) return;
  if (run.usage) showContext(chat.context);
  if (following) toEnd();
  announce(message.error ?? message.notice ?? "The answer is complete.");
  learnContext(run.chat, model);
}

async function learnContext(of, model) {
  const limit = await contextSize(model, apiKey());
  if (!limit) return;
  contextLimits.set(model, limit);
  if (!of.context) return;
  of.context.limit = limit;
  saveChat(of);
  if (of === chat && !running) showContext(of.context);
}

function stop() {
  if (!running) return;
  const run = running;
  running = null;
  run.controller.abort();
  showRunning();
}

// ---- key ----

function askForKey(retry) {
  retryWithKey = retry;
  byId("key-form").hidden = false;
  byId("key").value = "";
  byId("key").focus();
  announce("This server asks for an API key.");
  if (apiKey()) showBanner("The server does not accept this API key.");
}

// ---- starting ----

function openChat(id) {
  stop();
  chat = (id && allChats().find((other) => other.id === id)) || newChat();
  byId("key-form").hidden = true;
  showBanner(null);
  showChat();
  if (matchMedia("(pointer: fine)").matches) byId("input").focus();
}

async function loadModels() {
  const select = byId("model");
  try {
    const names = await listModels(apiKey());
    select.replaceChildren(...names.map((name) => element("option", { value: name }, name)));
    if (names.includes(settings.model)) select.value = settings.model;
    change({ model: select.value });
    showBanner(names.length ? null : "The server has no models.", names.length ? null : loadModels);
    contextSize(settings.model, apiKey()).then((limit) => limit && contextLimits.set(settings.model, limit));
  } catch (error) {
    if (error.status === 401) askForKey(loadModels);
    else showBanner(error.message, loadModels);
  }
}

function connectComposer() {
  const input = byId("input");
  const submit = () => {
    const text = input.value.trim();
    if (!text || running) return;
    input.value = "";
    grow(input);
    ask(text);
  };
  input.addEventListener("input", () => grow(input));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit();
  });
  byId("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  byId("stop").addEventListener("click", stop);
  byId("model").addEventListener("change", (event) => change({ model: event.target.value }));
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setApiKey(byId("key").value);
    byId("key-form").hidden = true;
    showBanner(null);
    retryWithKey?.();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
    stop();
  });
}

/** As high as its text, where the browser does not do that by itself. */
function grow(area) {
  if (CSS.supports("field-sizing", "content")) return;
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
}

function connectScrolling() {
  scroller.addEventListener("scroll", () => {
    following = atEnd();
    byId("to-end").hidden = following;
  }, { passive: true });
  byId("to-end").addEventListener("click", toEnd);
}

connectSettings();
connectSidebar(openChat, () => chat.id);
connectComposer();
connectScrolling();
byId("suggestions").append(...SUGGESTIONS.map((text) =>
  element("button", { type: "button", class: "suggestion", on: { click: () => ask(text) } }, text)));
addEventListener("pagehide", () => running && saveChat(running.chat));
showChat();
loadModels();
