// Where there is no valid token there is nothing to see but this.

import { useState } from "preact/hooks";
import { enter, refusal } from "../api.js";
import { html } from "../ui.js";

export function SignIn() {
  const [token, setToken] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (token.trim()) enter(token.trim());
  };
  return html`<main class="signin" id="main">
    <form onSubmit=${submit}>
      <h1><img src="/assets/icon.svg" alt="" width="32" height="32" />Kapell</h1>
      <label for="token">Token</label>
      <input id="token" type="password" autocomplete="off" spellcheck="false" required autofocus
        aria-describedby="token-help" value=${token} onInput=${(event) => setToken(event.target.value)} />
      ${refusal.value && html`<p class="trouble" role="alert">${refusal.value}</p>`}
      <button class="primary">Sign in</button>
      <p class="note" id="token-help">The server made the first one: <code>admin.token</code> in its data directory.
        For others: <code>kapell token new --access viewer</code>. It is kept in this tab alone.</p>
    </form>
  </main>`;
}
