// When an agent works: its week by the clock of its zone, and its times away.

import { useState } from "preact/hooks";
import { maySteer, request, session } from "./api.js";
import { At, Card, Empty, html, say, Trouble, useAction } from "./ui.js";

const DAYS = { mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday", sat: "Saturday", sun: "Sunday" };
const OFFICE = "09:00-17:00";
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/// A moment as the fields of this browser want it, by its clock; and back.
const local = (at) => {
  const time = new Date(at);
  return new Date(time - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};
const moment = (text) => (text ? new Date(text).toISOString() : "");

const fresh = () => ({ zone: HERE, week: Object.fromEntries(Object.keys(DAYS).slice(0, 5).map((day) => [day, OFFICE])), quiet: [] });
const read = (hours) => ({
  zone: hours.zone,
  week: Object.fromEntries(Object.entries(hours.week).map(([day, shifts]) => [day, shifts.join(", ")])),
  quiet: (hours.quiet || []).map(({ from, to }) => ({ from: local(from), to: local(to) })),
});
const shifts = (text) => text.split(",").map((shift) => shift.trim()).filter(Boolean);
const written = ({ zone, week, quiet }) => ({
  zone,
  week: Object.fromEntries(Object.entries(week).map(([day, text]) => [day, shifts(text)]).filter(([, of]) => of.length)),
  quiet: quiet.map(({ from, to }) => ({ from: moment(from), to: moment(to) })),
});

export function Hours({ agent, onDone }) {
  const [edited, setEdited] = useState(null);
  const path = `/v1/agents/${encodeURIComponent(agent.name)}/hours`;
  const done = (what) => {
    say(what);
    setEdited(null);
    onDone();
  };
  const save = useAction(async () => {
    await request("PUT", path, written(edited));
    done(`The hours of ${agent.name} are set.`);
  });
  const clear = useAction(async () => {
    await request("DELETE", path);
    done(`${agent.name} works at any time.`);
  });
  const { hours } = agent;
  const maySet = maySteer() || (agent.kind === "person" && agent.name === session.value.agent);
  return html`<${Card} id="hours" title="Works at" note=${hours ? `by the clock of ${hours.zone}` : ""}>
    ${!edited && !hours && html`<${Empty}>It works at any time.</${Empty}>`}
    ${!edited && hours && html`<dl>${Object.entries(DAYS).map(([day, name]) => [html`<dt>${name}</dt>`, html`<dd>${hours.week[day]?.join(", ") || "does not work"}</dd>`])}</dl>
      ${hours.quiet?.length > 0 && html`<h3>Times away</h3><ul class="lines">${hours.quiet.map(({ from, to }) => html`<li key=${from}><${At} at=${from} /> to <${At} at=${to} /></li>`)}</ul>`}`}
    ${!edited && maySet && html`<div class="settle"><button type="button" onClick=${() => setEdited(hours ? read(hours) : fresh())}>${hours ? "Change them" : "Set hours"}</button>
      ${hours && html`<button type="button" disabled=${clear.busy} onClick=${() => clear.run()}>At any time</button>`}</div>`}
    ${edited && html`<${Form} edited=${edited} set=${setEdited} save=${save} />`}
    <${Trouble} error=${save.error || clear.error} /></${Card}>`;
}

function Form({ edited, set, save }) {
  const { week, quiet } = edited;
  const away = (index, change) => set({ ...edited, quiet: quiet.map((each, at) => (at === index ? { ...each, ...change } : each)) });
  const end = (index, name, label) => html`<label>${label} <input type="datetime-local" required value=${quiet[index][name]} onInput=${(event) => away(index, { [name]: event.target.value })} /></label>`;
  return html`<form onSubmit=${(event) => {
    event.preventDefault();
    save.run();
  }}>
    <label>Time zone <input required maxlength="100" list="zones" value=${edited.zone} onInput=${(event) => set({ ...edited, zone: event.target.value })} /></label>
    <datalist id="zones">${(Intl.supportedValuesOf?.("timeZone") || []).map((zone) => html`<option value=${zone}></option>`)}</datalist>
    <div class="pair">${Object.entries(DAYS).map(([day, name]) => html`<label key=${day}>${name} <input placeholder="does not work" value=${week[day] || ""} onInput=${(event) => set({ ...edited, week: { ...week, [day]: event.target.value } })} /></label>`)}</div>
    <p class="note">Shifts such as 09:00-12:00, 13:00-17:00. One over midnight is two: 22:00-24:00, and 00:00-06:00 on the next day.</p>
    ${quiet.map((_, index) => html`<fieldset key=${index}><legend>Time away ${index + 1}, by the clock of this browser</legend><div class="pair">${end(index, "from", "From")}${end(index, "to", "To")}</div>
      <button type="button" class="small" onClick=${() => set({ ...edited, quiet: quiet.filter((_, at) => at !== index) })}>Take it out</button></fieldset>`)}
    <div class="settle"><button type="button" onClick=${() => set({ ...edited, quiet: [...quiet, { from: "", to: "" }] })}>Add a time away</button>
      <button type="button" onClick=${() => set(null)}>Leave it</button>
      <button class="primary" disabled=${save.busy}>Set the hours</button></div>
  </form>`;
}
