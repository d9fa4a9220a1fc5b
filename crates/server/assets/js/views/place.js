// Gives a task to an agent by hand, and says before it is confirmed what comes of it.

import { useEffect, useState } from "preact/hooks";
import { get, post } from "../api.js";
import { Dialog, html, Loading, say, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";
import { Scores } from "../settle.js";

export function Place({ task: id, agent: first, onClose }) {
  const [agent, setAgent] = useState(first || "");
  const [task, setTask] = useState({ data: null, error: null });
  const [agents, setAgents] = useState([]);
  const [why, setWhy] = useState({ data: null, error: null });
  const [note, setNote] = useState("");
  useEffect(() => {
    get(`/v1/tasks/${id}`).then((data) => setTask({ data }), (error) => setTask({ error }));
    get("/v1/agents?limit=1000").then((page) => setAgents(page.items), () => {});
  }, [id]);
  useEffect(() => {
    let gone = false;
    setWhy({ data: null, error: null });
    if (agent) {
      const path = `/v1/tasks/${id}/why-not/${encodeURIComponent(agent)}`;
      get(path).then((data) => !gone && setWhy({ data }), (error) => !gone && setWhy({ error }));
    }
    return () => (gone = true);
  }, [id, agent]);
  const owner = task.data?.owner;
  const send = useAction(async () => {
    if (owner) await post(`/v1/tasks/${id}/move`, { agent, note });
    else await post(`/v1/tasks/${id}/assign`, { agent });
    say(`${id} is given to ${agent}.`);
    onClose();
  });
  if (!task.data) return html`<${Dialog} title=${`Give ${id} to an agent`} onClose=${onClose}><${Loading} of=${task} /></${Dialog}>`;
  return html`<${Dialog} title=${owner ? `Move ${id}` : `Assign ${id}`} onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <p>${task.data.title}</p>
      <label>To <select required value=${agent} onChange=${(event) => setAgent(event.target.value)}>
        <option value="">Choose an agent</option>
        ${agents.map((each) => html`<option value=${each.name} disabled=${each.name === owner}>${each.name} · ${each.role} · ${each.state === "online" ? `${each.tasks.length} of ${each.max_concurrent_tasks}` : each.state}</option>`)}
      </select></label>
      ${owner && html`<label>What the new owner should know <textarea rows="2" maxlength="4096" value=${note} onInput=${(event) => setNote(event.target.value)}></textarea></label>`}
      <${Consequence} task=${task.data} agent=${agents.find((each) => each.name === agent)} why=${why.data} />
      <${Trouble} error=${why.error || send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button>
        <button class="primary" disabled=${!agent || !why.data?.candidate || send.busy}>${owner ? "Move it" : "Assign it"}</button></div>
    </form>
  </${Dialog}>`;
}

function Consequence({ task, agent, why }) {
  if (!agent || !why) return null;
  if (!why.candidate) {
    return html`<section class="consequence" aria-live="polite"><h3>It cannot be given to ${agent.name}</h3>
      <ul>${why.reasons.map((reason) => html`<li>${words.sentence(reason)}</li>`)}</ul></section>`;
  }
  const { final, capability } = why.score;
  const facts = [
    final > why.threshold
      ? `The score ${words.score(final)} is above the threshold ${words.score(why.threshold)}.`
      : `The score ${words.score(final)} is not above the threshold ${words.score(why.threshold)}: Kapell would not place it there; by hand it may be.`,
    `${agent.name} has ${agent.tasks.length} of ${agent.max_concurrent_tasks} slots taken, then ${agent.tasks.length + 1}.`,
  ];
  if (capability.value < 0.5) facts.push(`Its capability match is only ${words.score(capability.value)}.`);
  if (task.owner) {
    facts.push(`${task.owner} loses it at ${task.progress_percent || 0} % and is told; what it still reports under ${task.assignment} is kept as a late result.`);
  }
  return html`<section class="consequence" aria-live="polite"><h3>What comes of it</h3>
    <ul>${facts.map((fact) => html`<li>${fact}</li>`)}</ul>
    <${Scores} scored=${[why.score]} threshold=${why.threshold} /></section>`;
}
