// Everything about one task: why it is where it is, who was or is considered, what it waits for, what has happened.

import { useState } from "preact/hooks";
import { get, maySteer, pages, post, request } from "../api.js";
import { isOpen } from "../cards.js";
import { Conflict } from "../conflict.js";
import { Costs } from "../cost.js";
import { Decision } from "../decision.js";
import { Gates } from "../gate.js";
import { Handoff } from "../handoff.js";
import { BY_THE_CLOCK, useLive } from "../live.js";
import { Compose, mayWrite, Thread, threads } from "../messages.js";
import { Own } from "../own.js";
import { href, route } from "../route.js";
import { Ago, At, Card, Dialog, Empty, Facts, html, Loading, Pill, Priority, say, Table, TaskLink, Told, Trouble, useAction } from "../ui.js";
import { Offer, Scores } from "../settle.js";
import * as words from "../words.js";
import { Place } from "./place.js";
import { Prioritise } from "./prioritise.js";

async function load(id, at) {
  const path = `/v1/tasks/${encodeURIComponent(id)}`;
  const then = at ? `?at=${at}` : "";
  // The past is folded for one question at a time.
  const task = await get(`${path}${then}`);
  const [why, offers, history] = await Promise.all([get(`${path}/why${then}`), at ? { items: [] } : get(`${path}/offers`), happened(id)]);
  return { task, why, offers: offers.items, history: at ? history.filter((event) => event.position <= at) : history };
}

/// What has been read of the log about the task that was looked at last, and how far.
const read = { id: null, after: 0, events: [] };

/// Reads the events of a task; the log is looked through in stretches, and most hold none. Only what is new is read again.
async function happened(id) {
  if (read.id !== id) Object.assign(read, { id, after: 0, events: [] });
  for (let turn = 0; turn < 50; turn += 1) {
    const page = await get(`/v1/events?task=${encodeURIComponent(id)}&limit=1000&after=${read.after}`);
    if (read.id !== id) return [];
    read.events.push(...page.events.filter((event) => event.position > read.after));
    read.after = Math.max(read.after, page.next_after);
    if (page.at_end || read.events.length > 2000) break;
  }
  return [...read.events].reverse();
}

/// What goes on around a task: handoffs, what is to be decided, what was written about it.
async function around(id) {
  const of = `task=${encodeURIComponent(id)}`;
  const [handoffs, conflicts, messages, agents] = await Promise.all([
    pages(`/v1/handoffs?${of}`), pages(`/v1/conflicts?${of}`), get(`/v1/messages?limit=200&${of}`), pages("/v1/agents"),
  ]);
  return { handoffs: handoffs.reverse(), conflicts, messages: messages.items, agents: agents.map((agent) => agent.name) };
}

const AROUND = /^(handoff|decision|conflict|dispute|order|message|task\.moved)/;

