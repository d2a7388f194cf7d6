/** The signals by which clusters usually say that they want a machine back, at a time that the user chose (Slurm's `--signal`). */
const USUAL: readonly Deno.Signal[] = ["SIGUSR1", "SIGUSR2"];
/** How long Deno may take to open its debugger. */
const OPENS_MS = 500;

/** Whether this is a signal that a program may take for a cluster's warning: one that it can catch and that means nothing else. */
export function isPreemptionSignal(name: string): boolean {
  return /^SIG(USR[12]|CONT|HUP|QUIT|URG|WINCH|XCPU|ALRM)$/.test(name);
}

/** The signals that are a cluster's warning. @param setting one signal, `none`, or undefined for the usual ones */
export function preemptionSignals(setting: string | undefined): readonly Deno.Signal[] {
  if (setting === undefined) return USUAL;
  return setting === "none" ? [] : [setting as Deno.Signal];
}

/** At SIGUSR1 Deno opens its debugger, as Node does, also if a program listens for the signal: whoever has an account on the machine could enter by it. Closes it. */
export async function closeDebugger(): Promise<void> {
  const { default: inspector } = await import("node:inspector");
  const end = performance.now() + OPENS_MS;
  while (inspector.url() === undefined && performance.now() < end) {
    await new Promise<void>((resolve) => Deno.unrefTimer(setTimeout(resolve, 10)));
  }
  inspector.close();
}
