// The log, followed from a position on. Every event is taken once: the stream is asked for from behind the last one that
// came, a position that was seen is passed over, and one that is missing breaks the stream off so that it is read again.

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { leave, passing, token } from "./api.js";

/// A stream shows a sign of life every 15 s; without any for so long it is taken to be broken.
const SILENCE_MS = 35_000;
const PAUSE_MIN_MS = 250;
const PAUSE_MAX_MS = 5_000;

/// `connecting`, `live` or `stale`, and since when.
export const connection = signal({ state: "connecting", since: Date.now() });
/// The last position that was taken.
export const position = signal(0);
/// How the stream has gone, for whoever tests or doubts it.
export const taken = { events: 0, repeated: 0, gaps: 0, connects: 0 };
globalThis.kapell = { taken, position };

const listeners = new Set();
let running = null;

function become(state) {
  if (connection.value.state !== state) connection.value = { state, since: Date.now() };
}

/// Follows the log from behind `after`, until `stop`.
export function follow(after) {
  stop();
  position.value = after;
  running = new AbortController();
  run(running.signal);
}

export function stop() {
  running?.abort();
  running = null;
}

async function run(stopped) {
  let pause = PAUSE_MIN_MS;
  while (!stopped.aborted) {
    const began = Date.now();
    try {
      await read(stopped);
    } catch {
      // What went wrong is shown as the state of the connection; the next turn asks again.
    }
    if (stopped.aborted) return;
    become("stale");
    if (Date.now() - began > 10_000) pause = PAUSE_MIN_MS;
    await new Promise((wake) => setTimeout(wake, pause * (0.8 + 0.4 * Math.random())));
    pause = Math.min(2 * pause, PAUSE_MAX_MS);
  }
}

async function read(stopped) {
  const own = new AbortController();
  const end = () => own.abort();
  stopped.addEventListener("abort", end);
  let quiet = setTimeout(end, SILENCE_MS);
  try {
    const answer = await fetch(`/v1/events/stream?after=${position.value}`, {
      headers: { authorization: `Bearer ${token()}`, accept: "text/event-stream" },
      signal: own.signal,
      cache: "no-store",
    });
    if (answer.status === 401) {
      leave("The token is not valid, or it was taken back.");
      stop();
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    taken.connects += 1;
    become("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(quiet);
      quiet = setTimeout(end, SILENCE_MS);
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop();
      take(blocks.map(event).filter(Boolean));
    }
  } finally {
    clearTimeout(quiet);
    stopped.removeEventListener("abort", end);
    own.abort();
  }
}

function event(block) {
  const data = block.split("\n").filter((line) => line.startsWith("data:"));
  return data.length ? JSON.parse(data.map((line) => line.slice(5).trimStart()).join("\n")) : null;
}

function take(events) {
  const fresh = [];
  let last = position.value;
  for (const event of events) {
    if (event.position <= last) {
      taken.repeated += 1;
    } else if (event.position === last + 1) {
      last = event.position;
      fresh.push(event);
    } else {
      taken.gaps += 1;
      tell(fresh, last);
      throw new Error(`position ${last + 1} is missing`);
    }
  }
  tell(fresh, last);
}

function tell(events, last) {
  if (!events.length) return;
  taken.events += events.length;
  position.value = last;
  for (const listener of listeners) listener(events);
}

export function onEvents(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/// What was shown once and could not be read again, the oldest first: since when, and why.
export const failed = signal([]);

/// Returns what notes how the reading of one thing goes, and forgets it.
function noted() {
  const own = {};
  const others = () => failed.value.filter((each) => each.own !== own);
  return {
    ill(error) {
      const since = failed.value.find((each) => each.own === own)?.since ?? Date.now();
      failed.value = [...others(), { own, since, error }].sort((a, b) => a.since - b.since);
    },
    well() {
      if (failed.value.some((each) => each.own === own)) failed.value = others();
    },
  };
}

/// How long an answer in which something is told by the clock may stand without an event, in ms.
export const BY_THE_CLOCK = 30_000;
/// How soon what has failed is tried again for the first time.
const AGAIN_MIN_MS = 1000;

/// Calls `work` at once, after events and, where `every` is given, that many ms after it has ended; never twice at a time and no
/// sooner than `pause()` ms after its last beginning. What has failed is tried again, with pauses that grow, and once the connection
/// is back. A page that nobody looks at waits until somebody does.
export function paced(work, pause, { concerns = () => true, every = 0 } = {}) {
  let timer = null;
  let later = null;
  let busy = false;
  let asked = false;
  let began = 0;
  let over = false;
  let fails = 0;
  const turn = async () => {
    timer = null;
    clearTimeout(later);
    if (over) return;
    if (busy || document.hidden) {
      asked = true;
      return;
    }
    busy = true;
    asked = false;
    began = Date.now();
    try {
      await work();
      fails = 0;
    } catch (error) {
      // What the server has judged stays as it is until something happens.
      fails = passing(error) ? fails + 1 : 0;
    } finally {
      busy = false;
      const wait = fails ? Math.min(AGAIN_MIN_MS * 2 ** (fails - 1), BY_THE_CLOCK) : every;
      if (asked) soon();
      else if (wait && !over) later = setTimeout(soon, wait);
    }
  };
  const soon = () => {
    if (over || timer !== null) return;
    timer = setTimeout(turn, Math.max(0, began + pause() - Date.now()));
  };
  const seen = () => asked && !document.hidden && soon();
  document.addEventListener("visibilitychange", seen);
  const off = onEvents((events) => events.some(concerns) && (busy ? (asked = true) : soon()));
  const back = connection.subscribe(({ state }) => state === "live" && fails && soon());
  soon();
  return {
    soon,
    end() {
      back();
      over = true;
      clearTimeout(timer);
      clearTimeout(later);
      document.removeEventListener("visibilitychange", seen);
      off();
    },
  };
}

/// What `load` returns, kept up to date while the log moves. The last answer stays while a new one is on its way.
export function useLive(load, on, { pause = 1000, ...when } = {}) {
  const [shown, show] = useState({ data: null, error: null });
  const again = useRef(() => {});
  useEffect(() => {
    let gone = false;
    let had = false;
    const note = noted();
    const work = async () => {
      try {
        const data = await load();
        if (gone) return;
        had = true;
        note.well();
        show({ data, error: null });
      } catch (error) {
        if (gone) return;
        if (had) note.ill(error);
        show((before) => ({ ...before, error }));
        throw error;
      }
    };
    const pacing = paced(work, typeof pause === "function" ? pause : () => pause, when);
    again.current = pacing.soon;
    return () => {
      gone = true;
      note.well();
      pacing.end();
    };
  }, on);
  return { ...shown, reload: () => again.current() };
}
