// Numbers, times and states in words.

export const STATES = {
  blocked: "Blocked",
  ready: "Ready",
  deferred: "Deferred",
  assigned: "Assigned",
  in_progress: "In progress",
  in_review: "In review",
  waiting: "Waiting",
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  archived: "Archived",
};

export const PRIORITIES = ["critical", "high", "medium", "low"];

export const sentence = (word) => {
  const text = String(word).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

export const state = (word) => STATES[word] || sentence(word);

export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = minutes / 60;
  if (hours < 48) return `${hours < 10 ? trim(hours.toFixed(1)) : Math.round(hours)} h`;
  return `${Math.round(hours / 24)} d`;
}

const trim = (text) => text.replace(/\.0$/, "");

export const hours = (value) => span(value * 3_600_000);

export const ago = (at, now = Date.now()) => span(now - Date.parse(at));

export const clock = (at) => {
  const time = new Date(at);
  const today = time.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  if (!today) Object.assign(options, { month: "short", day: "numeric" });
  return time.toLocaleString("en-GB", options);
};

/// The time of day to the second, where minutes are too coarse.
export const second = (at) => new Date(at).toLocaleString("en-GB", { timeStyle: "medium" });

export const exact = (at) => new Date(at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const number = (value) => value.toLocaleString("en-GB").replaceAll(",", "\u202f");

export const percent = (share) => `${Math.round(share * 100)} %`;

export const score = (value) => value.toFixed(2);

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
