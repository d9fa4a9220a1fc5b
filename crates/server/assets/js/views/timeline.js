// Who did what when, read from the log; and the fleet as it was at any moment of it.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get } from "../api.js";
import { Burnt, stretches } from "../burnup.js";
import { cards, isOpen, update } from "../cards.js";
import { BY_THE_CLOCK, useLive } from "../live.js";
import { href, route, setQuery } from "../route.js";
import { At, Card, Empty, html, Loading, Pill, redrawn, Table, TaskLink, Twin } from "../ui.js";
import * as words from "../words.js";

const [LANE, NAMES] = [22, 130];
const TONE = { completed: "good", failed: "bad", open: "accent", returned: "warn", moved: "warn", sent_back: "warn", cancelled: "strong" };

/// How far an assignment was at a moment.
const standing = ({ started, finished }, moment) => {
  if (finished && Date.parse(finished) <= moment) return "finished, waits for its gates";
  return started && Date.parse(started) <= moment ? "at work" : "not begun";
};

export function Timeline() {
  const hours = Number(route.value.query.get("hours")) || 24;
  // A long log takes long to read, so it is read less often.
  const big = useRef(false);
  const live = useLive(async () => {
    const [lines, status] = await Promise.all([get(`/v1/timeline?hours=${hours}`), get("/v1/status"), update()]);
    big.current = lines.cut || lines.bars.length > 5000;
    return { ...lines, status };
  }, [hours], { pause: () => (big.current ? 30_000 : 5000), every: BY_THE_CLOCK });
  const [chosen, setChosen] = useState(null);
  const lines = live.data;
  return html`<div class="tools"><h1>Timeline</h1>
      <label class="inline"><span class="hidden">How far back</span><select value=${hours} onChange=${(event) => setQuery({ hours: event.target.value })}>
        ${stretches([[1, "Last hour"], [6, "Last 6 hours"], [24, "Last day"], [168, "Last week"], [720, "Last 30 days"]], hours).map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select></label>
      ${lines && html`<p class="note" role="status">${words.plural(new Set(lines.bars.map((bar) => bar.assignment)).size, "assignment")} of ${words.plural(lines.agents.length, "agent")}${lines.cut ? "; the log goes back further than is read" : ""}</p>`}</div>
    ${!lines ? html`<${Loading} of=${live} />` : lines.steps.length === 0 || lines.bars.length === 0 ? html`<${Empty}>Nobody had anything to do in this time.</${Empty}>`
      : html`<div class="grid"><${Card} id="lanes" wide title="Who did what" note="solid: at work; the line is the chosen moment"><${Lanes} lines=${lines} chosen=${chosen} /></${Card}>
        <${Then} lines=${lines} chosen=${chosen} choose=${setChosen} />
        <${Card} id="ahead" wide title="What is ahead"><${Burnt} tasks=${lines.status.tasks} lines=${lines} /></${Card}>
        <${Deadlines} now=${Date.parse(lines.to)} /></div>`}`;
}

/// The open tasks with the nearest deadlines, missed ones first.
function Deadlines({ now }) {
  const due = [...cards.values()].filter((card) => card.deadline && isOpen(card)).sort((a, b) => (a.deadline < b.deadline ? -1 : 1));
  return html`<${Card} id="deadlines" wide title="Deadlines" note=${words.plural(due.length, "open task")}>
    ${due.length === 0 ? html`<${Empty}>No open task has a deadline.</${Empty}>` : html`<${Table} caption="The nearest deadlines" columns=${["Due", "Task", "Title", "State", "Agent"]}
      rows=${due.slice(0, 50).map((card) => ({ key: card.id, cells: [html`<${At} at=${card.deadline} /> <span class=${Date.parse(card.deadline) < now ? "bad" : "note"}>${Date.parse(card.deadline) < now ? `${words.ago(card.deadline, now)} ago` : `in ${words.span(Date.parse(card.deadline) - now)}`}</span>`, html`<${TaskLink} id=${card.id} />`, card.title, html`<${Pill} state=${card.state} />`, card.agent || ""] }))} />`}
    ${due.length > 50 && html`<p class="note">The nearest 50 are shown.</p>`}
  </${Card}>`;
}

function Lanes({ lines, chosen }) {
  const canvas = useRef(null);
  const at = chosen === null ? null : lines.steps.find((step) => step.position >= chosen)?.at;
  useEffect(() => {
    const again = () => draw(canvas.current, lines, at);
    again();
    return redrawn(again);
  }, [lines, at]);
  const bars = lines.bars.slice(-1000).reverse();
  return html`<canvas class="picture" ref=${canvas} role="img" style=${{ height: `${lines.agents.length * LANE + 24}px` }}
      aria-label=${`${lines.bars.length} assignments of ${lines.agents.length} agents; the table below holds the same`}></canvas>
    <ul class="legend"><li>begun at the left edge of the solid part, finished at its right one; pale: owned, not begun, or finished and waiting for its gates. Green completed, red failed, blue owned now, amber moved, returned or sent back.</li></ul>
    <${Twin}><${Table} caption="Assignments, the last first" columns=${["Agent", "Task", "Title", "From", "To", "End"]}
      rows=${bars.map((bar) => ({ key: bar.assignment + bar.from, cells: [bar.agent, html`<${TaskLink} id=${bar.task} />`, bar.title, html`<${At} at=${bar.from} />`, bar.to ? html`<${At} at=${bar.to} />` : "", bar.to ? words.sentence(bar.end).toLowerCase() : standing(bar, Date.parse(lines.to))] }))} /></${Twin}>`;
}

