import type { Shape } from "./graphs.ts";

/*
 * Graphs of the shape and size that workflows of science have, after the published descriptions of these four, which
 * many papers on workflow systems measure with. Every step is trivial: what counts is what depends on what.
 */

class Graph {
  readonly needs: number[][] = [];

  add(needs: readonly number[] = []): number {
    return this.needs.push([...needs]) - 1;
  }

  /** One step for each of `over`, which needs that. */
  each(over: readonly number[], more: readonly number[] = []): number[] {
    return over.map((need) => this.add([need, ...more]));
  }

  times(count: number, needs: readonly number[] = []): number[] {
    return Array.from({ length: count }, () => this.add(needs));
  }

  shape(name: string): Shape {
    return { name: `${name}, ${this.needs.length} steps, two at once`, atOnce: 2, needs: this.needs };
  }
}

/** Lanes of a sequencer: each is split, its chunks go through four steps and are merged; then all are. */
export function epigenomics(lanes = 4, chunks = 14): Shape {
  const graph = new Graph();
  const merged = Array.from({ length: lanes }, () => {
    const split = graph.add();
    const filtered = graph.times(chunks, [split]);
    return graph.add(graph.each(graph.each(graph.each(filtered))));
  });
  const index = graph.add([graph.add(merged)]);
  graph.add([index]);
  return graph.shape("epigenomics");
}

/** One split, a wide layer, and two steps that gather it. */
export function blast(width = 400): Shape {
  const graph = new Graph();
  const found = graph.times(width, [graph.add()]);
  graph.add(found);
  graph.add(found);
  return graph.shape("blast");
}

/** Per chromosome many parts are merged and sifted; then each population looks at each chromosome twice. */
export function genomes(chromosomes = 22, parts = 25, populations = 7): Shape {
  const graph = new Graph();
  for (let i = 0; i < chromosomes; i += 1) {
    const merged = graph.add(graph.times(parts));
    const sifted = graph.add();
    for (let population = 0; population < populations; population += 1) {
      graph.add([merged, sifted]);
      graph.add([merged, sifted]);
    }
  }
  return graph.shape("1000 genomes");
}

/** Images of the sky: each is projected, each two neighbours are compared, all are fitted, corrected and put together. */
export function montage(images = 310): Shape {
  const graph = new Graph();
  const projected = graph.times(images);
  // Each overlaps with the next three of its row and column.
  const pairs = projected.flatMap((image, i) =>
    [1, 2, 18].flatMap((step) => {
      const other = projected[i + step];
      return other === undefined ? [] : [graph.add([image, other])];
    }),
  );
  const model = graph.add([graph.add(pairs)]);
  const corrected = graph.each(projected, [model]);
  const table = graph.add(corrected);
  graph.add([graph.add([graph.add([table, ...corrected])])]);
  return graph.shape("montage");
}
