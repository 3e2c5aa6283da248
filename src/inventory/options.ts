/** The options of inventories: where targets are listed that do not stand in the configuration itself. */
import { z } from 'zod';
import { duration } from '../collector.ts';
import { sshShape } from '../hosts/ssh-options.ts';
import { nameFault } from './entry.ts';
import { inventoryFormats } from './parse.ts';

const path = z.string().regex(/^\/[^\0]*$/, 'expected an absolute path');
const group = z.string().superRefine((name, context) => {
  const fault = nameFault(name);
  if (fault !== undefined) context.addIssue({ code: 'custom', message: fault });
});

/** What an inventory may say of all of its hosts: each of them has its own address, and groups are an option beside. */
const { host: _, groups: __, ...shared } = sshShape;

/** The same options, none of them with a default: what is not given is left to the host, or to `sshShape`. */
type Given<Shape> = {
  [Key in keyof Shape]: z.ZodOptional<
    Shape[Key] extends z.ZodDefault<infer Inner extends z.ZodType> ? Inner : Extract<Shape[Key], z.ZodType>
  >;
};

function given<Shape extends z.core.$ZodLooseShape>(shape: Shape): Given<Shape> {
  const entries = Object.entries(shape).map(([name, schema]) => {
    const inner = schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : (schema as z.ZodType);
    const description = (schema as z.ZodType).description;
    return [name, description === undefined ? inner.optional() : inner.optional().describe(description)];
  });
  return Object.fromEntries(entries) as Given<Shape>;
}

export const inventoryShape = {
  file: path.optional().describe('The file that lists targets.'),
  command: z
    .array(z.string().regex(/^[^\0]+$/, 'expected a word'))
    .min(1)
    .optional()
    .describe('A program that prints it, word by word and without a shell. Either this or file.'),
  timeout: duration(100, 300_000).prefault('30s').describe('When the program is ended.'),
  format: z
    .enum(inventoryFormats)
    .default('auto')
    .describe('ansible (JSON, YAML), map (our own, JSON or YAML), lines (also INI of Ansible); auto finds out.'),
  defaults: z.strictObject(given(shared)).prefault({}).describe('Options of a target, where the inventory gives none.'),
  override: z.strictObject(given(shared)).prefault({}).describe('Options of a target, whatever the inventory gives.'),
  groups: z.array(group).default([]).describe('Groups that all of its hosts are in, beside those of the inventory.'),
};

export const inventorySource = z.strictObject(inventoryShape).superRefine((value, context) => {
  if ((value.file === undefined) === (value.command === undefined)) {
    context.addIssue({ code: 'custom', message: 'expected exactly one of "file" and "command"' });
  }
});

export const inventoryOptions = z.array(inventorySource).default([]).describe('Where more SSH targets are listed.');

export type InventorySource = z.infer<typeof inventorySource>;
export type InventoryOptions = z.infer<typeof inventoryOptions>;
