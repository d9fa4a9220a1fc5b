// Who is there, what each can do and does; drained and resumed here.

import { useState } from "preact/hooks";
import { get, maySteer, pages, post } from "../api.js";
import { Hours } from "../hours.js";
import { BY_THE_CLOCK, position, useLive } from "../live.js";
import { Compose, mayWrite, Message } from "../messages.js";
import { href, route } from "../route.js";
import { Ago, At, Card, Empty, Facts, html, Loading, Meter, say, Table, TaskLink, Told, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Agents() {
  const live = useLive(() => pages("/v1/agents"), [], { every: BY_THE_CLOCK });
  const drain = useAction(async (agent) => {
    const verb = agent.draining ? "resume" : "drain";
    await post(`/v1/agents/${encodeURIComponent(agent.name)}/${verb}`);
    say(agent.draining ? `${agent.name} gets new work again.` : `${agent.name} ends what it has and gets nothing new.`);
    live.reload();
  });
  const chosen = route.value.arg;
  if (!live.data) return html`<h1>Agents</h1><${Loading} of=${live} />`;
  const shown = chosen ? live.data.filter((agent) => agent.name === chosen) : live.data;
  const row = (agent) => ({
    key: agent.name,
    cells: [
      html`<a href=${href("agents", agent.name)}>${agent.name}</a><span class="note block">${agent.role}, ${agent.kind}</span>`,
      html`<span class="pill a-${agent.state}">${agent.state}${agent.draining ? ", draining" : agent.away_until ? ", away" : ""}</span>
        <span class="note block">${agent.last_seen ? html`seen <${Ago} at=${agent.last_seen} /> ago` : "never seen"}</span>`,
      html`<${Meter} share=${agent.tasks.length / agent.max_concurrent_tasks} label=${`${agent.tasks.length} of ${agent.max_concurrent_tasks} slots`} /> <span class="number">${agent.tasks.length}/${agent.max_concurrent_tasks}</span>`,
      agent.tasks.map((task) => html`<${TaskLink} id=${task} /> `),
      Object.entries(agent.capabilities).sort((a, b) => b[1] - a[1]).map(([name, score]) => html`<span class="tag">${name} ${score}</span>`),
      agent.completed, agent.failed, agent.lost,
      maySteer() && html`<button type="button" class="small" disabled=${drain.busy} onClick=${() => drain.run(agent)} aria-label=${`${agent.draining ? "Resume" : "Drain"} ${agent.name}`}>${agent.draining ? "Resume" : "Drain"}</button>`,
    ],
  });
  return html`<h1>${chosen || "Agents"}</h1>
    ${chosen && html`<p><a href=${href("agents")}>All agents</a> · <a href=${href("board", "", { agent: chosen })}>Its tasks on the board</a></p>`}
    <${Trouble} error=${drain.error} />
    <${Card} id="agents" wide title=${chosen ? "What it is and does" : "Everybody"} note=${words.plural(shown.length, "agent")}>
      ${shown.length === 0 ? html`<${Empty}>${chosen ? "There is no agent of that name." : "No agent is registered yet."}</${Empty}>` : html`<${Table} caption="Agents"
        columns=${["Agent", "State", ["Load", "load"], "Tasks", "Capabilities", ["Done", "number"], ["Failed", "number"], ["Lost", "number"], ""]} rows=${shown.map(row)} />`}
      ${chosen && shown[0] && html`<${Facts} of=${shown[0].because} />`}
    </${Card}>
    ${!chosen && maySteer() && html`<div class="grid below"><${Register} onDone=${live.reload} /></div>`}
    ${chosen && shown[0] && html`<${Around} key=${chosen} agent=${shown[0]} onDone=${live.reload} />`}`;
}

/// Reads `rust=0.9, sql=0.6` as scores.
const scores = (text) => Object.fromEntries(text.split(",").map((part) => part.trim()).filter(Boolean).map((part) => part.split("=").map((word) => word.trim())).map(([name, score]) => [name, Number(score ?? 1)]));

function Register({ onDone }) {
  const [asked, setAsked] = useState({ name: "", role: "developer", kind: "agent", can: "", slots: "1" });
  const [made, setMade] = useState(null);
  const field = (name) => ({ value: asked[name], onInput: (event) => setAsked({ ...asked, [name]: event.target.value }) });
  const send = useAction(async () => {
    const { name, role, kind, can, slots } = asked;
    await post("/v1/agents", { name, role, kind, capabilities: scores(can), max_concurrent_tasks: Number(slots) });
    say(`${name} is registered.`);
    setMade(name);
    setAsked({ ...asked, name: "" });
    onDone();
  });
  return html`<${Card} id="register" title="Register an agent"><form onSubmit=${(event) => {
    event.preventDefault();
    send.run();
  }}>
    <div class="pair"><label>Name <input required maxlength="100" ...${field("name")} /></label><label>Role <input required maxlength="100" ...${field("role")} /></label></div>
    <div class="pair"><label>Kind <select ...${field("kind")}>${["agent", "service", "person"].map((each) => html`<option>${each}</option>`)}</select></label>
      <label>Tasks at once <input type="number" min="1" max="1000" required ...${field("slots")} /></label></div>
    <label>Can do <input placeholder="rust=0.9, sql=0.6" ...${field("can")} /></label>
    <${Trouble} error=${send.error} /><button class="primary" disabled=${send.busy}>Register it</button>
    ${made && html`<p class="note" role="status">How ${made} connects: <code>kapell join ${made}</code></p>`}</form></${Card}>`;
}

/// Positions of the log that are looked through for what an agent did lately.
const LATELY = 20_000;

async function around(name) {
  const path = `/v1/agents/${encodeURIComponent(name)}`;
  const after = Math.max(0, position.value - LATELY);
  const [assignments, notices, messages, events] = await Promise.all([
    get(`${path}/assignments`), get(`${path}/notices`), pages(`${path}/messages`, 10_000), get(`/v1/events?agent=${encodeURIComponent(name)}&limit=1000&after=${after}`),
  ]);
  return { assignments: assignments.assignments, notices: notices.items.reverse(), messages, events: events.events.reverse() };
}

/// What one agent has before it, what it was told, and what it did.
function Around({ agent, onDone }) {
  const { name } = agent;
  const live = useLive(() => around(name), [name], { concerns: (event) => event.agent === name || /^(message|task)/.test(event.kind) });
  if (!live.data) return html`<${Loading} of=${live} />`;
  const { assignments, notices, messages, events } = live.data;
  return html`<div class="grid below">
    <${Card} id="works-on" title="Works on" note=${words.plural(assignments.length, "task")}>
      ${assignments.length === 0 && html`<${Empty}>It has nothing to do.</${Empty}>`}
      <ul class="lines">${assignments.map((each) => html`<li key=${each.assignment}><a href=${href("task", each.task)}><span class="id">${each.task}</span><span class="text">${each.title}</span><span class="note">under ${each.assignment}</span></a></li>`)}</ul></${Card}>
    <${Card} id="unread" title="Has to read" note=${words.plural(messages.length, "message")}>
      ${mayWrite() && html`<${Compose} to=${name} label=${`Write to ${name}`} onDone=${live.reload} />`}
      ${messages.length === 0 && html`<${Empty}>It has read everything.</${Empty}>`}
      <ol class="thread">${messages.slice(-50).map((message) => html`<${Message} key=${message.id} message=${message} onDone=${live.reload} />`)}</ol></${Card}>
    <${Card} id="told" title="Was told" note=${words.plural(notices.length, "notice")}>
      ${notices.length === 0 && html`<${Empty}>Nothing was said to it.</${Empty}>`}
      <ul class="lines">${notices.slice(0, 20).map((each) => html`<li key=${each.id}><span class="id">${each.id}</span> <${Told} text=${each.text} /> <span class="note"><${Ago} at=${each.at} /> ago${each.read ? ", read" : ", not read"}</span></li>`)}</ul></${Card}>
    <${Hours} agent=${agent} onDone=${onDone} />
    <${Card} id="lately" wide title="Lately" note=${words.plural(events.length, "event")}>
      ${events.length === 0 ? html`<${Empty}>Nothing of it is in the last ${words.number(LATELY)} events.</${Empty}>` : html`<${Table} caption="What it did lately" columns=${["When", "What", "Task", ["Position", "number"]]}
        rows=${events.slice(0, 50).map((event) => ({ key: event.position, cells: [html`<${At} at=${event.at} />`, event.kind, event.task && html`<${TaskLink} id=${event.task} />`, event.position] }))} />`}</${Card}>
  </div>`;
}
