import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
  type Pair,
} from 'yaml';
import type { Problem } from './problem';

export type Path = readonly (string | number)[];

/** An alias may not blow a small file up to a large one. */
const MAX_ALIASES = 100;

/** An alias that leads nowhere, or too far. */
export class AliasError extends Error {
  override readonly name = 'AliasError';
  constructor(
    readonly path: Path,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** A YAML or JSON file that knows where each of its values stands. */
export class ConfigDocument {
  constructor(
    readonly file: string,
    private readonly document: Document,
    private readonly lines: LineCounter,
    /** Where the config begins: [] for a file of its own, ['botctl'] in package.json. */
    private readonly root: Path,
  ) {}

  /** Where the value of a key stands; of a key that is missing, where its nearest parent stands. */
  position(path: Path): { line: number; column: number } {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#pairKey(path.slice(0, length)) ?? this.#node(path.slice(0, length));
      const start = node?.range?.[0];
      if (start !== undefined) return this.#at(start);
    }
    return { line: 1, column: 1 };
  }

  has(path: Path): boolean {
    return this.#node(path) !== undefined;
  }

  /** A scalar as it is written, or undefined; the other values may be broken. */
  valueAt(path: Path): unknown {
    const found = this.#node(path);
    const node = isAlias(found) ? found.resolve(this.document) : found;
    return isScalar(node) ? node.value : undefined;
  }

  /** Plain values, each string passed through `replace` with its path. */
  toValue(replace: (text: string, path: Path) => unknown): unknown {
    const node = this.#node([]);
    return node === undefined ? undefined : this.#plain(node, [], replace, { aliases: 0 });
  }

  #plain(
    node: unknown,
    path: Path,
    replace: (text: string, path: Path) => unknown,
    seen: { aliases: number },
  ): unknown {
    if (isAlias(node)) {
      const target = node.resolve(this.document);
      if (target === undefined) throw new AliasError(path, `there is no anchor &${node.source}`, 'Define it above');
      if (++seen.aliases > MAX_ALIASES) {
        throw new AliasError(path, `more than ${MAX_ALIASES} aliases`, 'Write the values out, or use fewer of them');
      }
      return this.#plain(target, path, replace, seen);
    }
    if (isMap(node)) {
      return Object.fromEntries(
        node.items.map((pair) => {
          const key = keyOf(pair);
          return [key, this.#plain(pair.value, [...path, key], replace, seen)];
        }),
      );
    }
    if (isSeq(node)) return node.items.map((item, index) => this.#plain(item, [...path, index], replace, seen));
    if (isScalar(node)) return typeof node.value === 'string' ? replace(node.value, path) : node.value;
    return undefined;
  }

  #node(path: Path): Node | undefined {
    const node: unknown = this.document.getIn([...this.root, ...path], true);
    return isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? node : undefined;
  }

  /** The key itself, not its value: that is where a reader looks. */
  #pairKey(path: Path): Node | undefined {
    const last = path.at(-1);
    if (typeof last !== 'string') return undefined;
    const parent = this.#node(path.slice(0, -1));
    const pair = isMap(parent) ? parent.items.find((item) => keyOf(item) === last) : undefined;
    return isScalar(pair?.key) ? pair.key : undefined;
  }

  #at(offset: number): { line: number; column: number } {
    const { line, col } = this.lines.linePos(offset);
    return { line, column: col };
  }
}

/** Reads the text of a config file. What is no YAML comes back as problems. */
export function parseDocument(file: string, text: string, root: Path): ConfigDocument | Problem[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const problem = (line: number, column: number, message: string, hint: string | null): Problem[] => [
    { file, line, column, key: '', message, hint },
  ];
  if (!Array.isArray(documents) || documents.length === 0) {
    return problem(1, 1, 'the file is empty', 'Write at least bot.entry; `botctl init` makes a config for you');
  }
  const [document, second] = documents as Document[];
  if (document === undefined) return problem(1, 1, 'the file is empty', null);
  const errors = documents.flatMap(({ errors: found }) => found);
  if (errors.length > 0) {
    return errors.map(({ pos, message, code }) => {
      const { line, col } = lines.linePos(pos[0]);
      return { file, line, column: col, key: '', message: syntaxMessage(message), hint: syntaxHint(code) };
    });
  }
  if (second !== undefined) {
    const { line } = lines.linePos(second.range?.[0] ?? 0);
    return problem(line, 1, 'a second document begins here; one file holds one config', 'Remove what follows `---`');
  }
  const config = document.getIn([...root], true);
  if (!isMap(config)) {
    const empty = config === null || config === undefined || (isScalar(config) && config.value === null);
    return empty
      ? problem(1, 1, 'the file is empty', 'Write at least bot.entry; `botctl init` makes a config for you')
      : problem(1, 1, 'expected keys and values, such as `bot:`', 'See `botctl config schema` and REFERENCE.md');
  }
  return new ConfigDocument(file, document, lines, root);
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key);
}

function syntaxMessage(message: string): string {
  return `not valid YAML: ${message.split('\n', 1)[0] ?? message}`;
}

function syntaxHint(code: string): string | null {
  if (code === 'DUPLICATE_KEY') return 'Keep one of the two';
  if (code === 'TAB_AS_INDENT') return 'Indent with spaces';
  return null;
}
