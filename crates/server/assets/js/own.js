// What the owner of a task may say about it under its own token, and how a ready one is taken.

import { useState } from "preact/hooks";
import { post, session } from "./api.js";
import { Card, html, say, Trouble, useAction } from "./ui.js";

/// The verbs of an owner: what they send besides who says it, and what is said once they are through.
const VERBS = {
  start: [() => ({}), (id) => `You have begun ${id}.`],
  progress: [({ percent, text }) => ({ percent: Number(percent), note: text }), (id) => `It is known how far ${id} is.`],
  done: [({ text }) => ({ result: text }), (id) => `${id} is done.`],
  fail: [({ text }) => ({ reason: text }), (id) => `It is known that ${id} failed.`],
  release: [({ text }) => ({ note: text }), (id) => `${id} is given back.`],
};

/// Nothing for whoever neither owns the task nor may take it.
export function Own({ task, onDone }) {
  const { agent } = session.value;
  const [text, setText] = useState("");
  const [percent, setPercent] = useState(task.progress_percent || 0);
  const send = useAction(async (verb) => {
    const [more, told] = VERBS[verb];
    await post(`/v1/tasks/${task.id}/${verb}`, { agent, assignment: task.assignment, ...more({ text, percent }) });
    say(told(task.id));
    setText("");
    onDone();
  });
  const take = useAction(async () => {
    await post(`/v1/tasks/${task.id}/claim`, { agent });
    say(`${task.id} is yours.`);
    onDone();
  });
  if (!agent) return null;
  if (task.state === "ready") {
    return html`<${Card} id="own" wide title="It waits for somebody"><button type="button" class="primary" disabled=${take.busy} onClick=${() => take.run()}>Take it</button>
      <${Trouble} error=${take.error} /></${Card}>`;
  }
  if (task.owner !== agent || !["assigned", "in_progress"].includes(task.state)) return null;
  const button = (verb, label, { wants, primary } = {}) => html`<button type="button" class=${primary ? "primary" : ""} disabled=${send.busy || (wants && !text)} onClick=${() => send.run(verb)}>${label}</button>`;
  const begun = task.state === "in_progress";
  return html`<${Card} id="own" wide title="It is yours" note=${begun ? "begun" : "not begun"}>
    <label>What is to be said <textarea rows="3" maxlength="65536" placeholder="What came of it, why it failed, how it stands" value=${text} onInput=${(event) => setText(event.target.value)}></textarea></label>
    <div class="settle">
      ${!begun && button("start", "Begin", { primary: true })}
      ${begun && html`<label class="inline"><input type="number" class="short" aria-label="Percent done" min="0" max="100" value=${percent} onInput=${(event) => setPercent(event.target.value)} /> %</label>${button("progress", "So far")}`}
      ${begun && button("done", "Done", { primary: true })}
      ${begun && button("fail", "It failed", { wants: true })}
      ${button("release", "Give it back")}</div>
    <${Trouble} error=${send.error} /></${Card}>`;
}
