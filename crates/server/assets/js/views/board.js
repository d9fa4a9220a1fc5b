// The board: columns by derived state, of which only what is in view stands in the page.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, maySteer } from "../api.js";
import { board, cards, isOpen, pause, update } from "../cards.js";
import { BY_THE_CLOCK, paced } from "../live.js";
import { go, href, route, setQuery } from "../route.js";
import { Ago, html, Overdue, Priority, Trouble } from "../ui.js";
import { Windowed } from "../window.js";
import * as words from "../words.js";
import { Place } from "./place.js";
import { Prioritise } from "./prioritise.js";
import { Submit } from "./submit.js";

const COLUMNS = ["blocked", "deferred", "ready", "assigned", "in_progress", "waiting", "in_review", "completed", "failed", "cancelled", "archived"];
/// Columns that are shown empty too; the others only where something is in them.
const ALWAYS = ["blocked", "ready", "assigned", "in_progress", "completed"];
const CARD_HEIGHT = 86;

const byUrgency = (a, b) => a.rank - b.rank || a.number - b.number;
const byEnd = (a, b) => (a.since < b.since ? 1 : a.since > b.since ? -1 : b.number - a.number);

function arranged(query) {
  const asked = (query.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
  const [state, priority, project, agent] = ["state", "priority", "project", "agent"].map((name) => query.get(name));
  const columns = Object.fromEntries(COLUMNS.map((column) => [column, []]));
  for (const card of cards.values()) {
    if (state && card.state !== state) continue;
    if (priority && card.priority !== priority) continue;
    if (project && card.project !== project) continue;
    if (agent && card.agent !== agent) continue;
    if (asked.length && !asked.every((word) => card.text.includes(word))) continue;
    (columns[card.state] ||= []).push(card);
  }
  for (const [name, column] of Object.entries(columns)) {
    column.sort(isOpen({ state: name }) ? byUrgency : byEnd);
  }
  return Object.entries(columns)
    .filter(([name, column]) => (state ? name === state : column.length > 0 || ALWAYS.includes(name)))
    .map(([name, column]) => ({ name, cards: column }));
}

export function Board() {
  const query = route.value.query;
  const { version, left_out: leftOut, loaded, error } = board.value;
  const [placing, setPlacing] = useState(null);
  const [prioritising, setPrioritising] = useState(null);
  const [submitting, setSubmitting] = useState(false);
  const [dragged, setDragged] = useState(null);
  const [focus, setFocus] = useState({ column: 0, index: 0, asked: false });
  const search = useRef(null);
  const frame = useRef(null);
  useEffect(() => paced(update, pause, { every: BY_THE_CLOCK }).end, []);
  const columns = useMemo(() => arranged(query), [version, query]);
  const shown = columns.reduce((sum, column) => sum + column.cards.length, 0);

  const steer = maySteer();
  const place = (card, agent) => steer && setPlacing({ task: card.id, agent });
  const prioritise = (card, priority) => steer && isOpen(card) && setPrioritising({ task: card.id, priority });
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (event.key === "/") {
      event.preventDefault();
      search.current.focus();
      return;
    }
    if (event.key === "n" && steer) {
      event.preventDefault();
      setSubmitting(true);
      return;
    }
    const at = event.target.closest?.("[data-card]");
    if (!at) return;
    const column = Number(at.dataset.column);
    const index = Number(at.dataset.index);
    const card = columns[column]?.cards[index];
    const moves = { ArrowDown: [0, 1], ArrowUp: [0, -1], ArrowRight: [1, 0], ArrowLeft: [-1, 0], Home: [0, -1e9], End: [0, 1e9], PageDown: [0, 6], PageUp: [0, -6] };
    if (moves[event.key]) {
      event.preventDefault();
      const [across, down] = moves[event.key];
      let next = column + across;
      while (columns[next] && columns[next].cards.length === 0) next += across;
      if (!columns[next]) next = column;
      const last = columns[next].cards.length - 1;
      setFocus({ column: next, index: Math.max(0, Math.min(last, index + down)), asked: true });
    } else if (event.key === "a" && card) {
      event.preventDefault();
      place(card);
    } else if (event.key === "p" && card) {
      event.preventDefault();
      prioritise(card);
    }
  };
  // Wherever the focus is, unless something is being filled in.
  const pressed = useRef(onKey);
  pressed.current = onKey;
  useEffect(() => {
    const listen = (event) => !document.querySelector("dialog[open]") && pressed.current(event);
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
  useEffect(() => {
    if (!focus.asked) return;
    const target = frame.current?.querySelector(`[data-column="${focus.column}"][data-index="${focus.index}"]`);
    target?.focus({ preventScroll: true });
    target?.closest(".column")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [focus]);

  return html`<div class="board" ref=${frame}>
    <div class="tools">
      <h1>Board</h1>
      ${steer && html`<button type="button" class="primary" onClick=${() => setSubmitting(true)}>New task</button>`}
      <${Filters} query=${query} search=${search} columns=${columns} />
      <p class="note" role="status">${loaded ? `${words.plural(shown, "task")}${leftOut ? `, ${words.number(leftOut)} older ones left out` : ""}` : "Loading …"}</p>
      <p class="note keys"><kbd>/</kbd> search <kbd>←↑↓→</kbd> go <kbd>Enter</kbd> open${steer && html` <kbd>a</kbd> assign <kbd>p</kbd> priority <kbd>n</kbd> new`}</p>
    </div>
    ${error && html`<${Trouble} error=${error} />`}
    ${loaded && cards.size === 0 && html`<p class="empty">There is no task yet.${steer && html` Write one here, or bring a backlog in: <code>kapell import FILE</code>.`}</p>`}
    <div class=${dragged ? "columns dragging" : "columns"}>
      ${columns.map((column, at) => html`<section class="column" key=${column.name} aria-labelledby=${`column-${column.name}`}>
        <h2 id=${`column-${column.name}`}><span class="pill s-${column.name}">${words.state(column.name)}</span> <span class="number">${words.number(column.cards.length)}</span></h2>
        <${Windowed} items=${column.cards} height=${CARD_HEIGHT} label=${words.state(column.name)}
          wanted=${focus.asked && focus.column === at ? focus.index : null}
          row=${(card, index) => html`<${OneCard} card=${card} column=${at} index=${index}
            tab=${focus.column === at ? Math.min(focus.index, column.cards.length - 1) === index : index === 0}
            drag=${steer ? setDragged : null} onFocus=${() => setFocus({ column: at, index, asked: false })} />`} />
      </section>`)}
      ${dragged && html`<${Targets} card=${dragged} toAgent=${(agent) => place(dragged, agent)} toPriority=${(priority) => prioritise(dragged, priority)} />`}
    </div>
    ${submitting && html`<${Submit} onClose=${() => setSubmitting(false)} />`}
    ${placing && html`<${Place} task=${placing.task} agent=${placing.agent} onClose=${() => setPlacing(null)} />`}
    ${prioritising && html`<${Prioritise} task=${prioritising.task} priority=${prioritising.priority} onClose=${() => setPrioritising(null)} />`}
  </div>`;
}

function Filters({ query, search }) {
  const [typed, setTyped] = useState(query.get("q") || "");
  const waiting = useRef(null);
  const names = (of) => [...new Set([...cards.values()].map((card) => card[of]).filter(Boolean))].sort();
  const lists = useMemo(() => ({ project: names("project"), agent: names("agent") }), [board.value.version]);
  // Whatever changes the address changes the box, unless it is being written in.
  const asked = query.get("q") || "";
  useEffect(() => {
    if (document.activeElement === search.current) return;
    clearTimeout(waiting.current);
    setTyped(asked);
  }, [asked, query]);
  useEffect(() => () => clearTimeout(waiting.current), []);
  const type = (text) => {
    setTyped(text);
    clearTimeout(waiting.current);
    waiting.current = setTimeout(() => setQuery({ q: text }), 120);
  };
  const choice = (name, label, all) => html`<label class="inline"><span class="hidden">${label}</span>
    <select value=${query.get(name) || ""} onChange=${(event) => setQuery({ [name]: event.target.value })}>
      <option value="">Any ${label.toLowerCase()}</option>
      ${[...new Set([...all, query.get(name)])].filter(Boolean).map((each) => html`<option value=${each}>${name === "state" ? words.state(each) : each}</option>`)}
    </select></label>`;
  const filtered = ["q", "state", "priority", "project", "agent"].some((name) => query.get(name));
  return html`<div class="filters" role="search">
    <label class="inline"><span class="hidden">Search</span>
      <input ref=${search} type="search" placeholder="Search title, key, agent, label" value=${typed} onInput=${(event) => type(event.target.value)} /></label>
    ${choice("state", "State", COLUMNS)}${choice("priority", "Priority", words.PRIORITIES)}
    ${choice("project", "Project", lists.project)}${choice("agent", "Agent", lists.agent)}
    ${filtered && html`<button type="button" class="quiet" onClick=${() => {
      setTyped("");
      setQuery({ q: "", state: "", priority: "", project: "", agent: "" });
    }}>Clear</button>`}
  </div>`;
}

function OneCard({ card, column, index, tab, drag, onFocus }) {
  return html`<a class="task p-${card.priority}" href=${href("task", card.id)} data-card data-column=${column} data-index=${index}
    tabindex=${tab ? 0 : -1} draggable=${Boolean(drag)} onFocus=${onFocus}
    onDragStart=${(event) => {
      event.dataTransfer.setData("text/plain", card.id);
      event.dataTransfer.effectAllowed = "move";
      // The page may change only after the browser has taken its picture of the card.
      setTimeout(() => drag?.(card));
    }}
    onDragEnd=${() => drag?.(null)}
    onClick=${(event) => {
      event.preventDefault();
      go("task", card.id);
    }}>
    <span class="head"><span class="id">${card.id}</span><${Priority} of=${card.priority} />
      ${card.offers > 0 && html`<span class="pill">late result</span>`}${card.deadline && isOpen(card) && html`<${Overdue} at=${card.deadline} />`}</span>
    <span class="title">${card.title}</span>
    <span class="foot">${card.agent && html`<span>${card.agent}${card.percent !== undefined && ` · ${card.percent} %`}</span>`}
      ${card.blockers > 0 && html`<span>waits for ${card.blockers}</span>`}${card.project && html`<span>${card.project}</span>`}
      <span><${Ago} at=${card.since} /></span></span>
  </a>`;
}

/// The agents and priorities, to drop a card on.
function Targets({ card, toAgent, toPriority }) {
  const [agents, setAgents] = useState([]);
  const [over, setOver] = useState(null);
  useEffect(() => {
    get("/v1/agents?limit=1000").then((page) => setAgents(page.items), () => {});
  }, []);
  const takes = (key, drop) => ({
    class: over === key ? "over" : "",
    onDragOver: (event) => {
      event.preventDefault();
      setOver(key);
    },
    onDragLeave: () => setOver(null),
    onDrop: (event) => {
      event.preventDefault();
      drop();
    },
  });
  const given = ["ready", "assigned", "in_progress"].includes(card.state);
  return html`<aside class="targets" aria-label="Where to drop the task">
    ${isOpen(card) && html`<h2>Priority of ${card.id}</h2><ul class="priorities">
      ${words.PRIORITIES.map((each) => html`<li key=${each} data-priority=${each} ...${takes(`priority ${each}`, () => toPriority(each))}><${Priority} of=${each} /></li>`)}</ul>`}
    <h2>${given ? `Give ${card.id} to` : `${card.id} is ${words.state(card.state).toLowerCase()}`}</h2>
    ${!given && html`<p class="note">Only what is ready or owned can be given to an agent.</p>`}
    ${given && html`<ul>${agents.map((agent) => html`<li key=${agent.name} data-agent=${agent.name} ...${takes(agent.name, () => toAgent(agent.name))}>
      <span>${agent.name}</span><span class="note">${agent.state === "online" ? `${agent.tasks.length}/${agent.max_concurrent_tasks}` : agent.state}</span></li>`)}</ul>`}
  </aside>`;
}
