// A decision with its tally: what was proposed, how far that is from deciding, and what may be said to it.

import { useState } from "preact/hooks";
import { maySteer, post, session } from "./api.js";
import { Ago, At, Facts, html, say, Table, TaskLink, Told, Trouble, useAction } from "./ui.js";
import * as words from "./words.js";

/// Conflicts that wait for a word still.
export const isUnsettled = (conflict) => ["open", "escalated"].includes(conflict.state);

/// Whether whoever looks may rule: a manager, the architect, or a person. `me` is the agent of the token.
const mayRule = (me) => maySteer() || me?.role === "architect" || me?.kind === "person";

/// `call` is the open escalation about it.
export function Decision({ conflict, call, me, onDone, marked }) {
  const { decision } = conflict;
  const open = isUnsettled(conflict);
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`decision ${conflict.id}`}>
    <header><span class="id">${conflict.id}</span><span class=${conflict.state === "escalated" ? "pill at_risk" : "pill"}>${conflict.state}</span>
      ${decision.irreversible && html`<span class="pill">irreversible</span>`}${decision.architectural && html`<span class="pill">architectural</span>`}
      ${call?.overdue && html`<span class="pill overdue">overdue</span>`}
      ${(conflict.tasks || []).map((task) => html`<${TaskLink} key=${task} id=${task} />`)}
      <span class="note">asked by ${decision.opened_by || "a manager"} <${Ago} at=${conflict.opened_at} /> ago${open && html`, proposals until <${At} at=${decision.deadline} />`}</span></header>
    <p><strong>${decision.topic}</strong></p>
    <${Tally} decision=${decision} />
    <${Facts} of=${conflict.because} />
    ${decision.decided && html`<p>Decided for <strong>${decision.decided}</strong> by ${decision.decided_by === "tally" ? "the tally" : decision.decided_by === "manager" ? "a manager" : decision.decided_by}</p>`}
    ${conflict.ruling && html`<p class="note"><${Told} text=${conflict.ruling} /></p>`}
    <${Proposals} of=${decision.proposals} />
    ${open && mayRule(me) && html`<${Rule} conflict=${conflict} me=${me} onDone=${onDone} />`}
    ${conflict.state === "open" && session.value.agent && html`<${Propose} conflict=${conflict} onDone=${onDone} />`}
  </article>`;
}

function Tally({ decision }) {
  const { tally, margin, support_needed: support, margin_needed: lead } = decision;
  if (!tally.length) return html`<p class="note">Nothing was proposed yet; what counts is the capability ${decision.capability}.</p>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Tally"><table class="scores">
    <caption class="hidden">Support for each option; ${words.percent(support)} are needed, and a lead of ${words.percent(lead)}</caption>
    <thead><tr><th scope="col">Option</th><th scope="col" class="bars"><span class="hidden">Bars</span></th><th scope="col" class="number">Support</th><th scope="col" class="number">Proposals</th><th scope="col" class="number">Weight</th></tr></thead>
    <tbody>${tally.map((each, at) => html`<tr key=${each.option}>
      <th scope="row">${each.option}</th>
      <td class="bars"><span class="stack" aria-hidden="true"><span class="b-capability" style=${{ width: `${each.support * 100}%` }}></span><span class="bound" style=${{ left: `${support * 100}%` }}></span></span></td>
      <td class="number"><strong class=${at === 0 && each.support >= support && margin >= lead ? "good" : ""}>${words.percent(each.support)}</strong></td>
      <td class="number">${each.proposals}</td><td class="number">${words.score(each.weight)}</td></tr>`)}</tbody></table></div>
    <p class="note">The tally decides with ${words.percent(support)} support, the line in the bars, and a lead of ${words.percent(lead)}; the lead is ${words.percent(margin)}. What is said counts by its speaker's score in ${decision.capability} times confidence.</p>`;
}

