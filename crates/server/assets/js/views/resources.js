// What is reserved, by whom and until when, and who waits for it.

import { useState } from "preact/hooks";
import { maySteer, pages, post } from "../api.js";
import { useLive } from "../live.js";
import { href } from "../route.js";
import { Ago, At, Card, Dialog, Empty, html, Loading, say, Table, TaskLink, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Resources() {
  const live = useLive(() => pages("/v1/reservations"), [], { concerns: (event) => /^(reservation|task)/.test(event.kind) });
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
      each.because.join("; "),
      maySteer() && html`<button type="button" class="small" onClick=${() => setTaking(each)} aria-label=${`Release ${each.id}`}>Release</button>`,
    ],
  });
  const part = (state, title, none) => {
    const all = live.data.filter((each) => each.state === state);
    return html`<${Card} id=${state} wide title=${title} note=${words.number(all.length)}>
      ${all.length === 0 ? html`<${Empty}>${none}</${Empty}>` : html`<${Table} caption=${`${title}, as a table`} columns=${["Id", "Resources", "Agent", "Task", "For", "Until", "Because", ""]} rows=${all.map(row)} />`}
    </${Card}>`;
  };
  return html`<h1>Resources</h1><div class="grid">
    ${part("held", "Held", "Nothing is reserved.")}${part("waiting", "Waiting in line", "Nobody waits for a resource.")}</div>
    ${taking && html`<${Release} of=${taking} onClose=${() => setTaking(null)} onDone=${live.reload} />`}`;
}

function Release({ of, onClose, onDone }) {
  const [reason, setReason] = useState("");
  const send = useAction(async () => {
    await post(`/v1/reservations/${of.id}/release`, { reason });
    say(`${of.id} is released.`);
    onDone();
    onClose();
  });
  return html`<${Dialog} title=${`Release ${of.id} by force`} onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <p>${of.agent} loses ${of.resources.map((need) => need.resource).join(", ")}; whoever is next in line gets it at once.</p>
      <label>Why <textarea rows="2" required maxlength="4096" value=${reason} onInput=${(event) => setReason(event.target.value)}></textarea></label>
      <${Trouble} error=${send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button><button class="primary" disabled=${send.busy}>Release it</button></div>
    </form></${Dialog}>`;
}
