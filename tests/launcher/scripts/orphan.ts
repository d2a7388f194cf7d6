/** `orphan.ts parent` starts itself without permission for FFI, as a rank that has to notice by itself that its launcher is gone. */
import { dieWithLauncher } from "../../../launcher/die_with_launcher.ts";
import { attend } from "./attend.ts";

if (Deno.args[0] === "parent") {
  const flags = ["--allow-net", "--allow-env", "--allow-run", "--allow-read", "--no-prompt"];
  await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, import.meta.filename!],
    env: { PARENT: String(Deno.pid) },
  }).spawn().status;
} else {
  dieWithLauncher(Number(Deno.env.get("PARENT")));
  await attend("orphan");
}
