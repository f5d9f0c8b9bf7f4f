import { Type, type TSchema } from '@fastify/type-provider-typebox'
import type { FieldError } from '../../api/field-error.ts'
import { invalidRequest } from '../../api/problems.ts'
import { ReadFilter, type Condition, type Search, type TextPattern } from '../../streams/index.ts'

const MAX_TEXTS = 16
const MAX_FILTER_VALUE_BYTES = 255
const APPLICATION_PROPERTY = 'match.applicationProperties.'

// Without an example: Swagger UI would send it, and a read that is tried there would find nothing.
const texts = (description: string) => Type.Optional(
  Type.Array(Type.String(), { minItems: 1, maxItems: MAX_TEXTS, description })
)

/** Which messages to return. */
export const filterQuery = {
  filterValue: texts(
    'Only messages that were published with this filter value, or with one of these: 1 to 255 bytes of UTF-8. The ' +
    'broker leaves out chunks that have none of them. Messages without the annotation `x-stream-filter-value` in the ' +
    'other chunks are returned too, since they may have any filter value.'
  ),
  matchUnfiltered: Type.Boolean({
    default: false,
    description: 'With `filterValue`: also messages that were published without a filter value.'
  }),
  'match.subject': texts(
    'Only messages with this subject, such as `order.*`, or with one of these. `abc*` and `*abc` stand for any text ' +
    'that begins or ends so; a `*` itself is written `\\*` and a backslash `\\\\`. ' +
    '`match.applicationProperties.{name}` takes the same for an application property.'
  ),
  'match.messageId': texts(
    'Only messages with this message id, or with one of these, written as for `match.subject`.'
  )
}

/** For the schema of a query that has `filterQuery`: a property for each name of an application property. */
export const FILTER_PATTERNS: { readonly patternProperties: Readonly<Record<string, TSchema>> } = {
  patternProperties: {
    '^match[.]applicationProperties[.].': Type.Array(Type.String(), { minItems: 1, maxItems: MAX_TEXTS })
  }
}

interface FilterQuery {
  readonly filterValue?: readonly string[]
  readonly matchUnfiltered: boolean
  readonly 'match.subject'?: readonly string[]
  readonly 'match.messageId'?: readonly string[]
}

/**
 * What a query asks for; undefined when it asks for all messages.
 *
 * @param turn settles when heavy work may continue
 * @throws RequestError
 */
export function searchOf (query: FilterQuery, turn: () => Promise<void>): Search | undefined {
  const { filterValue: values = [], matchUnfiltered } = query
  const errors: FieldError[] = []
  const conditions = conditionsOf(query, errors)
  for (const value of values) {
    const bytes = Buffer.byteLength(value)
    if (bytes === 0 || bytes > MAX_FILTER_VALUE_BYTES) {
      errors.push({ pointer: '/query/filterValue', message: 'must have 1 to 255 bytes of UTF-8' })
    }
  }
  if (matchUnfiltered && values.length === 0) {
    errors.push({ pointer: '/query/matchUnfiltered', message: 'needs filterValue' })
  }
  if (conditions.length > MAX_TEXTS) {
    errors.push({ pointer: '/query', message: `must not have more than ${MAX_TEXTS} conditions` })
  }
  if (errors.length > 0) throw invalidRequest(errors)
  if (values.length === 0 && conditions.length === 0) return undefined
  return { filter: new ReadFilter({ values, matchUnfiltered, conditions }), turn }
}

function conditionsOf (query: FilterQuery, errors: FieldError[]): Condition[] {
  const conditions: Condition[] = []
  for (const [name, given] of Object.entries(query)) {
    const field = fieldOf(name)
    if (field === undefined || !Array.isArray(given)) continue
    const anyOf = given.map((text) => parsePattern(String(text))).filter((pattern) => pattern !== undefined)
    if (anyOf.length < given.length) {
      errors.push({
        pointer: `/query/${name}`,
        message: 'must have * at its beginning or at its end only; a * itself is written \\*, a backslash \\\\'
      })
    }
    conditions.push({ field, anyOf })
  }
  return conditions
}

function fieldOf (name: string): Condition['field'] | undefined {
  if (name === 'match.subject') return 'subject'
  if (name === 'match.messageId') return 'messageId'
  if (!name.startsWith(APPLICATION_PROPERTY)) return undefined
  return { applicationProperty: name.slice(APPLICATION_PROPERTY.length) }
}

// A text in which only the first or the last character may be a * that is not escaped.
const PATTERN = /^(\*?)((?:[^*\\]|\\[*\\])*)(\*?)$/

/** What a text of a query is compared by; undefined when it has a * elsewhere, or a backslash before nothing. */
export function parsePattern (text: string): TextPattern | undefined {
  const [, before, middle, after] = PATTERN.exec(text) ?? []
  if (middle === undefined || (before !== '' && after !== '')) return undefined
  return {
    kind: before !== '' ? 'suffix' : after !== '' ? 'prefix' : 'exact',
    text: middle.replace(/\\(.)/g, '$1')
  }
}
