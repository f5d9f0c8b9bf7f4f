import { PROPERTY_INDEX, testText, type TextField, type TextTest } from '../amqp/index.ts'
import { FILTER_VALUE_ANNOTATION } from '../filter-value.ts'

/** A text, or the beginning or the end of one. */
export interface TextPattern {
  readonly kind: 'exact' | 'prefix' | 'suffix'
  readonly text: string
}

/** What a message has to have, with any of these texts. */
export interface Condition {
  readonly field: 'subject' | 'messageId' | { readonly applicationProperty: string }
  readonly anyOf: readonly TextPattern[]
}

export interface FilterOptions {
  /** Filter values, any of which a message has to have; none: all messages. */
  readonly values: readonly string[]
  /** With values: also messages without a filter value. */
  readonly matchUnfiltered: boolean
  /** All of which a message has to meet. */
  readonly conditions: readonly Condition[]
}

interface Test { readonly field: TextField, readonly test: TextTest, readonly ifAbsent: boolean }

const ANNOTATION: TextField = { in: 'messageAnnotations', key: Buffer.from(FILTER_VALUE_ANNOTATION) }

/** What the broker is told of a filter. */
export type BrokerFilter = Pick<ReadFilter, 'key' | 'properties'>

/** For readers of all chunks. */
export const UNFILTERED: BrokerFilter = { key: '', properties: new Map() }

/**
 * Which messages a reader wants. The broker leaves out chunks that have none of the filter values; which messages of a
 * chunk match is found here. Nothing of a message is decoded but what is compared.
 */
export class ReadFilter {
  /**
   * What the broker is told with a subscription; empty when there is no filter value. It is the same for filters with
   * the same values in another order.
   */
  readonly properties: ReadonlyMap<string, string>
  /** The same as one text, to find readers by: '' when there is no filter value. */
  readonly key: string
  readonly #conditions: readonly Condition[]
  readonly #tests: readonly Test[]

  constructor ({ values, matchUnfiltered, conditions }: FilterOptions) {
    const distinct = [...new Set(values)].sort()
    const properties: Array<[string, string]> = distinct.map((value, index) => [`filter.${index}`, value])
    if (properties.length > 0) properties.push(['match-unfiltered', String(matchUnfiltered)])
    this.properties = new Map(properties)
    this.key = properties.length === 0 ? '' : JSON.stringify(properties)
    this.#conditions = conditions
    this.#tests = [
      ...(distinct.length === 0 ? [] : [annotationTest(distinct)]),
      ...conditions.map(({ field, anyOf }) => ({ field: fieldOf(field), test: anyTest(anyOf), ifAbsent: false }))
    ]
  }

  /** The same text for filters that are the same, in whatever order their parts are. */
  get identity (): string {
    return [this.key, ...this.#conditions.map(conditionKey).sort()].join('\n')
  }

  /** Whether it matches the message of these bytes. One that is not AMQP has nothing that a condition could meet. */
  matches (data: Buffer, start: number, end: number): boolean {
    for (const { field, test, ifAbsent } of this.#tests) {
      if (!(testText(data, start, end, field, test) ?? ifAbsent)) return false
    }
    return true
  }
}

function conditionKey ({ field, anyOf }: Condition): string {
  return JSON.stringify([field, [...new Set(anyOf.map(({ kind, text }) => `${kind} ${text}`))].sort()])
}

// Not every client writes the annotation, and the broker keeps no filter value with its message. So a message without
// one may have any: it is not left out.
function annotationTest (values: readonly string[]): Test {
  return { field: ANNOTATION, test: anyTest(values.map((text) => ({ kind: 'exact', text }))), ifAbsent: true }
}

function fieldOf (field: Condition['field']): TextField {
  return typeof field === 'string'
    ? { in: 'properties', index: PROPERTY_INDEX[field] }
    : { in: 'applicationProperties', key: Buffer.from(field.applicationProperty) }
}

function anyTest (patterns: readonly TextPattern[]): TextTest {
  const tests = patterns.map(testOf)
  const [only] = tests
  return only !== undefined && tests.length === 1
    ? only
    : (bytes, start, end) => tests.some((test) => test(bytes, start, end))
}

function testOf ({ kind, text }: TextPattern): TextTest {
  const wanted = Buffer.from(text)
  const { length } = wanted
  switch (kind) {
    case 'exact': return (bytes, start, end) => end - start === length && isAt(bytes, start, wanted)
    case 'prefix': return (bytes, start, end) => end - start >= length && isAt(bytes, start, wanted)
    case 'suffix': return (bytes, start, end) => end - start >= length && isAt(bytes, end - length, wanted)
  }
}

// For short texts a loop takes less than a call of the runtime.
function isAt (bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let index = 0; index < wanted.length; index++) if (bytes[at + index] !== wanted[index]) return false
  return true
}
