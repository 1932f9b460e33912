// What outlives the page, where the browser lets it. Where it does not, the lobby works for as long as the page is open.

const SESSION = "lobby.session";
const THEME = "lobby.theme";
const OUTBOX = "lobby.outbox";

function read(storage, key) {
  try {
    return JSON.parse(window[storage].getItem(key) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

function write(storage, key, value) {
  try {
    if (value === undefined) window[storage].removeItem(key);
    else window[storage].setItem(key, JSON.stringify(value));
  } catch {
    // Storage is switched off, or full.
  }
}

/** `{token, session, pseudonym}` of whoever is logged in, in all tabs. */
export const session = {
  read: () => read("localStorage", SESSION),
  write: (value) => write("localStorage", SESSION, value),
  /** Another tab has logged in or out. */
  onChange(tell) {
    window.addEventListener("storage", ({ key }) => {
      if (key === SESSION || key === null) tell(session.read());
    });
  },
};

export const theme = {
  read: () => read("localStorage", THEME),
  write: (value) => write("localStorage", THEME, value),
};

/** What this tab has not had acknowledged. It is one session's, and nobody else's. */
export const outbox = {
  read(id) {
    const kept = read("sessionStorage", OUTBOX);
    return kept?.session === id ? kept.posts : [];
  },
  write: (id, posts) =>
    write("sessionStorage", OUTBOX, posts.length > 0 ? { session: id, posts } : undefined),
};
