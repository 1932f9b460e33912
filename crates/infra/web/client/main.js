// Who is logged in sees the lobby, everybody else the door.

import * as keep from "./keep.js";
import { Lobby } from "./lobby.js";
import { find } from "./view/dom.js";
import { Login } from "./view/login.js";
import { watchTheme } from "./view/theme.js";

let lobby;

const login = new Login((session) => {
  keep.session.write(session);
  enter(session);
  find("message").focus();
});

function enter(session) {
  show("lobby");
  lobby = new Lobby(session, (reason) => leave(session, reason));
}

function leave({ session, pseudonym }, reason) {
  lobby = undefined;
  // Another tab may have logged in as somebody else meanwhile.
  if (keep.session.read()?.session === session) keep.session.write(undefined);
  show("door");
  login.show(reason, pseudonym);
}

function show(what) {
  document.body.dataset.shows = what;
  for (const part of document.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== what;
}

keep.session.onChange((session) => {
  if (session && !lobby) enter(session);
  if (!session) lobby?.leave("You are logged out.");
});

document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  find("message").focus();
});

watchTheme();
const known = keep.session.read();
if (known) enter(known);
else {
  show("door");
  login.show();
}
