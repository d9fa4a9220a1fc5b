// Gates of finished work: how it stands before them, and the word of whoever looks.

import { useState } from "preact/hooks";
import { maySteer, post, session } from "./api.js";
import { Ago, At, html, Priority, say, Table, TaskLink, Trouble, useAction } from "./ui.js";
import * as words from "./words.js";

const TONES = { passed: "s-completed", rejected: "s-failed", open: "s-in_progress" };

/// What a task's work must pass, and how it stands before that.
export function Gates({ gates }) {
  const what = (gate) => gate.command ? html`<code>${gate.command}</code>` : gate.role || "";
  const how = (gate) => [gate.by && `by ${gate.by}`, gate.reviewer && gate.state === "open" && `${gate.reviewer} is asked`, gate.score !== undefined && gate.score !== null && `quality ${words.score(gate.score)}`, gate.exit_code !== undefined && gate.exit_code !== null && `ended with ${gate.exit_code}`].filter(Boolean).join(", ");
  return html`<${Table} caption="Gates" columns=${["", "Gate", "What", "State", "How", "Said"]} rows=${gates.map((gate) => ({
    key: gate.number,
    cells: [gate.number, words.sentence(gate.kind), what(gate), html`<span class="pill ${TONES[gate.state] || ""}">${gate.state}</span>`, html`${how(gate)}${gate.due && gate.state === "open" && html` until <${At} at=${gate.due} />`}`, gate.notes || ""],
  }))} />`;
}

/// Whether whoever looks may say whether it is right: a manager; for a review another agent of its role; for an approval a person. Nobody for its own work.
const mayJudge = ({ gate, author }, me) =>
  maySteer() || (me && me.name !== author && (gate.kind === "review" ? !gate.role || gate.role === me.role : me.kind === "person"));

/// Finished work that stands before a gate, with what may be said about it.
export function Judgement({ work, me, onDone, marked }) {
  const { task, gate } = work;
  const [notes, setNotes] = useState("");
  const by = maySteer() ? {} : { agent: session.value.agent };
  const send = useAction(async (verdict) => {
    await post(`/v1/tasks/${task}/verdict`, { verdict, notes, gate: gate.number, ...by });
    say(verdict === "approve" ? `The work on ${task} has passed.` : `${task} is sent back.`);
    onDone();
  });
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`${gate.kind} of ${task}`}>
    <header><${TaskLink} id=${task} /><${Priority} of=${work.priority} /><span class="pill">${words.sentence(gate.kind)}</span>
      <span class="note">by ${work.author} under ${work.assignment}, finished <${Ago} at=${work.since} /> ago${work.rejections > 0 && `, sent back ${words.plural(work.rejections, "time")}`}</span></header>
    <p><strong>${work.title}</strong></p>
    <p>${work.because}</p>
    ${work.result && html`<pre class="result">${work.result}</pre>`}
    ${gate.kind !== "command" && mayJudge(work, me) && html`<div class="settle">
      <label class="grow"><span class="hidden">Notes on ${task}</span><input placeholder="What is to be done, where it is sent back" maxlength="4096" value=${notes} onInput=${(event) => setNotes(event.target.value)} /></label>
      <button type="button" disabled=${!notes || send.busy} onClick=${() => send.run("reject")}>Send it back</button>
      <button type="button" class="primary" disabled=${send.busy} onClick=${() => send.run("approve")}>Approve</button></div>`}
    <${Trouble} error=${send.error} />
  </article>`;
}
