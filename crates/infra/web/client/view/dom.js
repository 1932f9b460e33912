// Elements, made without a word of HTML: whatever anybody has written stays text.

/** `properties` are set as they are, but for `attributes`, which HTML knows under other names than the DOM. */
export function element(tag, { attributes = {}, ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function find(id) {
  return document.getElementById(id);
}

/** A name keeps its direction to itself. */
export function named(name) {
  return element("bdi", { textContent: name });
}

/** The first letter on a colour that stays the same as long as the session does. */
export function avatar(session, name) {
  const [letter] = new Intl.Segmenter().segment(name);
  const attributes = { "aria-hidden": "true" };
  return element("span", {
    className: `avatar hue-${hue(session)}`,
    textContent: letter.segment.toUpperCase(),
    attributes,
  });
}

const HUES = 8;

function hue(text) {
  let sum = 0;
  for (const char of text) sum = (sum * 31 + char.codePointAt(0)) >>> 0;
  return sum % HUES;
}

/** Makes these the children, in this order; those that stay are not touched, so that focus and selection stay too. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** Sets it only where it differs: what has not changed is not read out again. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
