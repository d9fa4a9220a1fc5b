// The few pieces that every view is made of.

import { h } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import htm from "htm";
import { href } from "./route.js";
import * as words from "./words.js";

export const html = htm.bind(h);

export const Pill = ({ state }) => html`<span class="pill s-${state}">${words.state(state)}</span>`;

export const Priority = ({ of }) =>
  html`<span class="priority p-${of}"><span aria-hidden="true" class="flag"></span>${of}</span>`;

export const TaskLink = ({ id }) => html`<a class="id" href=${href("task", id)}>${id}</a>`;

/// The time, every second: what is told by it is drawn anew with it.
export const tick = signal(Date.now());
setInterval(() => !document.hidden && (tick.value = Date.now()), 1000);

export const Ago = ({ at }) => html`<time datetime=${at} title=${words.exact(at)}>${words.ago(at, tick.value)}</time>`;

export const Overdue = ({ at }) => Date.parse(at) < tick.value && html`<span class="pill overdue">overdue</span>`;

export const At = ({ at }) => html`<time datetime=${at} title=${words.exact(at)}>${words.clock(at)}</time>`;

/// A sentence of the server: tasks become links, times are told as everywhere, what stands in backticks is set apart.
export const Told = ({ text }) =>
  String(text).split(/(`[^`]+`|\bT-\d+\b|\d{4}-\d\d-\d\dT[\d:.]+Z|\d{4}-\d\d-\d\d \d\d:\d\d UTC)/).map((part) => {
    if (/^T-\d+$/.test(part)) return html`<${TaskLink} id=${part} />`;
    if (/^\d{4}-.*(Z|UTC)$/.test(part)) return html`<${At} at=${part.replace(" UTC", "Z").replace(" ", "T")} />`;
    return part.startsWith("`") && part.length > 2 ? html`<code>${part.slice(1, -1)}</code>` : part;
  });

/// The same within a link, where no other may stand.
export const Quoted = ({ text }) => String(text).split(/(`[^`]+`)/).map((part) => (part.startsWith("`") && part.length > 2 ? html`<code>${part.slice(1, -1)}</code>` : part));

export const Facts = ({ of }) => html`<ul class="reasons">${(of || []).map((fact) => html`<li><${Told} text=${fact} /></li>`)}</ul>`;

export const Empty = ({ children }) => html`<p class="empty">${children}</p>`;

export function Card({ title, note, children, wide, id }) {
  return html`<section class=${wide ? "card wide" : "card"} aria-labelledby=${id}>
    <header><h2 id=${id}>${title}</h2>${note && html`<span class="note">${note}</span>`}</header>
    ${children}
  </section>`;
}

/// A share of a whole, with its words beside it: the bar alone says nothing to whoever cannot see it.
export const Meter = ({ share, label, tone = "" }) =>
  html`<span class="meter ${tone}" role="img" aria-label=${label}>
    <span style=${{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }}></span>
  </span>`;

/// A table that scrolls sideways where it must. `columns` are [title, class] or titles.
export function Table({ caption, columns, rows, hideCaption = true }) {
  const heads = columns.map((column) => [].concat(column));
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table>
      <caption class=${hideCaption ? "hidden" : ""}>${caption}</caption>
      <thead><tr>${heads.map(([title, kind]) => html`<th scope="col" class=${kind}>${title || html`<span class="hidden">To do</span>`}</th>`)}</tr></thead>
      <tbody>${rows.map(
        (row) => html`<tr key=${row.key}>${row.cells.map((cell, at) => html`<td class=${heads[at][1]}>${cell}</td>`)}</tr>`,
      )}</tbody>
    </table>
  </div>`;
}

/// A picture with its twin: the same as a table.
export const Twin = ({ children }) =>
  html`<details class="twin"><summary>The same as a table</summary>${children}</details>`;

/// Calls `again` where what is drawn by hand must be drawn anew: another size, another theme, paper.
export function redrawn(again) {
  const theme = matchMedia("(prefers-color-scheme: dark)");
  theme.addEventListener("change", again);
  const moments = ["resize", "beforeprint", "afterprint"];
  for (const each of moments) addEventListener(each, again);
  return () => {
    theme.removeEventListener("change", again);
    for (const each of moments) removeEventListener(each, again);
  };
}

export function Trouble({ error }) {
  if (!error) return null;
  const { field, given, allowed, hint, code } = error.problem || {};
  return html`<div class="trouble" role="alert">
    <p>${sentenced(error.message)}</p>
    ${field && html`<p class="note">${field}${given && ` was ${given}`}${allowed && `; allowed: ${allowed}`}</p>`}
    ${hint && html`<p class="note">${sentenced(hint)}</p>`}
    ${code && html`<p class="note code">${code}</p>`}
  </div>`;
}

const sentenced = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

export function Loading({ of }) {
  const { data, error } = of;
  if (error && !data) return html`<${Trouble} error=${error} />`;
  return html`<p class="loading" aria-live="polite">Loading …</p>`;
}

/// A dialog that takes the keyboard until it is closed, and gives it back.
export function Dialog({ title, onClose, children }) {
  const box = useRef(null);
  useEffect(() => {
    const before = document.activeElement;
    box.current.showModal();
    return () => {
      // What had the focus may have been drawn anew meanwhile: a link is known by where it goes.
      const to = before?.getAttribute("href");
      const same = (each) => each.getAttribute("href") === to;
      const again = before?.isConnected ? before : to && [...document.querySelectorAll("a[href]")].find(same);
      if (again) again.focus();
    };
  }, []);
  return html`<dialog ref=${box} aria-labelledby="dialog-title" onCancel=${(event) => {
    event.preventDefault();
    onClose();
  }}>
    <header><h2 id="dialog-title">${title}</h2>
      <button type="button" class="quiet" aria-label="Close" onClick=${onClose}>✕</button></header>
    ${children}
  </dialog>`;
}

/// What was just done, said once, also to those who listen.
export const said = signal(null);
let fading;

export function say(text) {
  said.value = text;
  clearTimeout(fading);
  fading = setTimeout(() => (said.value = null), 6000);
}

/// A button that sends something, is quiet while it is under way and shows what went wrong.
export function useAction(work) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const run = async (...with_) => {
    setBusy(true);
    setError(null);
    try {
      await work(...with_);
    } catch (error) {
      setError(error);
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, run, clear: () => setError(null) };
}
