// Channels with their threads: who wrote what to whom, and who has to read it still.

import { useState } from "preact/hooks";
import { get, maySteer, pages, post, session } from "../api.js";
import { useLive } from "../live.js";
import { Compose, mayWrite, Message, Thread, threads } from "../messages.js";
import { href, route } from "../route.js";
import { Card, Empty, html, Loading, say, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

/// Messages that are read at once: the newest.
const SHOWN_MAX = 300;
const CONCERNS = /^(message|channel)/;

async function load(channel, agent) {
  const of = channel ? `&channel=${encodeURIComponent(channel)}` : "";
  const [channels, messages, agents, inbox] = await Promise.all([
    pages("/v1/channels", 10_000), get(`/v1/messages?limit=${SHOWN_MAX}${of}`), pages("/v1/agents"),
    agent ? pages(`/v1/agents/${encodeURIComponent(agent)}/messages`, 10_000) : null,
  ]);
  return { channels, messages: messages.items, agents: agents.map((each) => each.name), inbox };
}

export function Channels() {
  const chosen = route.value.arg;
  const agent = session.value.agent;
  const live = useLive(() => load(chosen, agent), [chosen, agent], { pause: 500, concerns: (event) => CONCERNS.test(event.kind) });
  const data = live.data;
  if (!data) return html`<h1>Channels</h1><${Loading} of=${live} />`;
  const channel = data.channels.find((each) => each.name === chosen);
  return html`<h1>${chosen ? `#${chosen}` : "Channels"}</h1>
    <div class="split-view">
      <${List} channels=${data.channels} chosen=${chosen} agents=${data.agents} reload=${live.reload} />
      <div>
        ${data.inbox && html`<${Own} inbox=${data.inbox} agent=${agent} reload=${live.reload} />`}
        ${channel && html`<${Members} channel=${channel} agents=${data.agents} reload=${live.reload} />`}
        ${chosen && !channel ? html`<${Card} id="threads" title="Threads"><${Empty}>There is no channel of that name.</${Empty}></${Card}>` : html`<${Threads} data=${data} channel=${channel} reload=${live.reload} />`}
      </div></div>`;
}

function List({ channels, chosen, agents, reload }) {
  return html`<nav class="card" aria-label="Channels"><ul class="lines">
    <li><a href=${href("channels")} aria-current=${chosen ? null : "page"}><span class="text">All messages</span></a></li>
    ${channels.map((each) => html`<li key=${each.name}><a href=${href("channels", each.name)} aria-current=${chosen === each.name ? "page" : null}>
      <span class="text">#${each.name}</span><span class="note">${words.plural(each.members.length, "member")}, ${words.number(each.sent)} sent</span></a></li>`)}</ul>
    ${channels.length === 0 && html`<${Empty}>There is no channel yet.</${Empty}>`}
    ${mayWrite() && html`<${Make} agents=${agents} reload=${reload} />`}</nav>`;
}

function Make({ agents, reload }) {
  const own = session.value.agent;
  const [name, setName] = useState("");
  const [typed, setTyped] = useState(own || "");
  const send = useAction(async () => {
    await post("/v1/channels", { name, members: typed.split(/[\s,]+/).filter(Boolean) });
    say(`The channel ${name} is made.`);
    setName("");
    reload();
  });
  return html`<details class="twin"><summary>Make a channel</summary><form onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
    <label>Name <input required maxlength="100" value=${name} onInput=${(event) => setName(event.target.value)} /></label>
    <label>Members, by name <input placeholder=${agents.slice(0, 3).join(", ")} value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>
    <${Trouble} error=${send.error} /><button class="primary" disabled=${send.busy}>Make it</button></form></details>`;
}

/// What the agent of the token has to read or acknowledge.
function Own({ inbox, agent, reload }) {
  const read = useAction(async () => {
    await post(`/v1/agents/${encodeURIComponent(agent)}/messages/read`, { up_to: inbox.at(-1).id });
    reload();
  });
  return html`<${Card} id="own" title=${`For ${agent}`} note=${words.plural(inbox.length, "message")}>
    ${inbox.length === 0 ? html`<${Empty}>Nothing is to be read.</${Empty}>` : html`<ol class="thread">${inbox.map((message) => html`<${Message} key=${message.id} message=${message} onDone=${reload} />`)}</ol>
      <div class="buttons"><button type="button" disabled=${read.busy} onClick=${() => read.run()}>All of it is read</button></div>`}
    <${Trouble} error=${read.error} /></${Card}>`;
}

function Members({ channel, agents, reload }) {
  const own = session.value.agent;
  const [agent, setAgent] = useState("");
  const change = useAction(async (verb, agent) => {
    await post(`/v1/channels/${encodeURIComponent(channel.name)}/${verb}`, { agent });
    say(verb === "join" ? `${agent} is in #${channel.name}.` : `${agent} has left #${channel.name}.`);
    setAgent("");
    reload();
  });
  const may = (name) => maySteer() || name === own;
  const outside = agents.filter((name) => !channel.members.includes(name) && may(name));
  return html`<${Card} id="members" title="Members" note=${words.number(channel.members.length)}>
    <p>${channel.members.map((name) => html`<span class="tag" key=${name}>${name}${may(name) && html` <button type="button" class="bare" disabled=${change.busy} aria-label=${`Take ${name} out of ${channel.name}`} onClick=${() => change.run("leave", name)}>✕</button>`}</span>`)}</p>
    ${outside.length > 0 && html`<form class="settle" onSubmit=${(event) => {
        event.preventDefault();
        change.run("join", agent);
      }}><label class="inline"><span class="hidden">Agent to bring in</span><select required value=${agent} onChange=${(event) => setAgent(event.target.value)}><option value="">Whom</option>${outside.map((name) => html`<option>${name}</option>`)}</select></label>
      <button disabled=${change.busy}>Bring in</button></form>`}
    <${Trouble} error=${change.error} /></${Card}>`;
}

function Threads({ data, channel, reload }) {
  const all = threads(data.messages);
  const marked = route.value.query.get("thread");
  return html`<${Card} id="threads" title="Threads" note=${words.plural(all.length, "thread")}>
    ${mayWrite() && (channel || data.agents.length > 0) && html`<${Compose} key=${channel?.name || ""} channel=${channel?.name} agents=${channel ? null : data.agents} label=${channel ? `Write to #${channel.name}` : "Write to an agent"} onDone=${reload} />`}
    ${all.length === 0 && html`<${Empty}>Nothing was written.</${Empty}>`}
    ${all.map((thread) => html`<${Thread} key=${thread.id} thread=${thread} marked=${thread.id === marked} onDone=${reload} />`)}
    ${data.messages.length === SHOWN_MAX && html`<p class="note">The last ${SHOWN_MAX} messages are shown.</p>`}
  </${Card}>`;
}
