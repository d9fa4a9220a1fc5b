// Where the reader is: `#/view/argument?query`. Filters live here, so that an address can be shared and gone back to.

import { signal } from "@preact/signals";

/// What cannot be read as an encoded text is taken as it stands.
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [view, ...rest] = path.split("/");
  return { view: view || "now", arg: decoded(rest.join("/")), query: new URLSearchParams(query) };
}

export const route = signal(read());

addEventListener("hashchange", () => {
  route.value = read();
});

export const href = (view, arg = "", query = {}) => {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  return `#/${view}${arg && `/${encodeURIComponent(arg)}`}${asked && `?${asked}`}`;
};

export const go = (...to) => {
  location.hash = href(...to);
};

/// Changes a part of the query in place, without a step in the history.
export function setQuery(changes) {
  const { view, arg, query } = route.value;
  const all = { ...Object.fromEntries(query), ...changes };
  history.replaceState(null, "", `/${href(view, arg, all)}`);
  route.value = read();
}
