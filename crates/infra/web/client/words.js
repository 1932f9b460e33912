// What is put into words.

/** The server's reason as a sentence of its own. */
export function sentence(text) {
  const whole = /[.!?]$/.test(text) ? text : `${text}.`;
  return whole.charAt(0).toUpperCase() + whole.slice(1);
}

/** "Ann", "Ann and Bob", "Ann, Bob and 3 others". */
export function listed(names, most = 3) {
  const unique = [...new Set(names)];
  if (unique.length <= 1) return unique.join("");
  if (unique.length <= most) return `${unique.slice(0, -1).join(", ")} and ${unique.at(-1)}`;
  const others = unique.length - (most - 1);
  return `${unique.slice(0, most - 1).join(", ")} and ${others} others`;
}

/** Who came and went. */
export function comings({ joined, left }) {
  const parts = [];
  if (joined.length > 0) parts.push(`${listed(joined)} joined`);
  if (left.length > 0) parts.push(`${listed(left)} left`);
  return parts.join(" · ");
}

/** "Ann is typing…". */
export function typing(names) {
  if (names.length === 0) return "";
  return `${listed(names)} ${new Set(names).size === 1 ? "is" : "are"} typing…`;
}

export function counted(count, one, many) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const dayOfYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function timeOfDay(date) {
  return clock.format(date);
}

export function wholeTime(date) {
  return full.format(date);
}

/** "Today", "Yesterday", or the day. */
export function dayName(date, now) {
  const days = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return days > 1 && days < 180 ? day.format(date) : dayOfYear.format(date);
}

function midnight(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate());
}
