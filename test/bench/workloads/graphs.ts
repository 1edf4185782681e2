/** One shape of trivial steps, written for each program that can run it. */
export interface Shape {
  readonly name: string;
  readonly atOnce: number;
  /** For each step the steps it needs, by index. */
  readonly needs: readonly (readonly number[])[];
}

export function chain(steps: number): Shape {
  return {
    name: `chain of ${steps}`,
    atOnce: 1,
    needs: Array.from({ length: steps }, (_, i) => (i === 0 ? [] : [i - 1])),
  };
}

export function fan(steps: number): Shape {
  return { name: `fan of ${steps}, two at once`, atOnce: 2, needs: Array.from({ length: steps }, () => []) };
}

/** Each step of a layer needs all of the one before it. */
export function layers(count: number, width: number): Shape {
  const layer = (n: number) => Array.from({ length: width }, (_, i) => n * width + i);
  const needs = Array.from({ length: count * width }, (_, i) => {
    const own = Math.floor(i / width);
    return own === 0 ? [] : layer(own - 1);
  });
  return { name: `layers ${count} × ${width}, two at once`, atOnce: 2, needs };
}

const id = (index: number) => `s${index}`;

/** A workflow without `needs`: one step after another. */
export function sequence(steps: number): string {
  const list = Array.from({ length: steps }, (_, i) => `  - { id: ${id(i)}, run: 'true' }\n`);
  return `id: bench\nlimits: { max_total_iterations: ${steps * 2} }\nsteps:\n${list.join("")}`;
}

export function graph({ needs, atOnce }: Shape): string {
  const list = needs.map((of, i) => `  - { id: ${id(i)}, needs: [${of.map(id).join(", ")}], run: 'true' }\n`);
  const limits = `{ max_parallel: ${atOnce}, max_total_iterations: ${needs.length * 2} }`;
  return `id: bench\nlimits: ${limits}\nsteps:\n${list.join("")}`;
}

/** `:;true` keeps make from leaving the shell out, which every other program here starts. */
export function makefile({ needs }: Shape): string {
  const rules = needs.map((of, i) => `${id(i)}: ${of.map(id).join(" ")}\n\t@:;true\n`);
  return `all: ${needs.map((_, i) => id(i)).join(" ")}\n${rules.join("")}`;
}

export function ninjaFile({ needs }: Shape): string {
  const builds = needs.map((of, i) => `build ${id(i)}: t ${of.map(id).join(" ")}\n`);
  return `rule t\n  command = true\n${builds.join("")}`;
}
