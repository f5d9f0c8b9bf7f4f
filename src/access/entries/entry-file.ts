import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { JsonFault } from '../../text/json-fault.ts'
import { JsonScanner } from '../../text/json-scanner.ts'
import { parseRfc3339 } from '../../text/rfc3339.ts'
import { TextFault } from '../../text/text-fault.ts'
import { placeOf } from '../../text/text-place.ts'
import { parseJsonObject } from '../json-object.ts'
import { parseScope } from '../scopes.ts'
import { Wildcard } from '../wildcard.ts'
import { ENTRY_FIELDS, type Entry } from './entry.ts'

/**
 * What is wrong with a file of callers, and where. The message is the rest of a sentence that begins with the file's
 * name. It shows nothing that stands in the file: a hash is there, and what was put there by mistake.
 */
export class EntryFileError extends Error {
  override readonly name = 'EntryFileError'
}

/** How a file has what an entry is found by. */
export interface EntryFileForm<E extends Entry> {
  /** The name of the list in the file. */
  readonly list: string
  /** The one field that an entry has beside those of `Entry`. No two entries may have the same. */
  readonly field: Exclude<keyof E & string, keyof Entry>
  readonly schema: object
}

/** Reads files of callers of one form. */
export class EntryFile<E extends Entry> {
  readonly #form: EntryFileForm<E>
  #validate: ValidateFunction<Record<string, E[]>> | undefined

  constructor (form: EntryFileForm<E>) {
    this.#form = form
  }

  /** @throws EntryFileError */
  parse (text: string): readonly E[] {
    const { list, field } = this.#form
    // Compiled when it is first needed: most gateways have no such file.
    const validate = this.#validate ??= new Ajv({ verbose: true }).compile<Record<string, E[]>>(schemaOf(this.#form))
    const value = parseText(text.replace(/^\ufeff/, ''))
    if (!validate(value)) throw new EntryFileError(describe(validate.errors?.[0]))
    const entries = value[list] ?? []
    for (const [index, entry] of entries.entries()) checkEntry(entry, `/${list}/${index}`)
    refuseDoubles(entries, list, 'id')
    refuseDoubles(entries, list, field)
    return entries
  }
}

function schemaOf<E extends Entry> ({ list, field, schema }: EntryFileForm<E>): object {
  const entry = {
    type: 'object',
    required: ['id', 'name', field, 'scopes'],
    additionalProperties: false,
    properties: { ...ENTRY_FIELDS, [field]: schema }
  }
  return {
    type: 'object',
    required: [list],
    additionalProperties: false,
    properties: { [list]: { type: 'array', items: entry } }
  }
}

// Of two members with one name the last would count: an "expires" or a "disabled" could be without effect.
function parseText (text: string): unknown {
  try {
    return parseJsonObject(Buffer.from(text))
  } catch (error) {
    if (!(error instanceof TextFault || error instanceof JsonFault || error instanceof RangeError)) throw error
    throw new EntryFileError(placeOfFault(text) ?? error.message)
  }
}

/** Where a text is not JSON. Without the words of the fault: they show what stands there. */
function placeOfFault (text: string): string | undefined {
  const bytes = Buffer.from(text)
  try {
    const scanner = new JsonScanner(bytes)
    scanner.passValue(Infinity)
    if (scanner.next() >= 0) throw scanner.unexpected('the end')
    return undefined
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    const { line, column } = placeOf(bytes, error.at)
    return `is not valid JSON at line ${line}, column ${column}`
  }
}

// Short enough to be the name of a field, and no hash or key.
const FIELD_NAME = /^[A-Za-z_]\w{0,31}$/

function describe (error: ErrorObject | undefined): string {
  if (error === undefined) return 'is not as it should be'
  const { instancePath, keyword, message = 'is not as it should be', params, parentSchema } = error
  const at = instancePath === '' ? '' : `${instancePath} `
  switch (keyword) {
    case 'additionalProperties': {
      const field = String(params.additionalProperty)
      return `${at}has an unknown field${FIELD_NAME.test(field) ? ` "${field}"` : ''}`
    }
    case 'required':
      return `${at}has no "${String(params.missingProperty)}"`
    case 'pattern':
      return `${at}must be ${String(parentSchema?.description)}`
    default:
      return `${at}${message}`
  }
}

function checkEntry ({ scopes, consumers = [], publishers = [], notBefore, expires }: Entry, at: string): void {
  for (const [index, scope] of scopes.entries()) {
    if (parseScope(scope) !== undefined) continue
    throw new EntryFileError(`${at}/scopes/${index} is not a scope such as read:*/orders*`)
  }
  for (const [field, patterns] of Object.entries({ consumers, publishers })) {
    for (const [index, pattern] of patterns.entries()) {
      if (!isPattern(pattern)) throw new EntryFileError(`${at}/${field}/${index} has a % that begins no character`)
    }
  }
  const fromMs = timeOf(notBefore, `${at}/notBefore`)
  const toMs = timeOf(expires, `${at}/expires`)
  if (fromMs !== undefined && toMs !== undefined && toMs <= fromMs) {
    throw new EntryFileError(`${at}/expires is not after notBefore`)
  }
}

function isPattern (text: string): boolean {
  try {
    return new Wildcard(text) instanceof Wildcard
  } catch {
    return false
  }
}

function timeOf (text: string | undefined, at: string): number | undefined {
  if (text === undefined) return undefined
  const ms = parseRfc3339(text)
  if (ms === undefined) throw new EntryFileError(`${at} is not a time such as 2027-11-01T00:00:00Z`)
  return ms
}

function refuseDoubles<E extends Entry> (entries: readonly E[], list: string, field: keyof E & string): void {
  const firsts = new Map<unknown, number>()
  for (const [index, { [field]: value }] of entries.entries()) {
    const first = firsts.get(value)
    if (first !== undefined) throw new EntryFileError(`/${list}/${index}/${field} is that of /${list}/${first} too`)
    firsts.set(value, index)
  }
}
