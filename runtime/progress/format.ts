import { stringWidth } from "./deps.ts";

/** What a line of progress shows. */
export interface ProgressState {
  description: string;
  count: number;
  /** Undefined if nobody knows how much there is. */
  total: number | undefined;
  elapsedMs: number;
  /** Shown last, `name=value`, in this order. */
  postfix: Readonly<Record<string, number | string>>;
}

/**
 * A line as tqdm writes it, at most `columns` wide: `Epoch 1:   4%|▎         | 40/1095 [00:03<01:37, 10.84it/s, v_num=10]`.
 * The bar takes what the text leaves, between 1 and 10 characters if `columns` is not given.
 */
export function formatProgress(state: ProgressState, columns?: number): string {
  const { count, total, elapsedMs } = state;
  const description = state.description ? `${state.description}: ` : "";
  const rate = elapsedMs > 0 && count > 0 ? count / (elapsedMs / 1000) : undefined;
  const postfix = Object.entries(state.postfix).map(([name, value]) => `, ${name}=${formatValue(value)}`).join("");
  const speed = `${
    rate === undefined ? "?it/s" : rate >= 1 ? `${rate.toFixed(2)}it/s` : `${(1 / rate).toFixed(2)}s/it`
  }`;
  if (total === undefined) {
    return truncate(`${description}${count}it [${formatTime(elapsedMs / 1000)}, ${speed}${postfix}]`, columns);
  }
  const fraction = total > 0 ? Math.min(1, count / total) : 1;
  const remaining = count >= total ? 0 : rate === undefined ? undefined : (total - count) / rate;
  const left = `${description}${String(Math.floor(fraction * 100)).padStart(3)}%|`;
  const times = `${formatTime(elapsedMs / 1000)}<${remaining === undefined ? "?" : formatTime(remaining)}`;
  const right = `| ${count}/${total} [${times}, ${speed}${postfix}]`;
  const room = columns === undefined ? 10 : columns - stringWidth(left) - stringWidth(right);
  return truncate(left + bar(fraction, Math.max(1, room)) + right, columns);
}

/** Seconds as `mm:ss`, from one hour on `h:mm:ss`. */
export function formatTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (n: number) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${pad(m)}:${pad(s)}` : `${pad(m)}:${pad(s)}`;
}

/** Whole numbers as they are, others with three digits, trailing zeros kept so that the line does not jump. */
export function formatValue(value: number | string): string {
  if (typeof value === "string") return value.replace(/\s+/g, " ");
  return Number.isInteger(value) || !Number.isFinite(value) ? String(value) : value.toPrecision(3);
}

/** The longest beginning of a line that is at most `columns` wide; wide and combined characters are never cut in two. */
export function truncate(line: string, columns: number | undefined): string {
  if (columns === undefined || stringWidth(line) <= columns) return line;
  let kept = "", width = 0;
  for (const { segment } of new Intl.Segmenter().segment(line)) {
    width += stringWidth(segment);
    if (width > columns) break;
    kept += segment;
  }
  return kept;
}

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function bar(fraction: number, width: number): string {
  const eighths = Math.floor(fraction * width * 8);
  return ("█".repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8]).padEnd(width);
}
