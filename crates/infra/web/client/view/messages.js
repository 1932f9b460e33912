// A conversation: only a part of it is in the document, around where somebody looks.

import { placeOf } from "../timeline.js";
import { dayName } from "../words.js";
import { arrange, element, find, say } from "./dom.js";
import { message, note, post } from "./entries.js";

/** How many entries are in the document at most, and by how many it is moved at once. */
const MOST = 200;
const STEP = 50;
/** From how far off the next ones are put in, in pixels. */
const NEAR = 400;
const AT_END = 40;
/** How often earlier messages are asked for by themselves where none of them is of this conversation. */
const MOST_IN_VAIN = 3;
const GROUPED_WITHIN_MS = 5 * 60_000;

export class MessagesView {
  #scroll = find("scroll");
  #list = find("messages");
  #earlier = find("earlier");
  #latest = find("latest");
  #self;
  #actions;
  #elements = new Map();
  #state;
  #follows = true;
  // The window: from this place on, and up to before that one.
  #from = -Infinity;
  #to = Infinity;
  #inVain = 0;

  /**
   * `actions`: `earlier` asks for what was said before, `read` is called when the end is in sight again, `retry` and
   * `discard` take the client id of a refused post.
   */
  constructor(self, actions, signal) {
    this.#self = self;
    this.#actions = actions;
    this.#scroll.addEventListener("scroll", () => this.#scrolled(), { signal, passive: true });
    this.#earlier.addEventListener("click", () => this.#goBack(), { signal });
    this.#latest.addEventListener("click", () => this.#goToEnd(), { signal });
    const resized = new ResizeObserver(() => this.#follows && this.#stayAtEnd());
    resized.observe(this.#scroll);
    signal.addEventListener("abort", () => resized.disconnect());
  }

  /** `{key, entries, posts, hasEarlier, isLoading, trouble, nothing}`: all there is to be seen. */
  show(state) {
    if (state.key !== this.#state?.key) this.#begin();
    else if (this.#state.isLoading && !state.isLoading) this.#count(state);
    this.#state = { ...state, length: state.entries.length };
    this.#draw();
    this.#fill();
  }

  get follows() {
    return this.#follows;
  }

  /** Shows the end the next time. */
  toEnd() {
    this.#follows = true;
    this.#to = Infinity;
  }

  #begin() {
    this.#follows = true;
    this.#from = -Infinity;
    this.#to = Infinity;
    this.#inVain = 0;
    this.#elements.clear();
  }

  #count(state) {
    this.#inVain = state.entries.length > this.#state.length ? 0 : this.#inVain + 1;
  }

  /** The window as indices, made smaller where too much is in it: at the end that nobody looks at. */
  #bounds(entries) {
    let start = placeOf(entries, this.#from);
    let end = this.#to === Infinity ? entries.length : placeOf(entries, this.#to);
    if (end - start > MOST) {
      if (this.#follows) start = Math.max(0, end - MOST + STEP);
      else end = start + MOST;
    }
    this.#set(start, end);
    return [start, end];
  }

  #set(start, end) {
    const { entries } = this.#state;
    this.#from = start === 0 ? -Infinity : entries[start].place;
    this.#to = end >= entries.length ? Infinity : entries[end].place;
  }

  #draw() {
    const anchor = this.#follows ? undefined : this.#anchor();
    const { entries, posts } = this.#state;
    const [start, end] = this.#bounds(entries);
    const shown = this.#entriesIn(start, end);
    if (end === entries.length)
      shown.push(...posts.map((each) => this.#element(`p${each.clientId}`, each, post)));
    arrange(this.#list, shown);
    this.#forget(shown);
    this.#drawEdges(start, shown.length === 0);
    if (this.#follows) this.#stayAtEnd();
    else this.#restore(anchor);
  }

  #entriesIn(start, end) {
    const { entries } = this.#state;
    const shown = [];
    const now = new Date();
    for (let at = start; at < end; at += 1) {
      const [entry, before] = [entries[at], entries[at - 1]];
      const name = dayName(timeOf(entry), now);
      if (at === start || name !== dayName(timeOf(before), now)) shown.push(this.#day(entry, name));
      shown.push(this.#entry(entry, before));
    }
    return shown;
  }

  #entry(entry, before) {
    if (entry.kind === "note")
      return this.#element(`n${entry.id}`, `${entry.joined.length} ${entry.left.length}`, () => note(entry));
    const made = this.#element(`m${entry.place}`, entry.message, message);
    made.classList.toggle("grouped", isGrouped(entry, before));
    return made;
  }

  #day(entry, name) {
    const key = `d${timeOf(entry).toDateString()}`;
    return this.#element(key, name, () =>
      element("li", { className: "day" }, element("span", { textContent: name })),
    );
  }

  /** The same element as long as what it shows is the same. */
  #element(key, shows, make) {
    const known = this.#elements.get(key);
    if (known?.shows === shows) return known.made;
    const made = make(shows, this.#self, this.#actions);
    this.#elements.set(key, { shows, made });
    return made;
  }

  #forget(shown) {
    const kept = new Set(shown);
    for (const [key, { made }] of this.#elements) if (!kept.has(made)) this.#elements.delete(key);
  }

  #drawEdges(start, isEmpty) {
    const { hasEarlier, isLoading, trouble, nothing } = this.#state;
    const isAll = start === 0 && !hasEarlier;
    if (isAll && document.activeElement === this.#earlier) this.#scroll.focus();
    this.#earlier.hidden = isAll;
    this.#earlier.setAttribute("aria-disabled", String(isLoading));
    say(this.#earlier, isLoading ? "Loading earlier messages…" : "Show earlier messages");
    say(find("trouble"), trouble ?? "");
    find("empty").hidden = !isEmpty || hasEarlier;
    say(find("empty-words"), nothing);
    this.#latest.hidden = this.#follows;
  }

  #scrolled() {
    if (!this.#state) return;
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const wasFollowing = this.#follows;
    this.#follows = this.#to === Infinity && scrollHeight - scrollTop - clientHeight < AT_END;
    if (this.#follows !== wasFollowing) this.#latest.hidden = this.#follows;
    if (this.#follows && !wasFollowing) this.#actions.read();
    this.#fill();
  }

  /** Puts in, or asks for, what somebody is about to see. */
  #fill() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    if (scrollTop < NEAR && this.#inVain < MOST_IN_VAIN && !this.#state.trouble) this.#goBack();
    else if (this.#to !== Infinity && scrollHeight - scrollTop - clientHeight < NEAR) this.#goOn();
  }

  #goBack() {
    const { entries, hasEarlier, isLoading } = this.#state;
    const start = placeOf(entries, this.#from);
    if (start === 0 && hasEarlier && !isLoading) this.#actions.earlier();
    if (start === 0 || this.#follows) return;
    const end = this.#to === Infinity ? entries.length : placeOf(entries, this.#to);
    const first = Math.max(0, start - STEP);
    this.#set(first, Math.min(end, first + MOST));
    this.#draw();
  }

  #goOn() {
    const { entries } = this.#state;
    const end = Math.min(entries.length, placeOf(entries, this.#to) + STEP);
    this.#set(Math.max(0, end - MOST), end);
    this.#draw();
  }

  #goToEnd() {
    this.toEnd();
    this.#draw();
    this.#actions.read();
    find("message").focus();
  }

  #stayAtEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /** The first element that is in sight, and where. */
  #anchor() {
    const top = this.#scroll.getBoundingClientRect().top;
    for (const child of this.#list.children) {
      const box = child.getBoundingClientRect();
      if (box.bottom > top && !child.classList.contains("day")) return { child, top: box.top };
    }
    return undefined;
  }

  #restore(anchor) {
    if (!anchor?.child.isConnected) return;
    this.#scroll.scrollTop += anchor.child.getBoundingClientRect().top - anchor.top;
  }
}

function timeOf(entry) {
  return entry.kind === "note" ? entry.time : new Date(entry.message.timestamp);
}

function isGrouped(entry, before) {
  if (before?.kind !== "message" || before.message.sender_session !== entry.message.sender_session)
    return false;
  return timeOf(entry) - timeOf(before) < GROUPED_WITHIN_MS;
}
