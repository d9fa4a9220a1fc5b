// A new task, written by hand.

import { useState } from "preact/hooks";
import { post } from "../api.js";
import { cards } from "../cards.js";
import { go } from "../route.js";
import { Dialog, html, say, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

/// Reads `rust, sql=0.5` as requirements: a capability each, and how good one must be at least.
export function requirements(text) {
  const each = text.split(",").map((part) => part.trim()).filter(Boolean);
  return each.map((part) => {
    const [capability, minimum] = part.split("=").map((word) => word.trim());
    return { capability, ...(minimum && { minimum: Number(minimum) }) };
  });
}

export function Submit({ onClose }) {
  const [asked, setAsked] = useState({ title: "", description: "", priority: "medium", project: "", needs: "", after: "", hours: "", deadline: "" });
  const field = (name) => ({ value: asked[name], onInput: (event) => setAsked({ ...asked, [name]: event.target.value }) });
  const projects = [...new Set([...cards.values()].map((card) => card.project).filter(Boolean))].sort();
  const send = useAction(async () => {
    const { title, description, priority, project, needs, after, hours, deadline } = asked;
    const made = await post("/v1/tasks", {
      title, priority, description, requires: requirements(needs), depends_on: after.split(/[\s,]+/).filter(Boolean),
      ...(project && { project }), ...(hours && { estimate_hours: Number(hours) }), ...(deadline && { deadline: new Date(deadline).toISOString() }),
    });
    say(`${made.task} is submitted.`);
    onClose();
    go("task", made.task);
  });
  return html`<${Dialog} title="New task" onClose=${onClose}>
    <form method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      send.run();
    }}>
      <label>Title <input required maxlength="500" ...${field("title")} /></label>
      <label>Description <textarea rows="4" ...${field("description")}></textarea></label>
      <div class="pair"><label>Priority <select ...${field("priority")}>${words.PRIORITIES.map((each) => html`<option>${each}</option>`)}</select></label>
        <label>Project <input maxlength="100" list="known-projects" ...${field("project")} /><datalist id="known-projects">${projects.map((each) => html`<option>${each}</option>`)}</datalist></label></div>
      <label>Needs <input placeholder="rust, sql=0.5" ...${field("needs")} /><span class="note">capabilities, with how good one must be where that matters; where nothing stands here the text is read for them</span></label>
      <label>Waits for <input placeholder="T-12, or a key" ...${field("after")} /></label>
      <div class="pair"><label>Estimate, in hours <input type="number" min="0.01" step="any" ...${field("hours")} /></label>
        <label>Deadline <input type="datetime-local" ...${field("deadline")} /></label></div>
      <${Trouble} error=${send.error} />
      <div class="buttons"><button type="button" onClick=${onClose}>Leave it</button><button class="primary" disabled=${send.busy}>Submit it</button></div>
    </form></${Dialog}>`;
}
