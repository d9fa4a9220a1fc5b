// What a person or a role must settle, and what an agent was told.

import { useState } from "preact/hooks";
import { get, pages, post, session } from "../api.js";
import { useLive } from "../live.js";
import { route } from "../route.js";
import { Escalation, Offer } from "../settle.js";
import { Ago, Card, Empty, html, Loading, TaskLink, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

async function load(settled, agent) {
  const [escalations, offers, notices] = await Promise.all([
    pages(`/v1/escalations${settled ? "" : "?state=open"}`),
    pages(`/v1/offers${settled ? "" : "?state=open"}`),
    agent ? get(`/v1/agents/${encodeURIComponent(agent)}/notices?limit=100`) : null,
  ]);
  return { escalations, offers, notices };
}

export function Inbox() {
  const [settled, setSettled] = useState(false);
  const agent = session.value.agent;
  const live = useLive(() => load(settled, agent), [settled, agent]);
  const marked = route.value.query.get("open");
  return html`<h1>Inbox</h1>
    <label class="inline"><input type="checkbox" checked=${settled} onChange=${(event) => setSettled(event.target.checked)} /> also what is settled</label>
    ${live.data ? html`<div class="grid"><${Lists} data=${live.data} marked=${marked} reload=${live.reload} />
      ${live.data.notices && html`<${Notices} notices=${live.data.notices.items || live.data.notices} agent=${agent} reload=${live.reload} />`}</div>` : html`<${Loading} of=${live} />`}`;
}

function Lists({ data, marked, reload }) {
  const first = (a, b) => (a.state === "open" ? 0 : 1) - (b.state === "open" ? 0 : 1);
  return html`<${Card} id="escalations" title="Escalations" note=${words.number(data.escalations.length)}>
      ${data.escalations.length === 0 && html`<${Empty}>Nothing is escalated.</${Empty}>`}
      ${[...data.escalations].sort(first).slice(0, 500).map((each) => html`<${Escalation} key=${each.id} escalation=${each} marked=${each.id === marked} onDone=${reload} />`)}
    </${Card}>
    <${Card} id="late-results" title="Late results" note=${words.number(data.offers.length)}>
      ${data.offers.length === 0 && html`<${Empty}>No late result waits for a decision.</${Empty}>`}
      ${[...data.offers].sort(first).slice(0, 500).map((each) => html`<${Offer} key=${each.id} offer=${each} marked=${each.id === marked} onDone=${reload} />`)}
    </${Card}>`;
}

function Notices({ notices, agent, reload }) {
  const read = useAction(async () => {
    await post(`/v1/agents/${encodeURIComponent(agent)}/notices/read`, { up_to: notices.at(-1).id });
    reload();
  });
  return html`<${Card} id="notices" title="Notices" note=${`to ${agent}`}>
    ${notices.length === 0 && html`<${Empty}>Nothing was said.</${Empty}>`}
    <ul class="lines">${notices.map((each) => html`<li key=${each.id}><span class="id">${each.id}</span> ${each.task && html`<${TaskLink} id=${each.task} />`}
      ${each.text} <span class="note"><${Ago} at=${each.at} /> ago${each.read ? ", read" : ""}</span></li>`)}</ul>
    ${notices.some((each) => !each.read) && html`<button type="button" disabled=${read.busy} onClick=${() => read.run()}>All of it is read</button>`}
    <${Trouble} error=${read.error} />
  </${Card}>`;
}
