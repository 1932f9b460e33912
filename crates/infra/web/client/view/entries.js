// What a conversation is made of: a line each.

import { comings, sentence, timeOfDay, wholeTime } from "../words.js";
import { avatar, element, named } from "./dom.js";

/** Something that was said. */
export function message(said, self) {
  const isOwn = said.sender_session === self.session;
  const by = element(
    "p",
    { className: "by" },
    isOwn ? "You" : named(said.sender),
    " ",
    time(new Date(said.timestamp)),
  );
  const line = element("li", { className: isOwn ? "message own" : "message" });
  line.dataset.id = said.id;
  line.append(
    avatar(said.sender_session, said.sender),
    element("div", { className: "said" }, by, content(said.content)),
  );
  return line;
}

/** Who came and who left. */
export function note(entry) {
  return element(
    "li",
    { className: "note" },
    element("bdi", { textContent: comings(entry) }),
    " ",
    time(entry.time),
  );
}

/** What is on its way, or was refused. */
export function post(written, self, { retry, discard }) {
  const isRefused = written.state === "refused";
  const line = element("li", { className: isRefused ? "message own refused" : "message own pending" });
  const said = element(
    "div",
    { className: "said" },
    element("p", { className: "by", textContent: "You" }),
    content(written.content),
  );
  if (isRefused) {
    const button = (text, act) =>
      element("button", {
        type: "button",
        className: "small",
        textContent: text,
        onclick: () => act(written.clientId),
      });
    const reason = element("span", { textContent: `Not sent. ${sentence(written.reason)}` });
    said.append(
      element("p", { className: "fate" }, reason, button("Try again", retry), button("Discard", discard)),
    );
  } else {
    const fate = written.state === "sending" ? "Sending…" : "Waiting to be sent";
    said.append(element("p", { className: "fate", textContent: fate }));
  }
  line.append(avatar(self.session, self.pseudonym), said);
  return line;
}

function content(text) {
  return element("p", { className: "content", dir: "auto", textContent: text });
}

function time(date) {
  return element("time", {
    dateTime: date.toISOString(),
    title: wholeTime(date),
    textContent: timeOfDay(date),
  });
}
