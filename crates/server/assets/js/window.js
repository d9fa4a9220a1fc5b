// A list of any length of which only what is in view stands in the page. Rows have one height.

import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { html } from "./ui.js";

/// Rows beyond both edges, so that scrolling shows no gaps.
const SPARE = 6;
/// Rows that are printed, from the first on.
const PRINTED = 500;

export function Windowed({ items, height, row, label, wanted, onScroll }) {
  const box = useRef(null);
  const [view, setView] = useState({ top: 0, tall: 600 });
  const look = () => {
    if (!box.current) return;
    const { scrollTop, clientHeight } = box.current;
    setView((before) =>
      before.top === scrollTop && before.tall === clientHeight ? before : { top: scrollTop, tall: clientHeight },
    );
    onScroll?.(scrollTop);
  };
  useEffect(() => {
    const sized = new ResizeObserver(look);
    const printed = () => setView({ top: 0, tall: PRINTED * height });
    sized.observe(box.current);
    addEventListener("beforeprint", printed);
    addEventListener("afterprint", look);
    return () => {
      sized.disconnect();
      removeEventListener("beforeprint", printed);
      removeEventListener("afterprint", look);
    };
  }, []);
  // Brings the wanted row into view before it is focused.
  useLayoutEffect(() => {
    if (wanted === null || wanted === undefined) return;
    const { scrollTop, clientHeight } = box.current;
    const top = wanted * height;
    if (top < scrollTop) box.current.scrollTop = top;
    else if (top + height > scrollTop + clientHeight) box.current.scrollTop = top + height - clientHeight;
    look();
  }, [wanted]);
  const first = Math.max(0, Math.floor(view.top / height) - SPARE);
  const last = Math.min(items.length, Math.ceil((view.top + view.tall) / height) + SPARE);
  const shown = items.slice(first, last);
  return html`<div class="windowed" ref=${box} onScroll=${look}>
    <ul aria-label=${label} style=${{ height: `${items.length * height}px` }}>
      ${shown.map(
        (item, at) => html`<li key=${item.id} aria-setsize=${items.length} aria-posinset=${first + at + 1}
          style=${{ transform: `translateY(${(first + at) * height}px)`, height: `${height}px` }}>${row(item, first + at)}</li>`,
      )}
    </ul>
  </div>`;
}
