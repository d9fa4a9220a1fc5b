// Every task as a card, in memory; after the first answer only what has changed is asked for.

import { signal } from "@preact/signals";
import { get } from "./api.js";
import * as words from "./words.js";

export const cards = new Map();
/// Grows whenever the cards have changed.
export const board = signal({ version: 0, left_out: 0, loaded: false, error: null });
let known = null;
let refresh = 200;

/// How long to wait before the cards are asked for again, in ms.
export const pause = () => refresh;

/// Asks for what has changed, or for everything where nothing is known or too much has changed; throws what went wrong.
export async function update() {
  try {
    let whole = known === null;
    let answer = await get(whole ? "/v1/board" : `/v1/board?since=${known}`);
    if (answer.anew) {
      whole = true;
      answer = await get("/v1/board");
    }
    if (whole) cards.clear();
    for (const card of answer.cards) cards.set(card.id, searchable(card));
    known = answer.position;
    refresh = answer.refresh_ms;
    const { version, left_out } = board.value;
    if (whole || answer.cards.length || board.value.error) {
      board.value = { version: version + 1, left_out: whole ? answer.left_out : left_out, loaded: true, error: null };
    }
  } catch (error) {
    // A log that is shorter than what was seen is another one.
    if (error.problem?.field === "since") known = null;
    board.value = { ...board.value, error };
    throw error;
  }
}

/// Forgets what one token has seen before another one looks.
export function forget() {
  cards.clear();
  known = null;
  board.value = { version: board.value.version + 1, left_out: 0, loaded: false, error: null };
}

function searchable(card) {
  const parts = [card.id, card.title, card.key, card.agent, card.project, card.type, ...(card.labels || [])];
  card.text = parts.filter(Boolean).join(" ").toLowerCase();
  card.number = Number(card.id.slice(2));
  card.rank = RANK[card.priority];
  return card;
}

export const RANK = Object.fromEntries(words.PRIORITIES.map((word, rank) => [word, rank]));
export const isOpen = (card) => !["completed", "failed", "cancelled", "archived"].includes(card.state);
