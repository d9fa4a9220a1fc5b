// A handoff: where it stands, what the package says, and what may be done where it is stuck.

import { useState } from "preact/hooks";
import { maySteer, post, session } from "./api.js";
import { Ago, At, Facts, html, say, TaskLink, Told, Trouble, useAction } from "./ui.js";
import * as words from "./words.js";
import { Answer } from "./settle.js";
import { Place } from "./views/place.js";

const STAGES = ["requested", "package_due", "package_received", "validated", "transferred", "confirmed", "released"];

export const isStuck = (handoff) => handoff.stage === "mediation";
const isOver = (handoff) => ["released", "ended"].includes(handoff.stage);

/// `call` is the open escalation about it, `me` the agent of the token.
export function Handoff({ handoff, call, me, onDone, marked }) {
  const { id, task, from, to, stage } = handoff;
  const at = STAGES.indexOf(stage);
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`handoff ${id}`}>
    <header><span class="id">${id}</span><span class=${isStuck(handoff) ? "pill at_risk" : "pill"}>${words.sentence(handoff.outcome || stage)}</span><${TaskLink} id=${task} />
      <span>${from} to ${to || "nobody now"}</span>${call?.overdue && html`<span class="pill overdue">overdue</span>`}
      <span class="note">${words.sentence(handoff.cause).toLowerCase()}, <${Ago} at=${handoff.since} /> ago${handoff.due && html`, due <${At} at=${handoff.due} />`}</span></header>
    ${at >= 0 && html`<ol class="stages" aria-label="Stages">${STAGES.map((each, index) => html`<li key=${each} class=${index < at ? "past" : ""} aria-current=${index === at ? "step" : null}>${words.sentence(each)}</li>`)}</ol>`}
    <${Facts} of=${handoff.because} />
    ${handoff.note && html`<p class="note">“${handoff.note}”</p>`}
    ${call && html`<p><${Told} text=${call.detail} /></p>`}
    ${handoff.package && html`<${Package} of=${handoff.package} open=${!isOver(handoff)} />`}
    <${Recipient} handoff=${handoff} onDone=${onDone} />
    ${call && !maySteer() && html`<${Answer} escalation=${call} me=${me} onDone=${onDone} />`}
    ${maySteer() && !isOver(handoff) && html`<${Mediate} handoff=${handoff} onDone=${onDone} />`}
  </article>`;
}

function Package({ of, open }) {
  const rows = [["Done", of.completed], ["State", of.state], ["Left to do", of.remaining], ["Context", of.context], ["Files", of.files.join("\n")], ["Reservations", (of.reservations || []).join(", ")]];
  return html`<details open=${open}><summary>The package</summary><dl class="package">
    ${rows.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd><pre class="prose">${value}</pre></dd>`)}</dl></details>`;
}

/// The agent of the token is to get it: it confirms or declines.
function Recipient({ handoff, onDone }) {
  const [reason, setReason] = useState("");
  const { agent } = session.value;
  const send = useAction(async (verb, more) => {
    await post(`/v1/tasks/${handoff.task}/handoff/${verb}`, { agent, ...more });
    say(verb === "confirm" ? `${handoff.task} is yours.` : `${handoff.id} is declined.`);
    onDone();
  });
  if (!agent || agent !== handoff.to || isOver(handoff)) return null;
  return html`<div class="settle">
      <label class="grow"><span class="hidden">Why it is declined</span><input placeholder="Why, where you decline" maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
      <button type="button" disabled=${!reason || send.busy} onClick=${() => send.run("decline", { reason })}>Decline</button>
      ${handoff.stage === "transferred" && html`<button type="button" class="primary" disabled=${send.busy} onClick=${() => send.run("confirm")}>Confirm</button>`}</div>
    <${Trouble} error=${send.error} />`;
}

/// What a manager may do: leave the task where it is, or give it to somebody by hand. Both end the handoff.
function Mediate({ handoff, onDone }) {
  const [reason, setReason] = useState("");
  const [placing, setPlacing] = useState(false);
  const transferred = handoff.stage === "transferred";
  const cancel = useAction(async () => {
    await post(`/v1/tasks/${handoff.task}/handoff/cancel`, { reason });
    say(`${handoff.id} is called off; ${handoff.from} keeps ${handoff.task}.`);
    onDone();
  });
  return html`<div class="settle">
      ${!transferred && html`<label class="grow"><span class="hidden">Why it is called off</span><input placeholder="Why, where it is called off" maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
      <button type="button" disabled=${!reason || cancel.busy} onClick=${() => cancel.run()}>Call it off</button>`}
      <button type="button" class=${isStuck(handoff) ? "primary" : ""} onClick=${() => setPlacing(true)}>Move the task by hand</button></div>
    <${Trouble} error=${cancel.error} />
    ${placing && html`<${Place} task=${handoff.task} onClose=${() => {
      setPlacing(false);
      onDone();
    }} />`}`;
}
