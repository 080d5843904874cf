import { z } from 'zod';
import { shapeOf, unwrap } from './nearest';
import { schema } from './schema';

/** JSON Schema of the file as it is written, for editors. */
export function jsonSchema(): object {
  return {
    ...z.toJSONSchema(schema, { io: 'input', target: 'draft-7' }),
    title: 'botctl.yaml',
  };
}

/** Every key in one table per section, as Markdown. */
export function reference(): string {
  const sections: string[] = [];
  const visit = (type: z.ZodType, path: string): void => {
    const rows: string[] = [];
    const nested: [z.ZodType, string][] = [];
    for (const [key, child] of Object.entries(shapeOf(type) ?? {})) {
      const name = path === '' ? key : `${path}.${key}`;
      const items = itemsOf(child);
      if (items !== null) nested.push([items, `${name}[]`]);
      if (shapeOf(child) !== null) nested.push([child, name]);
      else rows.push(`| \`${name}\` | ${kind(child)} | ${fallback(child)} | ${escape(child.description ?? '')} |`);
    }
    if (rows.length > 0) {
      const title = path === '' ? 'Top level' : `\`${path}\``;
      const about = path === '' ? '' : `${type.description ?? ''}\n\n`;
      sections.push(
        `## ${title}\n\n${about}| key | value | default | |\n| --- | --- | --- | --- |\n${rows.join('\n')}`,
      );
    }
    for (const [child, name] of nested) visit(child, name);
  };
  visit(schema, '');
  return [
    '# Config reference',
    '',
    'Made from the schema by `npm run generate`. Every key is optional; a bot file and a token are enough.',
    '',
    '`${NAME}` takes a value from the environment, `${NAME:-default}` has a default, and `$${` stands for a literal `${`.',
    'When `NAME` is not set but `NAME_FILE` is, the content of that file is taken: the way for secrets.',
    '',
    sections.join('\n\n'),
    '',
  ].join('\n');
}

/** The mappings of which a list consists, else null. */
function itemsOf(type: z.ZodType): z.ZodType | null {
  const { def } = unwrap(type) as unknown as { def: { type: string; element?: z.ZodType } };
  return def.element !== undefined && shapeOf(def.element) !== null ? def.element : null;
}

function kind(type: z.ZodType): string {
  if (itemsOf(type) !== null) return 'list of mappings';
  const described = z.toJSONSchema(unwrap(type), { io: 'input', unrepresentable: 'any' }) as Described;
  return escape(describe(described));
}

interface Described {
  type?: string | string[];
  title?: string;
  enum?: unknown[];
  const?: string | number | boolean;
  anyOf?: Described[];
  items?: Described;
  minimum?: number;
  maximum?: number;
}

function describe(value: Described): string {
  if (value.title !== undefined) return value.title;
  if (value.const !== undefined) return String(value.const);
  if (value.enum !== undefined) return value.enum.join(', ');
  const variants = value.anyOf ?? (Array.isArray(value.type) ? value.type.map((type) => ({ type })) : null);
  if (variants !== null) {
    const kinds = variants.map(describe);
    return kinds.join(' or ');
  }
  switch (value.type) {
    case 'integer':
    case 'number': {
      const { minimum, maximum } = value;
      const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
      return bounded ? `${minimum ?? 0} to ${maximum}` : 'number';
    }
    case 'string':
      return 'text';
    case 'boolean':
      return 'true, false';
    case 'array':
      return `list of ${describe(value.items ?? {})}`;
    case 'object':
      return 'names and values';
    default:
      return '';
  }
}

function fallback(type: z.ZodType): string {
  const { def } = type as unknown as { def: { type: string; defaultValue?: unknown } };
  if (def.type !== 'prefault' && def.type !== 'default') return '';
  const value = def.defaultValue;
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function escape(text: string): string {
  return text.replaceAll('|', '\\|');
}