export function Task() {
  const id = route.value.arg;
  const at = Number(route.value.query.get("at")) || null;
  const live = useLive(() => load(id, at), [id, at], { pause: at ? 3_600_000 : 500, every: at ? 0 : BY_THE_CLOCK });
  const beside = useLive(() => around(id), [id], { pause: 500, concerns: (event) => AROUND.test(event.kind) });
  const [handing, setHanding] = useState(false);
  const [placing, setPlacing] = useState(false);
  const [prioritising, setPrioritising] = useState(false);
  const [ending, setEnding] = useState(null);
  if (!live.data) return html`<h1>${id}</h1><${Loading} of=${live} />`;
  const { task, why, offers, history } = live.data;
  const open = isOpen(task);
  const steer = maySteer() && !at;
  return html`<article class="one">
    <header class="headline">
      <p><a href=${href("board")}>Board</a> <span class="id">${task.id}</span> ${task.key && html`<span class="note">${task.key}</span>`}</p>
      <h1>${task.title}</h1>
      <p class="facts"><${Pill} state=${task.state} /><${Priority} of=${task.effective_priority} />
        ${task.effective_priority !== task.declared_priority && html`<span class="note">declared ${task.declared_priority}</span>`}
        <span class="note">for <${Ago} at=${task.state_since} /></span></p>
      ${at && html`<p class="then" role="note">As it was at position ${words.number(at)} of the log. <a href=${href("task", id)}>As it is now</a></p>`}
      ${steer && html`<div class="buttons">
        ${["ready", "assigned", "in_progress"].includes(task.state) && html`<button type="button" class="primary" onClick=${() => setPlacing(true)}>${task.owner ? "Move" : "Assign"}</button>`}
        ${task.owner && html`<button type="button" onClick=${() => setHanding(true)}>Hand over</button>`}
        ${open && html`<button type="button" onClick=${() => setPrioritising(true)}>Priority</button>`}
        ${open && html`<button type="button" onClick=${() => setEnding("cancel")}>Cancel it</button>`}
        ${["failed", "cancelled"].includes(task.state) && html`<button type="button" onClick=${() => setEnding("reopen")}>Reopen</button>`}
      </div>`}
    </header>
    <div class="grid">
      ${!at && html`<${Own} key=${task.assignment || ""} task=${task} onDone=${live.reload} />`}
      <${Card} id="why" wide title="Why it is where it is">
        <${Facts} of=${why.reasons} />
        ${why.now && html`<${Standing} now=${why.now} />`}
        ${why.decision && html`<${Taken} decision=${why.decision} />`}
      </${Card}>
      <${Details} task=${task} />
      ${task.gates?.length > 0 && html`<${Card} id="gates" title="Gates" note=${task.rejections ? `sent back ${words.plural(task.rejections, "time")}` : ""}><${Gates} gates=${task.gates} /></${Card}>`}
      ${task.cost && html`<${Card} id="cost" title="Cost" note=${task.cost.standing.state === "open" ? "" : words.sentence(task.cost.standing.state).toLowerCase()}><${Costs} task=${task} steer=${steer && open} onDone=${live.reload} /></${Card}>`}
      <${Dependencies} task=${task} steer=${steer} onDone=${live.reload} />
      ${task.description && html`<${Card} id="text" title="Description"><pre class="prose">${task.description}</pre></${Card}>`}
      ${(task.result || task.note || task.reason) && html`<${Card} id="result" title=${task.result ? "Result" : task.reason ? "Reason" : "Last note"}>
        <pre class="prose">${task.result || task.reason || task.note}</pre></${Card}>`}
      ${offers.length > 0 && html`<${Card} id="offers" title="Late results">${offers.map((offer) => html`<${Offer} key=${offer.id} offer=${offer} owner=${task.owner} onDone=${live.reload} />`)}</${Card}>`}
      ${!at && beside.data && html`<${Around} task=${task} data=${beside.data} history=${history} reload=${beside.reload} />`}
      <${History} history=${history} />
    </div>
    ${placing && html`<${Place} task=${task.id} onClose=${() => setPlacing(false)} />`}
    ${prioritising && html`<${Prioritise} task=${task.id} onClose=${() => setPrioritising(false)} />`}
    ${handing && html`<${HandOver} task=${task} onClose=${() => setHanding(false)} />`}
    ${ending && html`<${Ending} task=${task} verb=${ending} onClose=${() => setEnding(null)} />`}
  </article>`;
}

function Around({ task, data, history, reload }) {
  const { handoffs, conflicts, messages, agents } = data;
  const notices = history.filter((event) => event.kind === "notice.sent");
  const decisions = conflicts.filter((each) => each.decision);
  const others = conflicts.filter((each) => !each.decision).reverse();
  return html`${decisions.length > 0 && html`<${Card} id="decisions" wide title="What is to be decided">${decisions.map((each) => html`<${Decision} key=${each.id} conflict=${each} onDone=${reload} />`)}</${Card}>`}
    ${others.length > 0 && html`<${Card} id="conflicts" wide title="Conflicts" note=${words.number(others.length)}>${others.slice(0, 50).map((each) => html`<${Conflict} key=${each.id} conflict=${each} />`)}</${Card}>`}
    ${handoffs.length > 0 && html`<${Card} id="handoffs" title="Handoffs" note=${words.number(handoffs.length)}>${handoffs.map((each) => html`<${Handoff} key=${each.id} handoff=${each} onDone=${reload} />`)}</${Card}>`}
    <${Card} id="messages" title="Messages and notices" note=${words.plural(messages.length, "message")}>
      ${mayWrite() && agents.length > 0 && html`<${Compose} key=${task.owner || ""} to=${task.owner} agents=${agents} task=${task.id} label="Write about this task" onDone=${reload} />`}
      ${messages.length + notices.length === 0 && html`<${Empty}>Nothing was said about it.</${Empty}>`}
      ${threads(messages).map((thread) => html`<${Thread} key=${thread.id} thread=${thread} onDone=${reload} />`)}
      ${notices.length > 0 && html`<details><summary>${words.plural(notices.length, "notice")}</summary><ul class="lines">${notices.slice(0, 100).map((event) => html`<li key=${event.position}><strong>${event.agent}</strong> was told <span class="note"><${Ago} at=${event.at} /> ago</span><br /><${Told} text=${event.data.text} /></li>`)}</ul></details>`}
    </${Card}>`;
}

