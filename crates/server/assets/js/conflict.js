// A conflict that the rules have ruled on or that waits in line: who is in it, how it stands, and by which numbers.

import { Scores } from "./settle.js";
import { Ago, Facts, html, Table, TaskLink, Told } from "./ui.js";
import * as words from "./words.js";

export function Conflict({ conflict }) {
  const { dispute, precedence, parties = [] } = conflict;
  return html`<article class="case" aria-label=${`conflict ${conflict.id}`}>
    <header><span class="id">${conflict.id}</span><span class="pill">${words.sentence(conflict.kind)}</span><span class="pill">${conflict.state}</span>
      ${(conflict.tasks || []).map((task) => html`<${TaskLink} key=${task} id=${task} />`)}<span class="note">${parties.length > 0 && `${parties.join(", ")}, `}<${Ago} at=${conflict.opened_at} /> ago</span></header>
    <${Facts} of=${conflict.because} />
    ${dispute?.reason && html`<p class="note">“${dispute.reason}”</p>`}
    ${conflict.ruling && html`<p><${Told} text=${conflict.ruling} /></p>`}
    ${dispute?.scores?.length > 0 && html`<${Scores} scored=${dispute.scores} threshold=${0} chosen=${dispute.awarded_to} />`}
    ${precedence && html`<${Impacts} of=${precedence} />`}
  </article>`;
}

/// What the delay of each task costs, with every number.
function Impacts({ of }) {
  const row = (each) => ({
    key: each.task,
    cells: [html`<${TaskLink} id=${each.task} />`, words.score(each.value), words.score(each.time_criticality), html`${words.score(each.enablement)}<span class="note"> for ${each.waiting}</span>`, words.score(each.cost_of_delay), words.hours(each.duration_hours), html`<strong>${each.wsjf.toFixed(3)}</strong>`],
  });
  const said = of.said.map((voice) => `${voice.by}: ${voice.priority || `${voice.first} before ${voice.then}`}`);
  return html`<p class="note">Said was ${said.join("; ")}.</p>
    ${of.order?.length > 0 && html`<${Table} caption="Business impact" columns=${["Task", ["Value", "number"], ["Deadline", "number"], ["Enables", "number"], ["Cost of delay", "number"], ["Duration", "number"], ["By duration", "number"]]} rows=${of.order.map(row)} />`}`;
}
