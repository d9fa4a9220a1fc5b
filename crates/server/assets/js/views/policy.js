// The policy, every field of it with what it means and what it may be, as the published contract says. The server judges what is
// sent and names the field that it refuses.

import { useEffect, useRef, useState } from "preact/hooks";
import { get, maySteer, request } from "../api.js";
import { useLive } from "../live.js";
import { html, Loading, say, Told, Trouble, useAction } from "../ui.js";
import * as words from "../words.js";

export function Policy() {
  const contract = useLive(() => get("/openapi.json"), [], { concerns: () => false });
  const live = useLive(() => get("/v1/policy"), [], { concerns: (event) => event.kind.startsWith("policy.") });
  const missing = [live, contract].find((each) => !each.data);
  if (missing) return html`<h1>Policy</h1><${Loading} of=${missing} />`;
  return html`<${Form} policy=${live.data} schemas=${contract.data.components.schemas} />`;
}

/// Follows references, and passes over what only says that something may be absent.
function resolved(schema, schemas) {
  const named = (each) => (each?.$ref ? schemas[each.$ref.split("/").at(-1)] : each);
  const some = (schema?.oneOf || schema?.anyOf || schema?.allOf)?.find((each) => each.type !== "null");
  return some ? { ...named(some), description: schema.description || named(some)?.description } : schema?.$ref ? { ...named(schema), ...(schema.description && { description: schema.description }) } : schema || {};
}

/// Returns what the contract says of a field.
function rule(schemas, path) {
  return path.split(".").reduce((schema, name) => resolved(/^\d+$/.test(name) ? schema.items : schema.properties?.[name], schemas), schemas.Policy);
}

/// Returns the words that a field may have, where it may only have some.
const choices = ({ pattern }) => pattern?.match(/^\^\(([\w|]+)\)\$$/)?.[1].split("|");

/// Tells whether a part of the policy may have any names, or any number of entries.
const open = (value, { additionalProperties, minItems, maxItems }) => additionalProperties || (Array.isArray(value) && minItems !== maxItems);

