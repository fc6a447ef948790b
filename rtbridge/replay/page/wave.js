// Waveforms: lowest and highest sample of every few ms, as bytes, and the shape they make at a width.

/** Base64 of signed bytes (low, high, low, high, …) as an Int8Array. */
export function peaks(base64) {
  const text = atob(base64);
  return Int8Array.from(text, (one) => one.charCodeAt(0));
}

/** The widest excursion over all sides, at least 8: both sides of a call are drawn at one scale. */
export function loudest(...sides) {
  let most = 8;
  for (const side of sides) for (const value of side) most = Math.max(most, Math.abs(value));
  return most;
}

/**
 * An SVG path in a box `columns` wide and 2 high (y from -1 to 1): for every column the lowest and highest of the peaks
 * that fall into it. The outline runs along the tops and back along the bottoms. Of `lead` ms of the call a
 * peak stands for the n-th `every_ms`; `duration_ms` is the whole width.
 */
export function outline(side, columns, { every_ms, duration_ms, scale }) {
  const count = side.length / 2;
  const perColumn = duration_ms / every_ms / columns; // the last peak may stand for less than its time
  const tops = [];
  const bottoms = [];
  for (let column = 0; column < columns; column += 1) {
    const from = Math.floor(column * perColumn);
    const to = Math.min(count, Math.max(from + 1, Math.ceil((column + 1) * perColumn)));
    let low = 0;
    let high = 0;
    for (let n = from; n < to; n += 1) {
      low = Math.min(low, side[2 * n]);
      high = Math.max(high, side[2 * n + 1]);
    }
    tops.push(`${column} ${round(-high / scale)}`);
    bottoms.push(`${column} ${round(-low / scale)}`);
  }
  return `M${tops.join("L")}L${bottoms.reverse().join("L")}Z`;
}

const round = (value) => Math.round(value * 1000) / 1000;
