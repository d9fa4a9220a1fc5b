// What a task has cost, what it may cost, and what it is expected to; a person gives it more here.

import { useState } from "preact/hooks";
import { request } from "./api.js";
import { Ago, html, say, Table, Trouble, useAction } from "./ui.js";
import * as words from "./words.js";

export const money = (micros) => (micros / 1e6).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const tokens = (usage) => usage.input_tokens + usage.output_tokens;

/// What was used, by attempt, beside what such work costs.
export function Costs({ task, steer, onDone }) {
  const { standing, attempts, expected, to_finish: rest, currency } = task.cost;
  const limits = standing.budget.total || {};
  const limit = limits.money_micros?.hard;
  const [amount, setAmount] = useState("");
  const set = useAction(async () => {
    const hard = Math.round(Number(amount) * 1e6);
    const total = { ...limits, money_micros: { ...limits.money_micros, hard } };
    await request("PUT", "/v1/budgets", { of: "task", name: task.id, budget: { total } });
    say(`${task.id} may cost ${money(hard)} ${currency}.`);
    setAmount("");
    onDone();
  });
  const facts = [
    ["Used", `${money(standing.total.money_micros)} ${currency}, ${words.number(tokens(standing.total))} tokens`],
    ["Hard limit", [limit && `${money(limit)} ${currency}`, limits.tokens?.hard && `${words.number(limits.tokens.hard)} tokens`].filter(Boolean).join(", ")],
    ["To finish", rest && `${money(rest.money_micros)} ${currency}, ${words.number(rest.tokens)} tokens expected`],
    ["Such work", expected && `${money(expected.p50.money_micros)} ${currency}, 90 % up to ${money(expected.p90.money_micros)} ${currency}${expected.from ? ` (learned from ${expected.from})` : " (like all work)"}`],
  ].filter(([, value]) => value);
  const row = (attempt) => ({
    key: attempt.assignment,
    cells: [attempt.assignment, attempt.agent, money(attempt.usage.money_micros), words.number(attempt.usage.input_tokens), words.number(attempt.usage.cached_tokens || 0), words.number(attempt.usage.output_tokens)],
  });
  return html`<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    ${standing.because && html`<p><span class="pill s-failed">${words.sentence(standing.state)}</span> ${standing.because}, since <${Ago} at=${standing.since} /></p>`}
    ${attempts?.length > 0 && html`<${Table} caption="Cost by attempt" columns=${["Attempt", "Agent", currency, "Read", "Cached", "Written"]} rows=${attempts.map(row)} />`}
    ${steer && html`<form class="settle" onSubmit=${(event) => {
      event.preventDefault();
      set.run();
    }}><label>It may cost <input type="number" min="0.000001" step="any" required value=${amount} onInput=${(event) => setAmount(event.target.value)} /> ${currency}</label>
      <button disabled=${set.busy || !amount}>Set the limit</button><${Trouble} error=${set.error} /></form>`}`;
}
