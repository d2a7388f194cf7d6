import type { FaultResult } from "./run_fault.ts";

/** How soon faults were detected, by kind, as a table. */
export function faultTable(results: readonly FaultResult[]): string {
  const rows = [["fault", "runs", "wrong", "median", "slowest"]];
  for (const kind of [...new Set(results.map(({ fault }) => fault.kind))].sort()) {
    const of = results.filter(({ fault }) => fault.kind === kind);
    const times = of.flatMap(({ detectedMs }) => detectedMs === undefined ? [] : [detectedMs]).sort((a, b) => a - b);
    const wrong = of.filter(({ problems }) => problems.length > 0).length;
    const show = (ms: number | undefined) => ms === undefined ? "" : `${(ms / 1000).toFixed(2)} s`;
    rows.push([kind, String(of.length), String(wrong), show(times[times.length >> 1]), show(times.at(-1))]);
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: string[]) =>
    row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])).join("  ");
  return rows.map(line).join("\n");
}