function Proposals({ of }) {
  if (!of.length) return null;
  return html`<details><summary>${words.plural(of.length, "proposal")}</summary>
    <${Table} caption="Proposals" columns=${["Who", "For", "Why", ["Sure", "number"], ["Score", "number"], "When"]}
      rows=${of.map((each) => ({ key: each.agent, cells: [each.agent, each.option, each.reasons, words.percent(each.confidence), words.score(each.score), html`<${At} at=${each.at} />`] }))} /></details>`;
}

/// What can be chosen: what was given, else what was proposed.
const choices = (decision) => [...new Set([...(decision.options || []), ...decision.tally.map((each) => each.option)])];

function Choice({ decision, value, set, label }) {
  const all = choices(decision);
  if (decision.options?.length) {
    return html`<label class="inline"><span class="hidden">${label}</span><select required value=${value} onChange=${(event) => set(event.target.value)}>
      <option value="">Choose an option</option>${all.map((each) => html`<option>${each}</option>`)}</select></label>`;
  }
  const list = `options-${label.replaceAll(" ", "-")}`;
  return html`<label class="inline"><span class="hidden">${label}</span><input required maxlength="200" placeholder="Which option" list=${list} value=${value} onInput=${(event) => set(event.target.value)} />
    <datalist id=${list}>${all.map((each) => html`<option>${each}</option>`)}</datalist></label>`;
}

function Rule({ conflict, me, onDone }) {
  const [option, setOption] = useState("");
  const [reason, setReason] = useState("");
  const by = me && !maySteer() ? { agent: me.name } : {};
  const rule = useAction(async () => {
    await post(`/v1/conflicts/${conflict.id}/rule`, { option, reason, ...by });
    say(`${conflict.id} is decided for ${option}.`);
    onDone();
  });
  const withdraw = useAction(async () => {
    await post(`/v1/conflicts/${conflict.id}/withdraw`, { reason });
    say(`${conflict.id} is taken back; what waits for it goes on.`);
    onDone();
  });
  return html`<form class="settle" onSubmit=${(event) => {
      event.preventDefault();
      rule.run();
    }}>
    <strong>Your ruling</strong><${Choice} decision=${conflict.decision} value=${option} set=${setOption} label=${`Ruling on ${conflict.id}`} />
    <label class="grow"><span class="hidden">Why</span><input required placeholder="Why" maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
    ${maySteer() && html`<button type="button" disabled=${!reason || withdraw.busy} onClick=${() => withdraw.run()}>Withdraw the question</button>`}
    <button class="primary" disabled=${rule.busy}>Rule</button></form>
    <${Trouble} error=${rule.error || withdraw.error} />`;
}

/// The agent of the token says what it thinks; what it said before is replaced.
function Propose({ conflict, onDone }) {
  const { agent } = session.value;
  const before = conflict.decision.proposals.find((each) => each.agent === agent);
  const [option, setOption] = useState(before?.option || "");
  const [reasons, setReasons] = useState(before?.reasons || "");
  const [sure, setSure] = useState(Math.round((before?.confidence ?? 1) * 100));
  const send = useAction(async () => {
    await post(`/v1/conflicts/${conflict.id}/proposals`, { agent, option, reasons, confidence: sure / 100 });
    say(`Your proposal to ${conflict.id} is in.`);
    onDone();
  });
  return html`<form class="settle" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
    <strong>Your proposal</strong><${Choice} decision=${conflict.decision} value=${option} set=${setOption} label=${`Proposal to ${conflict.id}`} />
    <label class="grow"><span class="hidden">Reasons</span><input required placeholder="Your reasons" maxlength="4096" value=${reasons} onInput=${(event) => setReasons(event.target.value)} /></label>
    <label class="inline">sure <input type="number" class="short" min="0" max="100" required value=${sure} onInput=${(event) => setSure(Number(event.target.value))} /> %</label>
    <button disabled=${send.busy}>${before ? "Propose anew" : "Propose"}</button></form>
    <${Trouble} error=${send.error} />`;
}
