import type { TensorflowBinding } from "../accelerators/tensorflow/binding.ts";
import { info, warn } from "../core/messages.ts";
import { randomState } from "../seed/random_state.ts";
import { gradientOf } from "../tensor/gradients.ts";
import { type StepOutcome, stepRecorder } from "../tensor/step_recording.ts";
import { noGrad } from "../tensor/tape.ts";
import type { tf } from "../tensor/tf.ts";
import { tensorsIn } from "../tensor/tree.ts";
import type { CompileMode } from "./compile_mode.ts";
import { difference } from "./difference.ts";
import { inScope } from "./in_scope.ts";
import type { ModeChoiceOptions } from "./mode_choice.ts";
import { Program } from "./program.ts";
import { Recorder, registeredVariables } from "./recorder.ts";
import type { Obstacle, Recording } from "./recording.ts";
import { signatureOf } from "./signature.ts";
import { usualMode } from "./usual_mode.ts";
import { warnNotCompiled } from "./warn_not_compiled.ts";
import { unshareVariables } from "./unshare_variables.ts";

/** Options of {@linkcode compileStep}. */
export interface CompileStepOptions {
  /** Default: `"auto"`. */
  compile?: CompileMode;
  /** What the step is called in messages. Default: its name, or `step`. */
  name?: string;
  /**
   * What the step depends on besides its arguments and variables, e.g. whether a module is in train mode. A recording is used when all of these
   * are what they were. Default: nothing.
   */
  dependsOn?: () => readonly unknown[];
}

/** How many recordings of a step there may be: for kinds of arguments, and for what else it depends on. */
const MOST_PROGRAMS = 16;
/** How many recordings without a program are kept. */
const MOST_WAITING = 2;
/** How often in a row a step may be recorded in vain. */
const MOST_ATTEMPTS = 4;

/** A recording, and a program once a second one was like it. */
interface Entry {
  readonly recording: Recording;
  readonly dependencies: readonly unknown[];
  readonly trainable: readonly (readonly [tf.Variable, boolean])[];
  program?: Program;
}

/** What is known of the steps with one kind of arguments. */
interface Signature {
  entries: Entry[];
  attempts: number;
  /** It runs op by op for good. */
  givenUp: boolean;
}

/**
 * Makes a training step that runs in one call of TensorFlow's (two if gradients are exchanged in between). The first calls run op by op and are
 * recorded; when two recordings agree, they become functions. See docs/compiled_steps.md for what can be recorded; what cannot runs on
 * op by op, with one warning that says why.
 *
 * @param step takes and returns tensors, alone or in arrays and records. What else it takes is part of what it is recorded for
 * @returns a function of the same signature. What it returns belongs to the caller's scope; what the step makes besides is freed at its end
 */
export function compileStep<A extends unknown[], R>(
  step: (...args: A) => R | Promise<R>,
  binding: TensorflowBinding,
  options: CompileStepOptions = {},
): (...args: A) => Promise<R> {
  const compiled = new CompiledStep(step, binding, options);
  return (...args) => compiled.run(args);
}

class CompiledStep<A extends unknown[], R> {
  readonly #step: (...args: A) => R | Promise<R>;
  readonly #binding: TensorflowBinding;
  readonly #compile: Exclude<CompileMode, false>;
  readonly #name: string;
  readonly #dependsOn: () => readonly unknown[];
  readonly #signatures = new Map<string, Signature>();
  #programs = 0;
  #reported = false;
  #isRunning = false;

  constructor(step: (...args: A) => R | Promise<R>, binding: TensorflowBinding, options: CompileStepOptions) {
    this.#step = step;
    this.#binding = binding;
    this.#compile = options.compile || "auto";
    this.#name = options.name ?? (step.name || "step");
    this.#dependsOn = options.dependsOn ?? (() => []);
  }

  async run(args: A): Promise<R> {
    // A step inside a step is part of it.
    if (stepRecorder()) return await this.#step(...args);
    if (this.#isRunning) {
      throw new Error(
        `the compiled \`${this.#name}\` was called while an earlier call had not finished: await each call before the next`,
      );
    }
    this.#isRunning = true;
    try {
      return await this.#run(args);
    } finally {
      this.#isRunning = false;
    }
  }

