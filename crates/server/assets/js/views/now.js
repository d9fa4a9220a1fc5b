// The fleet at a glance: how well it is, who does what, what waits and why, what is late, what needs a person.

import { get } from "../api.js";
import { BY_THE_CLOCK, useLive } from "../live.js";
import { href } from "../route.js";
import { Ago, Card, Empty, html, Loading, Meter, Priority, Quoted, Table, TaskLink, Twin } from "../ui.js";
import * as words from "../words.js";
import { waits } from "./inbox.js";

const PARTS = {
  online: "agents online",
  success: "attempts that succeed",
  running: "running, not stalled",
  queued: "queued, within their wait",
  escalations: "escalations in time",
};

export function Now() {
  const live = useLive(() => get("/v1/overview"), [], { pause: 500, every: BY_THE_CLOCK });
  const now = live.data;
  if (!now) return html`<h1>Now</h1><${Loading} of=${live} />`;
  return html`<h1 class="hidden">Now</h1>
    <${Counts} now=${now} />
    <div class="grid">
      ${now.agents.total === 0 && now.tasks.total === 0 && html`<${Start} />`}
      <${Health} health=${now.health} />
      <${Person} now=${now} />
      <${Flow} flow=${now.flow} />
      <${Queue} now=${now} />
      <${LateOnes} now=${now} />
      <${Loads} now=${now} />
    </div>`;
}

/// What there is to do where nothing is there yet.
function Start() {
  return html`<${Card} id="start" wide title="How to begin"><ol class="steps">
    <li><a href=${href("agents")}>Register who works here</a>, or <code>kapell team FILE</code> for a whole team.</li>
    <li><a href=${href("board")}>Write the first task</a>, or <code>kapell import FILE</code> for a backlog.</li>
    <li><code>kapell join NAME</code> prints how each agent connects; as soon as it calls in it has work, and every task says why it is where it is.</li>
  </ol><p class="note"><code>kapell demo</code> shows a team at work without any of this.</p></${Card}>`;
}

function Counts({ now }) {
  const rare = ["waiting", "in_review", "archived"];
  const order = ["in_progress", "in_review", "waiting", "assigned", "ready", "blocked", "deferred", "completed", "failed", "cancelled", "archived"].filter((state) => now.tasks[state] || (!rare.includes(state) && state in now.tasks));
  return html`<ul class="counts" aria-label="Tasks by state">
    ${order.map((state) => html`<li><a href=${href("board", "", { state })} class="s-${state}">
      <strong>${words.number(now.tasks[state])}</strong><span>${words.state(state)}</span></a></li>`)}
  </ul>`;
}

function Health({ health }) {
  const low = health.total < health.minimum;
  return html`<${Card} id="health" title="Health" note=${`alert below ${words.score(health.minimum)}`}>
    <p class="figure ${low ? "bad" : "good"}"><strong>${words.score(health.total)}</strong>
      <span>${low ? "low" : "well"}${health.low_since ? html`, for <${Ago} at=${health.low_since} />` : ""}</span></p>
    <table class="parts"><caption class="hidden">The parts of the health</caption>
      <thead class="hidden"><tr><th scope="col">part</th><th scope="col">share</th><th scope="col">adds</th></tr></thead>
      <tbody>${health.parts.map(({ part, good, all, weight, adds }) => {
        const share = weight > 0 ? adds / weight : 1;
        const text = all ? `${words.number(good)} of ${words.number(all)}` : "no data";
        return html`<tr key=${part}>
          <th scope="row">${PARTS[part] || part}</th>
          <td><${Meter} share=${share} label=${`${words.percent(share)}`} tone=${all === 0 ? "none" : share < 0.7 ? "bad" : ""} /></td>
          <td class="number">${text}</td></tr>`;
      })}</tbody>
    </table>
  </${Card}>`;
}

function Person({ now }) {
  const { escalations, offers, escalations_open: asked, offers_open: offered, webhooks_stuck: stuck } = now;
  // The inbox has more: reviews, and decisions that nobody was called for.
  const all = Math.max(waits.value ?? 0, asked + offered);
  const more = all - escalations.length - offers.length;
  return html`<${Card} id="person" title="Needs a person" note=${all + stuck.length ? words.plural(all + stuck.length, "thing") : ""}>
    ${all + stuck.length === 0 && html`<${Empty}>Nothing does.</${Empty}>`}
    <ul class="lines">
      ${escalations.map((each) => html`<li key=${each.id}><a href=${href("inbox", "", { open: each.id })}>
        <${Priority} of=${each.severity} /><span class="text"><${Quoted} text=${each.detail} /></span>
        <span class="note">${each.role}, raised <${Ago} at=${each.raised_at} /> ago</span></a></li>`)}
      ${offers.map((each) => html`<li key=${each.id}><a href=${href("inbox", "", { open: each.id })}>
        <span class="pill">late result</span><span class="text">${each.task} by ${each.agent}</span>
        <span class="note"><${Ago} at=${each.at} /> ago</span></a></li>`)}
      ${stuck.map((each) => html`<li key=${`webhook ${each.name}`}>
        <span class="pill">webhook ${each.state}</span><span class="text">${each.name}</span><span class="note">${each.reason}</span></li>`)}
    </ul>
    ${more > 0 && html`<a href=${href("inbox")}>${words.plural(more, "more", "more")} in the inbox</a>`}
  </${Card}>`;
}