/// Begins a supervised handoff: the owner packs, the other confirms.
function HandOver({ task, onClose }) {
  const [to, setTo] = useState("");
  const [note, setNote] = useState("");
  const agents = useLive(() => pages("/v1/agents"), [], { pause: 60_000 });
  const send = useAction(async () => {
    const asked = await post(`/v1/tasks/${task.id}/handoff`, { ...(to && { to }), note });
    say(`${asked.handoff} is begun: ${task.owner} is to send the package.`);
    onClose();
  });
  return html`<${Dialog} title=${`Hand ${task.id} over`} onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <p>${task.owner} goes on until it has sent a package: what is done, how it stands, what is left. Then the other owns it, and ${task.owner} is let go when that one has confirmed. To take it away at once, move it.</p>
      <label>To <select value=${to} onChange=${(event) => setTo(event.target.value)}><option value="">whoever fits best</option>
        ${(agents.data || []).filter((each) => each.name !== task.owner).map((each) => html`<option value=${each.name}>${each.name} · ${each.role} · ${each.state === "online" ? `${each.tasks.length} of ${each.max_concurrent_tasks}` : each.state}</option>`)}</select></label>
      <label>Why <textarea rows="2" maxlength="4096" value=${note} onInput=${(event) => setNote(event.target.value)}></textarea></label>
      <${Trouble} error=${send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button><button class="primary" disabled=${send.busy}>Hand it over</button></div>
    </form></${Dialog}>`;
}

function Standing({ now }) {
  return html`<h3>How everybody stands now</h3>
    ${now.candidates.length ? html`<${Scores} scored=${now.candidates} threshold=${now.threshold} />` : html`<${Empty}>Nobody is a candidate.</${Empty}>`}
    ${now.not_candidates.length > 0 && html`<details open=${now.candidates.length === 0}><summary>${words.plural(now.not_candidates.length, "agent is", "agents are")} no candidate</summary>
      <${Table} caption="No candidates" columns=${["Agent", "Reason"]} rows=${now.not_candidates.map((each) => ({ key: each.agent, cells: [each.agent, each.reason] }))} /></details>`}`;
}

const DECISIONS = { placed: "Placed by score", claimed: "Claimed", by_hand: "Assigned by hand" };

function Taken({ decision }) {
  return html`<h3>${DECISIONS[decision.decision] || words.sentence(decision.decision)}</h3>
    <p class="note">${decision.agent} got it under ${decision.assignment} at <${At} at=${decision.at} /> (position ${decision.position}, policy ${decision.policy_version}, scorer ${decision.scorer_version})</p>
    ${decision.considered.length > 0 && html`<${Scores} scored=${decision.considered} threshold=${decision.threshold} chosen=${decision.agent} />`}`;
}

function Details({ task }) {
  const estimate = `${words.hours(task.estimate_hours)}, 90 % within ${words.hours(task.estimate_p90_hours)} (${words.sentence(task.estimate_source).toLowerCase()}${task.estimate_learned_from ? ` from ${task.estimate_learned_from}` : ""})`;
  const requires = (task.requires || []).map((each) => html`<span class=${each.inferred ? "tag inferred" : "tag"} title=${(each.evidence || []).map((it) => `${it.field}: ${it.words}`).join("; ")}>${each.capability}${each.minimum > 0 && ` ≥ ${each.minimum}`}${each.inferred && " (inferred)"}${each.set_aside && ", set aside"}</span>`);
  const rows = [
    ["Owner", task.owner && html`<a href=${href("agents", task.owner)}>${task.owner}</a> under ${task.assignment}`],
    ["Progress", task.owner && html`${task.progress_percent || 0} %`],
    ["Type", task.type],
    ["Project", task.project && html`<a href=${href("board", "", { project: task.project })}>${task.project}</a>`],
    ["Needs", requires.length ? requires : "no capability"],
    ["Only", [task.role && `role ${task.role}`, task.pinned_agent].filter(Boolean).join(", ")],
    ["Not", (task.exclude || []).join(", ")],
    ["Estimate", estimate],
    ["Deadline", task.deadline && html`<${At} at=${task.deadline} />`],
    ["Must start by", task.latest_start && html`<${At} at=${task.latest_start} />`],
    ["Attempts", `${task.attempts}, failed ${task.failures} of ${task.max_attempts}${task.losses ? `, owners lost ${task.losses}` : ""}`],
    ["Resources", (task.resources || []).map((each) => `${each.resource} (${each.mode})`).join(", ")],
    ["Reserved", (task.reservations || []).join(", ")],
    ["Labels", (task.labels || []).map((label) => html`<span class="tag">${label}</span>`)],
    ["Submitted", html`<${At} at=${task.submitted_at} />`],
    ["Finished", task.finished_at && html`<${At} at=${task.finished_at} />${task.finished_by && ` by ${task.finished_by}`}`],
  ].filter(([, value]) => value && value.length !== 0);
  return html`<${Card} id="details" title="Details"><dl>${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></${Card}>`;
}

