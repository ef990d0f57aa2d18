// A tree of strings in typed arrays: which tokens begin at a place of a text. Layer: tokenizer (pure).
// Edges are kept in one hash table, by node and UTF-16 unit.

/** Strings with numbers. */
export class StringTrie {
  #nodes = new Int32Array(1 << 12); // of a slot: the node that the edge leaves, -1 for none
  #edges = new Int32Array(1 << 12); // unit, and the node that it leads to, side by side with #targets
  #targets = new Int32Array(1 << 12);
  #values = new Int32Array(1 << 11).fill(-1); // by node
  #size = 1; // nodes, the root among them

  constructor() {
    this.#nodes.fill(-1);
  }

  add(text: string, value: number): void {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      let slot = this.#slot(node, unit);
      if (this.#nodes[slot]! < 0) {
        if (this.#size * 2 > this.#nodes.length) {
          this.#grow();
          slot = this.#slot(node, unit);
        }
        this.#nodes[slot] = node;
        this.#edges[slot] = unit;
        this.#targets[slot] = this.#size++;
        if (this.#size > this.#values.length) {
          const larger = new Int32Array(this.#values.length * 2).fill(-1);
          larger.set(this.#values);
          this.#values = larger;
        }
      }
      node = this.#targets[slot]!;
    }
    this.#values[node] = value;
  }

  /** Where an edge is, or would be. */
  #slot(node: number, unit: number): number {
    const nodes = this.#nodes, edges = this.#edges, mask = nodes.length - 1;
    const hash = Math.imul(node, 0x9e3779b1) ^ Math.imul(unit, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (nodes[slot]! >= 0 && (nodes[slot] !== node || edges[slot] !== unit)) slot = (slot + 1) & mask;
    return slot;
  }

  #grow(): void {
    const nodes = this.#nodes, edges = this.#edges, targets = this.#targets;
    this.#nodes = new Int32Array(nodes.length * 2).fill(-1);
    this.#edges = new Int32Array(nodes.length * 2);
    this.#targets = new Int32Array(nodes.length * 2);
    for (let i = 0; i < nodes.length; i++) {
      if (nodes[i]! < 0) continue;
      const slot = this.#slot(nodes[i]!, edges[i]!);
      this.#nodes[slot] = nodes[i]!;
      this.#edges[slot] = edges[i]!;
      this.#targets[slot] = targets[i]!;
    }
  }

  /** The node behind an edge, from the root (0) on; -1 if there is none. */
  next(node: number, unit: number): number {
    const slot = this.#slot(node, unit);
    return this.#nodes[slot]! < 0 ? -1 : this.#targets[slot]!;
  }

  /** The number of the string that ends at a node; -1 if none does. */
  valueAt(node: number): number {
    return this.#values[node]!;
  }
}
