/** The JSON schema of an option, as editors and the option tables read it. */
import { z } from 'zod';

export type Json = { readonly [key: string]: unknown };

/** Draft 7 is what the editors' YAML and JSON servers understand best. */
export function jsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' });
  return rest;
}
