// What agents want leave for in the middle of their work, and the answer of a person.

import { useState } from "preact/hooks";
import { maySteer, post, session } from "./api.js";
import { Ago, html, say, TaskLink, Trouble, useAction } from "./ui.js";

const allows = (option) => option.kind.startsWith("allow");

/// What the owner of a task wants leave for, with the answers that its agent offers. Whoever looks may answer as a manager, or as a person.
export function Leave({ wanted, me, onDone, marked }) {
  const [notes, setNotes] = useState("");
  const by = maySteer() ? {} : { agent: session.value.agent };
  const send = useAction(async (option) => {
    const verdict = option && allows(option) ? "approve" : "reject";
    await post(`/v1/tasks/${wanted.task}/verdict`, { verdict, request: wanted.request, notes, ...(option ? { option: option.id } : {}), ...by });
    say(verdict === "approve" ? `${wanted.agent} may go on with ${wanted.task}.` : `${wanted.agent} is refused it.`);
    onDone();
  });
  const mayAnswer = maySteer() || (me && me.kind === "person" && me.name !== wanted.agent);
  const offersRefusal = wanted.options.some((option) => !allows(option));
  return html`<article class=${marked ? "case marked" : "case"} aria-label=${`leave for ${wanted.task}`}>
    <header><${TaskLink} id=${wanted.task} /><span class="pill">${wanted.kind}</span>
      <span class="note">${wanted.agent} under ${wanted.assignment} waits since <${Ago} at=${wanted.since} /></span></header>
    <p>It wants leave for:</p>
    <pre class="result">${wanted.title}${wanted.detail && `\n${wanted.detail}`}</pre>
    ${mayAnswer && html`<div class="settle">
      <label class="grow"><span class="hidden">Notes on ${wanted.task}</span><input placeholder="Why" maxlength="4096" value=${notes} onInput=${(event) => setNotes(event.target.value)} /></label>
      ${!offersRefusal && html`<button type="button" disabled=${send.busy} onClick=${() => send.run(null)}>Refuse</button>`}
      ${wanted.options.map((option) => html`<button key=${option.id} type="button" class=${option.kind === "allow_once" ? "primary" : ""} title=${option.kind.replace("_", " ")} disabled=${send.busy} onClick=${() => send.run(option)}>${option.name || option.kind.replace("_", " ")}</button>`)}</div>`}
    <${Trouble} error=${send.error} />
  </article>`;
}