function Flow({ flow }) {
  const most = Math.max(1, ...flow.map((hour) => Math.max(hour.submitted, hour.completed + hour.failed)));
  const [wide, tall, step] = [480, 120, 20];
  const up = (count) => (count / most) * (tall - 6);
  const sum = (of) => flow.reduce((total, hour) => total + hour[of], 0);
  const [submitted, completed, failed] = [sum("submitted"), sum("completed"), sum("failed")];
  return html`<${Card} id="flow" title="Last 24 hours" note=${submitted + completed + failed > 0 && `highest hour: ${words.number(most)}`}>
    <svg class="flow" viewBox="0 0 ${wide} ${tall + 16}" role="img"
      aria-label=${`${submitted} submitted, ${completed} completed, ${failed} failed in the last 24 hours`}>
      <line x1="0" x2=${wide} y1=${tall} y2=${tall} class="axis" />
      ${flow.map((hour, at) => html`<g key=${hour.from} transform="translate(${at * step} 0)">
        <rect class="f-submitted" x="3" width="6" y=${tall - up(hour.submitted)} height=${up(hour.submitted)} />
        <rect class="f-completed" x="10" width="6" y=${tall - up(hour.completed)} height=${up(hour.completed)} />
        <rect class="f-failed" x="10" width="6" y=${tall - up(hour.completed + hour.failed)} height=${up(hour.failed)} />
        ${at % 6 === 5 && html`<text x="17" y=${tall + 13} text-anchor="end">${words.clock(hour.from).slice(-5)}</text>`}
      </g>`)}
    </svg>
    <ul class="legend">
      <li><span class="f-submitted"></span>submitted ${words.number(submitted)}</li>
      <li><span class="f-completed"></span>completed ${words.number(completed)}</li>
      <li><span class="f-failed"></span>failed attempts ${words.number(failed)}</li>
    </ul>
    <${Twin}><${Table} caption="Flow by hour" columns=${["Hour from", ["Submitted", "number"], ["Completed", "number"], ["Failed", "number"]]}
      rows=${flow.map((hour) => ({ key: hour.from, cells: [words.clock(hour.from), hour.submitted, hour.completed, hour.failed] }))} /></${Twin}>
  </${Card}>`;
}

function Queue({ now }) {
  return html`<${Card} id="queue" title="First in the queue" note=${`${words.number(now.tasks.ready)} ready`}>
    ${now.queue.length === 0 && html`<${Empty}>Nothing waits for an agent.</${Empty}>`}
    <ul class="lines">${now.queue.map((each) => html`<li key=${each.task}><a href=${href("task", each.task)}>
      <span class="id">${each.task}</span><${Priority} of=${each.priority} /><span class="text">${each.title}</span>
      <span class="note">waits <${Ago} at=${each.since} />: ${each.reason}</span></a></li>`)}</ul>
  </${Card}>`;
}

function LateOnes({ now }) {
  return html`<${Card} id="late" title="Late" note=${now.late_total > now.late.length ? `${words.number(now.late_total)} in all` : ""}>
    ${now.late.length === 0 && html`<${Empty}>No deadline is missed or in danger.</${Empty}>`}
    <ul class="lines">${now.late.map((each) => html`<li key=${each.task}><a href=${href("task", each.task)}>
      <span class="id">${each.task}</span><span class="pill ${each.lateness}">${words.sentence(each.lateness)}</span><span class="text">${each.title}</span>
      <span class="note">${each.lateness === "overdue"
        ? html`due <${Ago} at=${each.deadline} /> ago, ${words.state(each.state).toLowerCase()}`
        : html`should have begun <${Ago} at=${each.latest_start} /> ago, ${words.state(each.state).toLowerCase()}`}</span></a></li>`)}</ul>
  </${Card}>`;
}

/// How far a task is with its owner; finished work stands before its gates.
const STANDING = { assigned: () => "not begun", in_progress: (task) => `${task.percent} %` };

function Loads({ now }) {
  const { online, total, slots, slots_used: used } = now.agents;
  const row = (agent) => ({
    key: agent.name,
    cells: [
      html`<a href=${href("agents", agent.name)}>${agent.name}</a><span class="note block">${agent.role}</span>`,
      html`<span class="pill a-${agent.state}">${agent.draining ? "draining" : agent.state}</span>`,
      html`<${Meter} share=${agent.used / agent.slots} label=${`${agent.used} of ${agent.slots} slots`} /> <span class="number">${agent.used}/${agent.slots}</span>`,
      html`<ul class="doing">${agent.tasks.map((task) => html`<li key=${task.task}><${TaskLink} id=${task.task} /> <span class="text">${task.title}</span>
        <span class="note">${STANDING[task.state]?.(task) ?? words.state(task.state).toLowerCase()}, <${Ago} at=${task.since} /></span></li>`)}</ul>
        ${agent.tasks.length === 0 && html`<span class="note">idle</span>`}`,
    ],
  });
  return html`<${Card} id="loads" wide title="Agents" note=${`${online} of ${total} online, ${used} of ${slots} slots taken`}>
    ${now.loads.length === 0
      ? html`<${Empty}>No agent is registered yet.</${Empty}>`
      : html`<${Table} caption="Agents with their load" columns=${["Agent", "State", ["Load", "load"], "Works on"]} rows=${now.loads.map(row)} />`}
  </${Card}>`;
}
