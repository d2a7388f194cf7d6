import { LAUNCHER_OPTIONS, type LauncherOption } from "./options.ts";

/** The text of `--help`. */
export function helpText(): string {
  const rows: [string, string][] = LAUNCHER_OPTIONS.map((option: LauncherOption) => [
    `--${option.name}${option.value ? ` ${option.value}` : ""}`,
    `${option.help} [${option.variable}]`,
  ]);
  rows.push(["-h, --help", "show this"]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    "Runs a script once for each device, as ranks that train together.",
    "",
    "Usage: deno run -A launcher/main.ts [options] SCRIPT [script's own arguments]",
    "",
    "SCRIPT is a path or a URL. What follows it belongs to the script. Ranks get the launcher's own Deno flags and permissions.",
    "",
    "Options (in brackets the environment variable that stands in for one that is not given):",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    "",
    "Example: deno run -A launcher/main.ts --devices 2 examples/mnist.ts --epochs 5",
  ].join("\n");
}
