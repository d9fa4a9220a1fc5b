// What is shown and done about decisions in more than one view: scores, late results, escalations.

import { useState } from "preact/hooks";
import { maySteer, post, session } from "./api.js";
import { Ago, html, Priority, say, TaskLink, Told, Trouble, useAction } from "./ui.js";
import * as words from "./words.js";

const PARTS = ["capability", "workload", "performance", "cohesion"];

/// Scores as bars: each part as long as what it adds, the threshold as a line; the numbers stand beside them.
export function Scores({ scored, threshold, chosen }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Scores"><table class="scores">
    <caption class="hidden">Scores with their four parts${threshold > 0 && `; the threshold is ${threshold}`}</caption>
    <thead><tr><th scope="col">Agent</th><th scope="col" class="bars"><span class="hidden">Bars</span></th>
      ${PARTS.map((part) => html`<th scope="col" class="number"><span class="swatch b-${part}"></span>${part}</th>`)}
      <th scope="col" class="number">Score</th></tr></thead>
    <tbody>${scored.map((each) => html`<tr key=${each.agent} class=${each.agent === chosen ? "chosen" : ""}>
      <th scope="row">${each.agent}</th>
      <td class="bars"><span class="stack" aria-hidden="true">
        ${PARTS.map((part) => html`<span class="b-${part}" style=${{ width: `${each[part].adds * 100}%` }}></span>`)}
        ${threshold > 0 && html`<span class="bound" style=${{ left: `${threshold * 100}%` }}></span>`}</span></td>
      ${PARTS.map((part) => html`<td class="number" title=${`${each[part].value} × ${each[part].weight} = ${each[part].adds}`}>${words.score(each[part].value)}<span class="note"> × ${trimmed(each[part].weight)}</span></td>`)}
      <td class="number"><strong class=${each.final > threshold ? "good" : "bad"}>${each.final.toFixed(3)}</strong></td>
    </tr>`)}</tbody></table></div>
    ${threshold > 0 && html`<p class="note">A score must be above ${trimmed(threshold)}, the line in the bars.</p>`}`;
}

const trimmed = (value) => String(Number(value.toFixed(3)));

/// A late result with what may be done about it.
export function Offer({ offer, owner, onDone, marked }) {
  const [note, setNote] = useState("");
  const mine = owner && session.value.agent === owner;
  const accept = useAction(async () => {
    await post(`/v1/offers/${offer.id}/accept`, {});
    say(`${offer.task} is completed with the result of ${offer.agent}.`);
    onDone();
  });
  const decline = useAction(async () => {
    await post(`/v1/offers/${offer.id}/decline`, { note });
    say(`The late result ${offer.id} is declined.`);
    onDone();
  });
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`late result ${offer.id}`}>
    <header><span class="id">${offer.id}</span><span class="pill">${offer.state === "open" ? "late result" : offer.state}</span>
      <${TaskLink} id=${offer.task} /><span class="note">by ${offer.agent} under ${offer.assignment}, <${Ago} at=${offer.at} /> ago</span></header>
    <pre class="result">${offer.result || "no result text"}</pre>
    ${offer.reason && html`<p class="note">declined: ${offer.reason}</p>`}
    ${offer.state === "open" && (maySteer() || mine) && html`<div class="settle">
      <label class="grow"><span class="hidden">Why it is declined</span><input placeholder="Why, where it is declined" maxlength="4096" value=${note} onInput=${(event) => setNote(event.target.value)} /></label>
      <button type="button" disabled=${decline.busy} onClick=${() => decline.run()}>Decline</button>
      <button type="button" class="primary" disabled=${accept.busy} onClick=${() => accept.run()}>Accept as the result</button></div>`}
    <${Trouble} error=${accept.error || decline.error} />
  </article>`;
}

/// What may be said to an open escalation: that it is taken on, or how it is settled.
export function Answer({ escalation: each, me, onDone }) {
  const [note, setNote] = useState("");
  const by = maySteer() ? {} : { agent: me?.name };
  const settle = useAction(async () => {
    await post(`/v1/escalations/${each.id}/settle`, { note, ...by });
    say(`${each.id} is settled.`);
    onDone();
  });
  const acknowledge = useAction(async () => {
    await post(`/v1/escalations/${each.id}/acknowledge`, by);
    say(`${each.id} is taken on; it is not raised again.`);
    onDone();
  });
  if (!maySteer() && me?.role !== each.role) return null;
  return html`<div class="settle">
      <label class="grow"><span class="hidden">How ${each.id} is settled</span><input placeholder="How it is settled" maxlength="4096" value=${note} onInput=${(event) => setNote(event.target.value)} /></label>
      ${!each.acknowledged_at && html`<button type="button" disabled=${acknowledge.busy} onClick=${() => acknowledge.run()}>Take on</button>`}
      <button type="button" class="primary" disabled=${settle.busy} onClick=${() => settle.run()}>Settle</button></div>
    <${Trouble} error=${settle.error || acknowledge.error} />`;
}

/// An escalation with what may be done about it, by a manager or, with `me`, by the role that is called.
export function Escalation({ escalation: each, me, onDone, marked }) {
  const open = each.state === "open";
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`escalation ${each.id}`}>
    <header><span class="id">${each.id}</span><${Priority} of=${each.severity} /><span class="pill">${words.sentence(each.kind)}</span>
      ${each.task && html`<${TaskLink} id=${each.task} />`}${each.agent && html`<span>${each.agent}</span>`}
      ${open && each.overdue && html`<span class="pill overdue">overdue</span>`}
      ${each.raised_again > 0 && html`<span class="pill">raised again ${words.plural(each.raised_again, "time")}</span>`}
      <span class="note">for ${each.role}, raised <${Ago} at=${each.raised_at} /> ago${each.acknowledged_by && `, taken on by ${each.acknowledged_by}`}</span></header>
    <p><${Told} text=${each.detail} /></p>
    ${each.note && html`<p class="note">settled: ${each.note}</p>`}
    ${open && html`<${Answer} escalation=${each} me=${me} onDone=${onDone} />`}
  </article>`;
}