/// Returns the fields of a policy as [path, value], those of its parts by dotted names. What is open stays whole.
function fields(of, schemas, before = "") {
  return Object.entries(of).flatMap(([name, value]) => {
    const path = `${before}${name}`;
    const whole = value === null || typeof value !== "object" || open(value, rule(schemas, path));
    return whole ? [[path, value]] : fields(value, schemas, `${path}.`);
  });
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function changed(policy, path, value) {
  const [name, ...rest] = path.split(".");
  const copy = Array.isArray(policy) ? [...policy] : { ...policy };
  copy[name] = rest.length ? changed(policy[name], rest.join("."), value) : value;
  return copy;
}

/// What is edited stands on the version that it was begun with, until whoever edits takes a newer one.
function Form({ policy: newest, schemas }) {
  const [policy, setPolicy] = useState(newest);
  const [edited, setEdited] = useState(newest);
  // Which time the fields were filled anew.
  const [round, setRound] = useState(0);
  const [sought, setSought] = useState("");
  const form = useRef(null);
  const steer = maySteer();
  const before = Object.fromEntries(fields(policy, schemas));
  const differ = fields(edited, schemas).filter(([path, value]) => !same(before[path], value));
  const take = (base, changes = []) => {
    setPolicy(base);
    setEdited(changes.reduce((sum, [path, value]) => changed(sum, path, value), base));
    setRound(round + 1);
    send.clear();
  };
  useEffect(() => {
    if (newest.version > policy.version && differ.length === 0) take(newest);
  }, [newest, policy]);
  const send = useAction(async () => {
    const ack = await request("PUT", "/v1/policy", edited);
    say(`The policy is set, version ${ack.policy_version}. It applies to what is decided from now on.`);
    take(await get("/v1/policy"));
  });
  const wrong = send.error?.problem?.field;
  useEffect(() => form.current?.querySelector("[aria-invalid=true]")?.focus(), [send.error]);
  const wanted = ([path]) => path !== "version" && `${path.replaceAll("_", " ")} ${rule(schemas, path).description || ""}`.toLowerCase().includes(sought.toLowerCase());
  const parts = new Map();
  for (const entry of fields(edited, schemas).filter(wanted)) {
    const part = entry[0].includes(".") ? words.sentence(entry[0].split(".").slice(0, -1).join(", ").replace(/_ms$/, "")) : "General";
    parts.set(part, [...(parts.get(part) || []), entry]);
  }
  const field = ([path, value]) => html`<${Field} key=${path} path=${path} value=${value} rule=${rule(schemas, path)} optional=${before[path] === null} disabled=${!steer}
    round=${round}
    wrong=${wrong && (path === wrong || path.startsWith(`${wrong}.`) || path.split(".").at(-1) === wrong)} changed=${!same(before[path], value)} set=${(next) => setEdited(changed(edited, path, next))} />`;
  return html`<form class="policy" ref=${form} onSubmit=${(event) => {
    event.preventDefault();
    send.run();
  }}>
    <div class="tools"><h1>Policy</h1><label class="inline"><span class="hidden">Find a field</span><input type="search" placeholder="Find a field" value=${sought} onInput=${(event) => setSought(event.target.value)} /></label>
      <p class="note">Version ${policy.version}. Changes apply to what is decided later.</p></div>
    ${[...parts].map(([title, all]) => html`<fieldset key=${title}><legend>${title}</legend><div class="fields">${all.map(field)}</div></fieldset>`)}
    ${parts.size === 0 && html`<p class="empty">No field says that.</p>`}
    <div class=${differ.length ? "changes" : ""} aria-live="polite">
      ${differ.length > 0 && html`<h2>What changes</h2><ul class="reasons">${differ.map(([path, value]) => html`<li><code>${path}</code> from ${shown(path, before[path])} to ${shown(path, value)}</li>`)}</ul>`}
      <${Trouble} error=${send.error} />
      ${newest.version > policy.version && html`<p role="status">Version ${newest.version} is there by now. <button type="button" onClick=${() => take(newest, differ)}>Take the new one, keep my changes</button></p>`}
      ${steer && html`<div class="buttons"><button type="button" onClick=${() => take(newest)}>Take it back</button><button class="primary" disabled=${!differ.length || send.busy}>Set the policy</button></div>`}
    </div>
  </form>`;
}

const isDuration = (path) => path.endsWith("_ms") || path.startsWith("ack_ms.");
const shown = (path, value) => (value === null ? "off" : isDuration(path) ? words.span(value) : typeof value === "object" ? JSON.stringify(value) : String(value));

/// A part of the policy that is open, as JSON.
function Json({ value, set, ...common }) {
  const [text, setText] = useState(JSON.stringify(value, null, 1));
  return html`<textarea ...${common} rows="4" spellcheck=${false} value=${text} onInput=${(event) => {
    setText(event.target.value);
    try {
      set(JSON.parse(event.target.value));
      event.target.setCustomValidity("");
    } catch (error) {
      event.target.setCustomValidity(String(error.message));
    }
  }}></textarea>`;
}

function Field({ path, value, round, rule, optional, disabled, wrong, changed, set }) {
  const name = path.split(".").at(-1);
  const title = /^\d+$/.test(name) ? `Complexity ${Number(name) + 1}` : words.sentence(name.replace(/_ms$/, ""));
  const common = { name: path, disabled, "aria-invalid": wrong ? "true" : null, "aria-describedby": rule.description ? `about-${path}` : null };
  const number = { type: "number", step: "any", min: rule.minimum ?? null, max: rule.maximum ?? null };
  const may = choices(rule);
  const input = value !== null && typeof value === "object"
    ? html`<${Json} key=${round} ...${common} value=${value} set=${set} />`
    : value === null || optional
    ? html`<input ...${common} ...${number} placeholder="off" value=${value} onInput=${(event) => set(event.target.value === "" ? null : Number(event.target.value))} />`
    : may
      ? html`<select ...${common} value=${value} onChange=${(event) => set(event.target.value)}>${may.map((each) => html`<option>${each}</option>`)}</select>`
      : typeof value === "number"
        ? html`<input ...${common} ...${number} required value=${value} onInput=${(event) => event.target.value !== "" && set(Number(event.target.value))} />`
        : typeof value === "boolean"
          ? html`<input ...${common} type="checkbox" checked=${value} onChange=${(event) => set(event.target.checked)} />`
          : html`<input ...${common} ...${rule.pattern && { pattern: rule.pattern }} value=${value} onInput=${(event) => set(event.target.value)} />`;
  return html`<div class=${changed ? "field edited" : "field"}><label>${title}${isDuration(path) && html` <span class="note">ms, ${shown(path, value)}</span>`}${input}</label>
    ${rule.description && html`<p class="note" id=${`about-${path}`}><${Told} text=${rule.description} /></p>`}</div>`;
}
