const names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "GROUP_RANK", "MASTER_ADDR"];
console.log(JSON.stringify({
  main: import.meta.main,
  args: Deno.args,
  env: Object.fromEntries(names.map((name) => [name, Deno.env.get(name)])),
  port: Number(Deno.env.get("MASTER_PORT")),
  weft: Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => name.startsWith("WEFT_"))),
  cuda: Deno.env.get("CUDA_VISIBLE_DEVICES"),
  cwd: Deno.cwd(),
  ffi: Deno.permissions.querySync({ name: "ffi" }).state,
}));
