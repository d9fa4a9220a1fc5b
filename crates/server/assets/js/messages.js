// Messages: shown in threads with who has to read them still, written, answered and acknowledged.

import { useEffect, useState } from "preact/hooks";
import { get, maySteer, post, session } from "./api.js";
import { href } from "./route.js";
import { Ago, At, html, Priority, say, TaskLink, Trouble, useAction } from "./ui.js";
import * as words from "./words.js";

/// Whether the token may write: as its agent, or as a manager.
export const mayWrite = () => Boolean(session.value.agent) || maySteer();

/// Puts messages, newest first as they come, into threads: the one that was written to last first, each in the order of writing.
export function threads(messages) {
  const found = new Map();
  for (const message of messages) {
    const root = message.thread || message.id;
    if (!found.has(root)) found.set(root, { id: root, messages: [] });
    found.get(root).messages.unshift(message);
  }
  return [...found.values()];
}

/// A thread with what may be done in it.
export function Thread({ thread, onDone, marked }) {
  const [answering, setAnswering] = useState(false);
  const last = thread.messages.at(-1);
  const to = answerTo(last);
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`thread ${thread.id}`}>
    <ol class="thread">${thread.messages.map((message) => html`<${Message} key=${message.id} message=${message} onDone=${onDone} />`)}</ol>
    ${to && mayWrite() && (answering
      ? html`<${Compose} ...${to} task=${last.task} reply=${last.id} label=${`Answer to ${last.id}`} onDone=${() => {
          setAnswering(false);
          onDone();
        }} />`
      : html`<button type="button" class="small" onClick=${() => setAnswering(true)} aria-label=${`Answer ${last.id}`}>Answer</button>`)}
  </article>`;
}

/// Where an answer to a message goes: into its channel, or to the other one of the two.
function answerTo(message) {
  if (message.channel) return { channel: message.channel };
  const { agent } = session.value;
  const to = agent && message.from === agent ? message.to : message.from;
  return to && to !== agent ? { to } : null;
}

/// Who a message is from, in words.
const sender = (message) => message.from || ((message.digest || []).length ? "digest" : "a manager");

export function Message({ message, onDone }) {
  const { id, unread, ack } = message;
  const [names, setNames] = useState(null);
  const who = useAction(async () => setNames((await get(`/v1/messages/${id}`)).unread_by || []));
  useEffect(() => void (names && who.run()), [unread]);
  const acknowledge = useAction(async () => {
    await post(`/v1/messages/${id}/ack`, { agent: session.value.agent });
    say(`${id} is acknowledged.`);
    onDone();
  });
  const done = ack ? "acknowledged" : "read";
  const left = ack ? `to be acknowledged by ${words.number(unread || 0)}` : `not read by ${words.number(unread || 0)} yet`;
  return html`<li class="message" id=${`message-${id}`}>
    <header><strong>${sender(message)}</strong><span class="note">to ${message.channel ? html`<a href=${href("channels", message.channel)}>#${message.channel}</a>` : message.to || "somebody"}</span>
      ${message.priority !== "medium" && html`<${Priority} of=${message.priority} />`}${message.task && html`<${TaskLink} id=${message.task} />`}
      <span class="note"><span class="id">${id}</span> <${Ago} at=${message.at} /> ago</span>
      ${unread === 0 && html`<span class="pill s-completed">${done}</span>`}
      ${unread > 0 && html`<details class="unread" onToggle=${(event) => (event.currentTarget.open ? who.run() : setNames(null))}><summary>${left}</summary>
        ${names && html`<span>Waits for ${names.join(", ") || "nobody any more"}.</span>`}</details>`}
      ${message.due && html`<span class="note">${ack ? "to be acknowledged" : "to be read"} by <${At} at=${message.due} /></span>`}
      ${message.resent && html`<span class="pill at_risk">sent again</span>`}${message.escalated && html`<span class="pill overdue">escalated</span>`}</header>
    <pre class="prose">${message.text}</pre>
    ${message.due && ack && html`<button type="button" class="small primary" disabled=${acknowledge.busy} onClick=${() => acknowledge.run()}>Acknowledge</button>`}
    <${Trouble} error=${who.error || acknowledge.error} />
  </li>`;
}

/// Writes a message to an agent or a channel; `to` may be chosen where `agents` are given.
export function Compose({ to, channel, task, reply, label, agents, onDone }) {
  const [target, setTarget] = useState(to || "");
  const [text, setText] = useState("");
  const [priority, setPriority] = useState("medium");
  const [ack, setAck] = useState(false);
  const from = session.value.agent;
  const send = useAction(async () => {
    const sent = await post("/v1/messages", { ...(from && { from }), ...(channel ? { channel } : { to: target }), ...(task && { task }), ...(reply && { reply_to: reply }), text, priority, ack });
    say(`${sent.message} is sent.`);
    setText("");
    onDone();
  });
  return html`<form class="compose" aria-label=${label} onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
    ${agents && html`<label class="inline"><span class="hidden">To</span><select required value=${target} onChange=${(event) => setTarget(event.target.value)}>
      <option value="">To whom</option>${agents.filter((name) => name !== from).map((name) => html`<option>${name}</option>`)}</select></label>`}
    <label><span class="hidden">${label}</span><textarea rows="2" required maxlength="4096" placeholder=${`${label} …`} value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
    <div class="settle">
      <label class="inline"><span class="hidden">Priority</span><select value=${priority} onChange=${(event) => setPriority(event.target.value)}>${words.PRIORITIES.map((each) => html`<option>${each}</option>`)}</select></label>
      <label class="inline"><input type="checkbox" checked=${ack} onChange=${(event) => setAck(event.target.checked)} /> must be acknowledged</label>
      <span class="note grow">${from ? `as ${from}` : "as a manager"}${channel ? ` to #${channel}` : to && !agents ? ` to ${to}` : ""}</span>
      <button class="primary" disabled=${send.busy}>Send</button></div>
    <${Trouble} error=${send.error} /></form>`;
}
