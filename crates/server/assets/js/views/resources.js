// What is reserved, by whom and until when, and who waits for it.

import { useState } from "preact/hooks";
import { maySteer, pages, post } from "../api.js";
import { BY_THE_CLOCK, useLive } from "../live.js";
import { href } from "../route.js";
import { Ago, At, Card, Dialog, Empty, html, Loading, say, Table, TaskLink, Told, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Resources() {
  const live = useLive(() => pages("/v1/reservations"), [], { concerns: (event) => /^(reservation|task)/.test(event.kind), every: BY_THE_CLOCK });
  const [taking, setTaking] = useState(null);
  if (!live.data) return html`<h1>Resources</h1><${Loading} of=${live} />`;
  const row = (each) => ({
    key: each.id,
    cells: [
      html`<span class="id">${each.id}</span>`,
      each.resources.map((need) => html`<span class="tag">${need.resource} · ${need.mode}</span>`),
      html`<a href=${href("agents", each.agent)}>${each.agent}</a>`,
      each.task && html`<${TaskLink} id=${each.task} />`,
      html`<${Ago} at=${each.since} />`,
      each.expires_at ? html`<${At} at=${each.expires_at} />` : "with the task",
      html`<${Told} text=${(each.because || []).join("; ")} />`,
      maySteer() && html`<button type="button" class="small" onClick=${() => setTaking(each)} aria-label=${`Release ${each.id}`}>Release</button>`,
    ],
  });
  const part = (state, title, none) => {
    const all = live.data.filter((each) => each.state === state);
    return html`<${Card} id=${state} wide title=${title} note=${words.number(all.length)}>
      ${all.length === 0 ? html`<${Empty}>${none}</${Empty}>` : html`<${Table} caption=${`${title}, as a table`} columns=${["Id", "Resources", "Agent", "Task", "For", "Until", "Because", ""]} rows=${all.map(row)} />`}
    </${Card}>`;
  };
  return html`<h1>Resources</h1><div class="grid"><${ByResource} all=${live.data} />
    ${part("held", "Held", "Nothing is reserved.")}${part("waiting", "Waiting in line", "Nobody waits for a resource.")}</div>
    ${taking && html`<${Release} of=${taking} onClose=${() => setTaking(null)} onDone=${live.reload} />`}`;
}

/// Each resource with who has it and who stands in line for it.
function ByResource({ all }) {
  const found = new Map();
  for (const each of all) {
    for (const { resource, mode } of each.resources) {
      if (!found.has(resource)) found.set(resource, { held: [], waiting: [] });
      found.get(resource)[each.state].push({ ...each, mode });
    }
  }
  const names = (list) => list.map((each) => html`<span class="tag" key=${each.id}>${each.agent}${each.task && html` for <${TaskLink} id=${each.task} />`}, ${each.mode}</span>`);
  const rows = [...found].sort(([a, one], [b, other]) => other.waiting.length - one.waiting.length || (a < b ? -1 : 1));
  return html`<${Card} id="by-resource" wide title="Who has what" note=${words.plural(found.size, "resource")}>
    ${found.size === 0 ? html`<${Empty}>Nothing is reserved.</${Empty}>` : html`<${Table} caption="Resources with holders and waiters" columns=${["Resource", "Holders", "In line"]}
      rows=${rows.slice(0, 500).map(([resource, { held, waiting }]) => ({ key: resource, cells: [html`<code>${resource}</code>`, held.length ? names(held) : html`<span class="note">nobody</span>`, waiting.length ? names(waiting) : html`<span class="note">nobody</span>`] }))} />`}
  </${Card}>`;
}

function Release({ of, onClose, onDone }) {
  const [reason, setReason] = useState("");
  const named = of.resources.map((need) => need.resource).join(", ");
  const send = useAction(async () => {
    await post(`/v1/reservations/${of.id}/release`, { reason });
    say(of.state === "waiting" ? `${of.agent} no longer stands in line.` : `${of.id} is released.`);
    onDone();
    onClose();
  });
  return html`<${Dialog} title=${of.state === "waiting" ? `Take ${of.id} out of the line` : `Release ${of.id} by force`} onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <p>${of.state === "waiting" ? `${of.agent} no longer stands in line for ${named}; nobody loses anything.` : `${of.agent} loses ${named}; whoever is next in line gets it at once.`}</p>
      <label>Why <textarea rows="2" required maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></label>
      <${Trouble} error=${send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button><button class="primary" disabled=${send.busy}>Release it</button></div>
    </form></${Dialog}>`;
}
