// The policy, every field of it. The server judges what is sent and names the field that it refuses.

import { useEffect, useState } from "preact/hooks";
import { get, maySteer, request } from "../api.js";
import { html, Loading, say, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

const CHOICES = { strategy: ["greedy", "optimal"], claims: ["scored", "first", "off"], on_failed_dependency: ["block", "cancel"], inference: ["on", "off"], cycles: ["break", "escalate"] };

export function Policy() {
  const [read, setRead] = useState({ data: null, error: null });
  const load = () => get("/v1/policy").then((data) => setRead({ data }), (error) => setRead({ error }));
  useEffect(() => void load(), []);
  if (!read.data) return html`<h1>Policy</h1><${Loading} of=${read} />`;
  return html`<${Form} key=${read.data.version} policy=${read.data} reload=${load} />`;
}

/// Returns the fields of a policy as [path, value], those of its parts by dotted names.
function fields(of, before = "") {
  return Object.entries(of).flatMap(([name, value]) =>
    value !== null && typeof value === "object" ? fields(value, `${before}${name}.`) : [[`${before}${name}`, value]],
  );
}

function changed(policy, path, value) {
  const [name, ...rest] = path.split(".");
  const copy = Array.isArray(policy) ? [...policy] : { ...policy };
  copy[name] = rest.length ? changed(policy[name], rest.join("."), value) : value;
  return copy;
}

function Form({ policy, reload }) {
  const [edited, setEdited] = useState(policy);
  const steer = maySteer();
  const before = Object.fromEntries(fields(policy));
  const differ = fields(edited).filter(([path, value]) => before[path] !== value);
  const send = useAction(async () => {
    const ack = await request("PUT", "/v1/policy", edited);
    say(`The policy is set, version ${ack.policy_version}. It applies to what is decided from now on.`);
    await reload();
  });
  const wrong = send.error?.problem?.field;
  const field = ([path, value]) => {
    const name = path.split(".").at(-1);
    const title = /^\d+$/.test(name) ? `Complexity ${Number(name) + 1}` : words.sentence(name.replace(/_ms$/, ""));
    const set = (next) => setEdited(changed(edited, path, next));
    const invalid = wrong && (wrong === path || wrong === name) ? "true" : null;
    const common = { name: path, disabled: !steer, "aria-invalid": invalid };
    const duration = name.endsWith("_ms") || path.startsWith("ack_ms.");
    return html`<label key=${path}>${title}${duration && html` <span class="note">ms, ${value === null ? "off" : words.span(value)}</span>`}
      ${value === null || before[path] === null
        ? html`<input ...${common} type="number" step="any" placeholder="off" value=${value} onInput=${(event) => set(event.target.value === "" ? null : Number(event.target.value))} />`
        : CHOICES[name]
        ? html`<select ...${common} value=${value} onChange=${(event) => set(event.target.value)}>${CHOICES[name].map((each) => html`<option>${each}</option>`)}</select>`
        : typeof value === "number"
          ? html`<input ...${common} type="number" step="any" required value=${value} onInput=${(event) => event.target.value !== "" && set(Number(event.target.value))} />`
          : typeof value === "boolean"
            ? html`<input ...${common} type="checkbox" checked=${value} onChange=${(event) => set(event.target.checked)} />`
            : html`<input ...${common} value=${value} onInput=${(event) => set(event.target.value)} />`}</label>`;
  };
  const parts = new Map([["General", []]]);
  for (const entry of fields(edited)) {
    if (entry[0] === "version") continue;
    const part = entry[0].includes(".") ? words.sentence(entry[0].split(".").slice(0, -1).join(", ").replace(/_ms$/, "")) : "General";
    parts.set(part, [...(parts.get(part) || []), entry]);
  }
  return html`<form class="policy" onSubmit=${(event) => {
    event.preventDefault();
    send.run();
  }}>
    <h1>Policy</h1><p class="note">Version ${policy.version}. Changes apply to what is decided later.</p>
    ${[...parts].map(([title, all]) => html`<fieldset key=${title}><legend>${title}</legend><div class="fields">${all.map(field)}</div></fieldset>`)}
    ${differ.length > 0 && html`<section aria-live="polite"><h2>What changes</h2><ul class="reasons">${differ.map(([path, value]) => html`<li><code>${path}</code> from ${String(before[path])} to ${String(value)}</li>`)}</ul></section>`}
    <${Trouble} error=${send.error} />
    ${steer && html`<div class="buttons"><button type="button" disabled=${!differ.length} onClick=${() => setEdited(policy)}>Take it back</button><button class="primary" disabled=${!differ.length || send.busy}>Set the policy</button></div>`}
  </form>`;
}