function draw(canvas, lines, moment) {
  const ratio = devicePixelRatio || 1;
  const { clientWidth, clientHeight } = canvas;
  canvas.width = clientWidth * ratio;
  canvas.height = clientHeight * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const style = getComputedStyle(document.documentElement);
  const tone = (name) => style.getPropertyValue(`--${name}`).trim();
  const [from, to] = [Date.parse(lines.from), Date.parse(lines.to)];
  const names = Math.min(NAMES, clientWidth / 3);
  const x = (at) => names + ((Math.max(from, at) - from) / Math.max(1, to - from)) * (clientWidth - names - 8);
  const lane = new Map(lines.agents.map((agent, index) => [agent, index]));
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  lines.agents.forEach((agent, index) => {
    pen.fillStyle = tone("ink");
    pen.fillText(agent.length > 17 ? `${agent.slice(0, 16)}…` : agent, 8, index * LANE + LANE / 2 + 2);
    pen.fillStyle = tone("line");
    pen.fillRect(names, (index + 1) * LANE, clientWidth - names, 1);
  });
  pen.fillStyle = tone("soft");
  for (let part = 0; part < 5; part += 1) {
    const at = from + ((to - from) * part) / 5;
    pen.fillRect(x(at), 0, 1, 4);
    pen.fillText(to - from < 600_000 ? words.second(at) : words.clock(at), x(at) + 3, lines.agents.length * LANE + 13);
  }
  for (const bar of lines.bars) {
    const end = bar.to ? Date.parse(bar.to) : to;
    const [left, right] = [x(Date.parse(bar.from)), x(end)];
    const top = lane.get(bar.agent) * LANE + 4;
    pen.fillStyle = tone(TONE[bar.end] || "strong");
    pen.globalAlpha = 0.35;
    pen.fillRect(left, top, Math.max(1.5, right - left), LANE - 7);
    pen.globalAlpha = 0.9;
    if (bar.started) {
      const begun = x(Date.parse(bar.started));
      const over = bar.finished ? x(Date.parse(bar.finished)) : right - 1;
      pen.fillRect(begun, top, Math.max(1.5, over - begun), LANE - 7);
    }
    pen.globalAlpha = 1;
  }
  if (moment) {
    pen.fillStyle = tone("ink");
    pen.fillRect(x(Date.parse(moment)), 0, 2, lines.agents.length * LANE);
  }
}

/// The fleet at a chosen position of the log: counts folded from the log by the server, and who had what then.
function Then({ lines, chosen, choose }) {
  const last = lines.steps.length - 1;
  // The slider goes from the beginning over the end of each step.
  const stops = [{ at: lines.from, position: lines.first }, ...lines.steps];
  const position = Math.min(chosen ?? lines.position, lines.position);
  const later = lines.steps.findIndex((step) => step.position >= position);
  const now = chosen === null || position === lines.position;
  const index = now || later < 0 ? last : later;
  const [then, setThen] = useState(null);
  useEffect(() => {
    let gone = false;
    const timer = setTimeout(() => get(`/v1/status?at=${position}`).then((status) => !gone && setThen(status), () => !gone && setThen(null)), 200);
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [position]);
  const at = then && then.position === position ? then.at : lines.steps[index].at;
  const had = useMemo(() => {
    const moment = Date.parse(at);
    return lines.bars.filter((bar) => Date.parse(bar.from) <= moment && (!bar.to || Date.parse(bar.to) > moment));
  }, [lines, at]);
  const go = (to) => choose(Math.max(lines.first, Math.min(lines.position, to)));
  return html`<${Card} id="then" wide title=${now ? "The fleet now" : `The fleet at ${words.exact(at)}`} note=${`position ${words.number(position)}`}>
    <label>Moment <input class="scrub" type="range" min="0" max=${last + 1} value=${position === lines.first ? 0 : index + 1} aria-valuetext=${words.exact(at)} onInput=${(event) => choose(Number(event.target.value) > last ? null : stops[Number(event.target.value)].position)} /></label>
    <div class="settle"><button type="button" class="small" disabled=${position <= lines.first} onClick=${() => go(position - 1)}>One event back</button>
      <label class="inline">Position <input type="number" class="position" min=${lines.first} max=${lines.position} value=${position} onChange=${(event) => event.target.value && go(Number(event.target.value))} /></label>
      <button type="button" class="small" disabled=${now} onClick=${() => go(position + 1)}>One event on</button>
      ${!now && html`<button type="button" class="small" onClick=${() => choose(null)}>Now</button>`}</div>
    ${then && html`<p role="status">${words.number(then.tasks.completed)} completed, ${words.number(then.tasks.in_progress)} in progress, ${words.number(then.tasks.assigned)} assigned, ${words.number(then.tasks.ready)} ready, ${words.number(then.tasks.blocked)} blocked, ${words.number(then.tasks.failed)} failed; ${then.agents.online} of ${then.agents.total} agents online.</p>`}
    ${had.length === 0 ? html`<${Empty}>Nobody had a task at this moment.</${Empty}>` : html`<${Table} caption="Who had what then" columns=${["Agent", "Task", "Title", "Since", "How far"]}
      rows=${had.slice(0, 500).map((bar) => ({ key: bar.assignment, cells: [bar.agent, now ? html`<${TaskLink} id=${bar.task} />` : html`<a class="id" href=${href("task", bar.task, { at: position })}>${bar.task}</a>`, bar.title, html`<${At} at=${bar.from} />`, standing(bar, Date.parse(at))] }))} />`}
    ${!now && had.length > 0 && html`<p class="note">The links show each task as it was then, with its reasons.</p>`}
  </${Card}>`;
}