  async #run(args: A): Promise<R> {
    const tensors = tensorsIn(args);
    const key = signatureOf(args);
    let signature = this.#signatures.get(key);
    if (!signature) {
      if (this.#signatures.size >= MOST_PROGRAMS) return await this.#tooMany(args);
      this.#signatures.set(key, signature = { entries: [], attempts: 0, givenUp: false });
    }
    if (signature.givenUp) return await this.#step(...args);
    const dependencies = this.#dependsOn();
    const entry = signature.entries.find((entry) => holds(entry, dependencies));
    if (entry?.program?.isUsable) {
      signature.attempts = 0;
      const done = await entry.program.run(tensors) as Done<R>;
      if (!this.#reported) this.#report(entry.program);
      return handedOut(done);
    }
    if (entry?.program) this.#drop(signature, entry);
    if (this.#programs >= MOST_PROGRAMS) return await this.#tooMany(args);
    return await this.#record(args, { tensors, signature, dependencies, before: entry?.program ? undefined : entry });
  }

  async #record(
    args: A,
    { tensors, signature, dependencies, before }: {
      tensors: tf.Tensor[];
      signature: Signature;
      dependencies: readonly unknown[];
      before: Entry | undefined;
    },
  ): Promise<R> {
    noGrad(() => unshareVariables(this.#binding));
    const trainable = [...registeredVariables()].map((variable) => [variable, variable.trainable] as const);
    const recorder = new Recorder(this.#binding, tensors);
    const done = await recorder.run(() =>
      inScope(async (): Promise<Done<R>> => ({ returned: await this.#step(...args), outcomes: recorder.outcomes }))
    );
    const recording = recorder.finish(done);
    this.#judge(recording, { signature, dependencies, before, trainable });
    return handedOut(done);
  }

  /** Makes of a recording what can be made of it: a program, if it is like the one before. */
  #judge(
    recording: Recording | Obstacle,
    { signature, dependencies, before, trainable }: {
      signature: Signature;
      dependencies: readonly unknown[];
      before: Entry | undefined;
      trainable: Entry["trainable"];
    },
  ): void {
    signature.attempts++;
    const obstacle = "reason" in recording ? recording : undefined;
    if (obstacle && !obstacle.passing) this.#giveUp(signature, obstacle);
    if (obstacle) {
      if (signature.attempts >= MOST_ATTEMPTS) this.#giveUp(signature, obstacle);
      return;
    }
    const entry: Entry = { recording: recording as Recording, dependencies, trainable };
    const change = before && difference(before.recording, entry.recording);
    if (change && signature.attempts >= MOST_ATTEMPTS) this.#giveUp(signature, change);
    else if (!before && signature.attempts >= MOST_ATTEMPTS) {
      this.#giveUp(signature, { reason: "depends on something that is another thing in every step", at: undefined });
    } else {
      // Of those without a program all but the newest will hardly hold again. Two are kept, because steps may take turns.
      const waiting = signature.entries.filter((other) => !other.program && other !== before).slice(1 - MOST_WAITING);
      signature.entries = [...signature.entries.filter((other) => other.program || waiting.includes(other)), entry];
      if (before && !change) this.#makeProgram(signature, entry);
    }
  }

  #makeProgram(signature: Signature, entry: Entry): void {
    try {
      entry.program = new Program(this.#binding, entry.recording, this.#modeFor(entry.recording));
      this.#programs++;
      signature.attempts = 0;
    } catch (error) {
      this.#giveUp(signature, { reason: `cannot become a graph: ${(error as Error).message}`, at: undefined });
    }
  }

  /** A seeded run is to come to the same bits every time, which a choice by the clock would spoil. */
  #modeFor(recording: Recording): ModeChoiceOptions {
    if (this.#compile !== "auto" || randomState() === null) return { compile: this.#compile };
    return { compile: usualMode(recording), because: "not measured, because the run is seeded" };
  }

  #drop(signature: Signature, entry: Entry): void {
    signature.entries = signature.entries.filter((other) => other !== entry);
    entry.program?.[Symbol.dispose]();
    this.#programs--;
  }

  #report(program: Program): void {
    if (!program.settled) return;
    this.#reported = true;
    info(`\`${this.#name}\` was recorded (${program.opCount} ops) and runs ${program.settled}`);
  }

  #giveUp(signature: Signature, { reason, at }: Obstacle): void {
    if (signature.givenUp) return;
    signature.givenUp = true;
    for (const entry of [...signature.entries]) if (entry.program) this.#drop(signature, entry);
    signature.entries = [];
    warnNotCompiled(this.#name, `it ${reason}`, at);
  }

  async #tooMany(args: A): Promise<R> {
    warn(
      "step-signatures",
      `\`${this.#name}\` was called with more than ${MOST_PROGRAMS} kinds of arguments (shapes, types, and values that are no tensors), and runs ` +
        "op by op with those that are new: pad to fewer shapes, and pass numbers that change as tensors",
    );
    return await this.#step(...args);
  }
}

/** What a step did that somebody waits for. */
interface Done<R> {
  readonly returned: R;
  readonly outcomes: readonly StepOutcome[];
}

/** Gives the outcomes to their receivers, and the rest back. */
function handedOut<R>({ returned, outcomes }: Done<R>): R {
  for (const { receiver, tensors, note } of outcomes) receiver.receiveOutcome(tensors, note);
  return returned;
}

/** Whether a recording may stand for the step that is about to run. */
function holds(entry: Entry, dependencies: readonly unknown[]): boolean {
  const { recording } = entry;
  if (dependencies.length !== entry.dependencies.length) return false;
  for (let i = 0; i < dependencies.length; i++) if (!Object.is(dependencies[i], entry.dependencies[i])) return false;
  for (const { read, value } of recording.guards) if (!Object.is(read(), value)) return false;
  for (const [variable, trainable] of entry.trainable) {
    if (variable.trainable !== trainable || variable.isDisposed) return false;
  }
  for (const [variable, was] of recording.gradientsBefore) {
    if ((gradientOf(variable) !== undefined) !== was) return false;
  }
  return true;
}
