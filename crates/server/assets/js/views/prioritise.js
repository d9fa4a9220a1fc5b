// Gives a task another priority, and says before it is confirmed what comes of it.

import { useEffect, useState } from "preact/hooks";
import { get, request } from "../api.js";
import { cards, isOpen, RANK, update } from "../cards.js";
import { Dialog, html, Loading, say, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Prioritise({ task: id, priority: first, onClose }) {
  const [priority, setPriority] = useState(first || "");
  const [task, setTask] = useState({ data: null, error: null });
  const load = () => Promise.all([get(`/v1/tasks/${id}`), update()]).then(([data]) => setTask({ data }), (error) => setTask({ error }));
  useEffect(() => void load(), [id]);
  const send = useAction(async () => {
    // Where the task is another by now, what was said about it may not hold: it is shown anew.
    try {
      await request("PATCH", `/v1/tasks/${id}`, { priority, changed: task.data.changed });
    } catch (error) {
      await load();
      throw error;
    }
    say(`${id} has the priority ${priority}.`);
    onClose();
  });
  if (!task.data) return html`<${Dialog} title=${`Priority of ${id}`} onClose=${onClose}><${Loading} of=${task} /></${Dialog}>`;
  return html`<${Dialog} title=${`Priority of ${id}`} onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <p>${task.data.title}</p>
      <label>Priority <select required value=${priority} onChange=${(event) => setPriority(event.target.value)}>
        <option value="">Choose a priority</option>
        ${words.PRIORITIES.map((each) => html`<option value=${each} disabled=${each === task.data.priority}>${each}${each === task.data.priority ? ", as it is" : ""}</option>`)}
      </select></label>
      ${priority && html`<section class="consequence" aria-live="polite"><h3>What comes of it</h3>
        <ul>${consequences(task.data, priority).map((fact) => html`<li>${fact}</li>`)}</ul></section>`}
      <${Trouble} error=${send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button>
        <button class="primary" disabled=${!priority || priority === task.data.priority || send.busy}>Set it</button></div>
    </form>
  </${Dialog}>`;
}

const higher = (a, b) => (RANK[a] <= RANK[b] ? a : b);
const named = (list) => (list.length <= 5 ? list.map((card) => card.id).join(", ") : `${list.slice(0, 5).map((card) => card.id).join(", ")} and ${list.length - 5} more`);

/// What the new priority changes, told from what is known of the other tasks.
export function consequences(task, priority) {
  const before = task.effective_priority;
  const known = (ids) => ids.map((id) => cards.get(id)).filter((card) => card && isOpen(card));
  const above = known(task.dependents).sort((a, b) => RANK[a.priority] - RANK[b.priority])[0];
  const after = above ? higher(priority, above.priority) : priority;
  const facts = [];
  if (after !== priority) facts.push(`In effect it is ${after}: ${above.id} waits for it and is ${above.priority}.`);
  if (before === after) facts.push("Its place in the queue stays as it is.");
  else if (task.state === "ready") {
    const ready = [...cards.values()].filter((card) => card.state === "ready" && card.id !== task.id);
    const urgent = (bound) => words.number(ready.filter((card) => RANK[card.priority] < RANK[bound]).length);
    facts.push(`It goes from ${before} to ${after}: ${urgent(after)} of the other ${words.number(ready.length)} ready tasks are more urgent than it then, ${urgent(before)} are now.`);
  } else if (task.owner) facts.push(`${task.owner} keeps it; the priority counts should it come back to the queue, and for how soon somebody is called.`);
  else facts.push(`It is ${words.state(task.state).toLowerCase()}; the priority counts once it is ready.`);
  const gates = known(task.depends_on.filter((edge) => edge.kind === "blocks" && !edge.waived).map((edge) => edge.task));
  const raised = gates.filter((card) => RANK[card.priority] > RANK[after]);
  const lowered = gates.filter((card) => RANK[after] > RANK[before] && card.priority === before);
  if (raised.length) facts.push(`${named(raised)}, for which it waits, ${raised.length === 1 ? "becomes" : "become"} ${after} too, with all that they wait for.`);
  if (lowered.length) facts.push(`${named(lowered)}, for which it waits, may become less urgent as well, where nothing else needs them so much.`);
  if (after === "critical" && before !== "critical" && !task.owner) facts.push("Where no agent can take it once it is ready, somebody is called.");
  return facts;
}
