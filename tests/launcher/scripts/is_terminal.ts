console.log(`stdout ${Deno.stdout.isTerminal()}, stderr ${Deno.stderr.isTerminal()}`);
