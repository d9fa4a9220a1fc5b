// An emergency: what is the matter, what was done about it, and how it is ended.

import { useState } from "preact/hooks";
import { maySteer, post } from "./api.js";
import { Ago, At, Facts, html, say, Table, TaskLink, Told, Trouble, useAction } from "./ui.js";
import { Answer } from "./settle.js";
import * as words from "./words.js";

/// `call` is the open escalation about it, `me` the agent of the token.
export function Emergency({ emergency, call, me, onDone, marked }) {
  const { id, state } = emergency;
  const [reason, setReason] = useState("");
  const end = useAction(async () => {
    await post(`/v1/emergencies/${id}/end`, { reason });
    say(`${id} ends; what was done about it is undone.`);
    onDone();
  });
  const row = (each) => ({
    key: each.number,
    cells: [each.number, words.sentence(each.action), html`<${Told} text=${each.says} />`, html`<${At} at=${each.at} />`, each.settled ? html`<span class="pill">${each.settled}</span>` : html`<span class="pill s-in_progress">in effect</span>`],
  });
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`emergency ${id}`}>
    <header><span class="id">${id}</span><span class=${state === "ended" ? "pill" : "pill overdue"}>${words.sentence(emergency.kind)}</span><span class="pill">${state}</span>
      ${emergency.task && html`<${TaskLink} id=${emergency.task} />`}${emergency.project && html`<span>${emergency.project}</span>`}
      <span class="note">${words.sentence(emergency.cause).toLowerCase()}, <${Ago} at=${emergency.declared_at} /> ago</span></header>
    <p><${Told} text=${emergency.detail} /></p>
    ${call && html`<p class="note">${call.role} is called, as ${call.id}${call.acknowledged_by && `, taken on by ${call.acknowledged_by}`}</p>`}
    <${Facts} of=${emergency.because} />
    ${emergency.actions.length > 0 && html`<${Table} caption="What was done about it" columns=${["", "What", "", "When", "State"]} rows=${emergency.actions.map(row)} />`}
    ${emergency.ended_because && html`<p class="note">ended: ${emergency.ended_because}</p>`}
    ${state === "open" && maySteer() && html`<div class="settle"><label class="grow"><span class="hidden">Why ${id} is over</span><input placeholder="Why it is over" maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
      <button type="button" class="primary" disabled=${!reason || end.busy} onClick=${() => end.run()}>End it</button></div>`}
    ${call && !maySteer() && html`<${Answer} escalation=${call} me=${me} onDone=${onDone} />`}
    <${Trouble} error=${end.error} />
  </article>`;
}