function Dependencies({ task, steer, onDone }) {
  const [on, setOn] = useState("");
  const add = useAction(async () => {
    await post(`/v1/tasks/${task.id}/dependencies`, { on, kind: "blocks" });
    say(`${task.id} waits for ${on} now.`);
    setOn("");
    onDone();
  });
  const waive = useAction(async (other) => {
    await request("DELETE", `/v1/tasks/${task.id}/dependencies/${other}`);
    say(`${task.id} no longer waits for ${other}.`);
    onDone();
  });
  const row = (edge) => ({
    key: edge.task + edge.kind,
    cells: [
      html`<${TaskLink} id=${edge.task} />`,
      html`<${Pill} state=${edge.state} />`,
      html`${words.sentence(edge.kind).toLowerCase()}${edge.inferred && html`, inferred from ${edge.evidence ? `“${edge.evidence.words}”` : "the text"}`}${edge.waived && ", waived"}`,
      steer && edge.kind === "blocks" && !edge.waived && edge.state !== "completed" && html`<button type="button" class="small" disabled=${waive.busy} onClick=${() => waive.run(edge.task)} aria-label=${`Waive the wait for ${edge.task}`}>Waive</button>`,
    ],
  });
  return html`<${Card} id="depends" title="Dependencies">
    ${task.depends_on.length === 0 ? html`<${Empty}>It waits for nothing.</${Empty}>` : html`<${Table} caption="What it waits for" columns=${["Task", "State", "Kind", ""]} rows=${task.depends_on.map(row)} />`}
    ${task.dependents.length > 0 && html`<p>For it ${task.dependents.length === 1 ? "waits" : "wait"} ${task.dependents.map((each) => html` <${TaskLink} id=${each} />`)}</p>`}
    ${steer && ["blocked", "ready", "deferred"].includes(task.state) && html`<form class="settle" onSubmit=${(event) => {
      event.preventDefault();
      add.run();
    }}><label class="grow"><span class="hidden">Task that it should wait for</span><input required placeholder="T-12 or a key" value=${on} onInput=${(event) => setOn(event.target.value)} /></label>
      <button disabled=${add.busy}>Wait for it</button></form>`}
    <${Trouble} error=${add.error || waive.error} />
  </${Card}>`;
}

function History({ history }) {
  const row = (event) => ({
    key: event.position,
    cells: [html`<${At} at=${event.at} />`, event.kind, event.agent || "", event.actor, told(event.data), event.position],
  });
  return html`<${Card} id="history" wide title="History" note=${words.plural(history.length, "event")}>
    <${Table} caption="What has happened to it" columns=${["When", "What", "Agent", "By", ["Said", "speech"], ["Position", "number"]]} rows=${history.slice(0, 200).map(row)} />
    ${history.length > 200 && html`<p class="note">The last 200 are shown.</p>`}
  </${Card}>`;
}

function told(data) {
  const text = data.result || data.reason || data.note || data.text || data.detail;
  if (text) return String(text).slice(0, 300);
  if (data.percent !== undefined) return `${data.percent} %`;
  if (data.considered?.length) return `score ${data.considered[0].final.toFixed(3)}, ${words.sentence(data.decision || data.cause).toLowerCase()}`;
  if (data.cause) return words.sentence(data.cause).toLowerCase();
  return data.on ? `on ${data.on}` : "";
}

function Ending({ task, verb, onClose }) {
  const [reason, setReason] = useState("");
  const send = useAction(async () => {
    await post(`/v1/tasks/${task.id}/${verb}`, { reason });
    say(`${task.id} is ${verb === "cancel" ? "cancelled" : "reopened"}.`);
    onClose();
  });
  const waiting = task.dependents.length;
  return html`<${Dialog} title=${verb === "cancel" ? `Cancel ${task.id}` : `Reopen ${task.id}`} onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <p>${verb === "cancel"
        ? `${task.owner ? `${task.owner} loses it. ` : ""}${waiting ? `${words.plural(waiting, "task")} that wait for it stay blocked or are cancelled too, as the policy says.` : "Nothing waits for it."}`
        : "It gets a new series of attempts."}</p>
      <label>Why <textarea rows="2" required maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></label>
      <${Trouble} error=${send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button><button class="primary" disabled=${send.busy}>${verb === "cancel" ? "Cancel it" : "Reopen it"}</button></div>
    </form>
  </${Dialog}>`;
}
