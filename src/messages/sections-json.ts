import type { AmqpHeader, AmqpMap, AmqpMessage, AmqpValue } from '../streams/index.ts'
import { pointerTo } from '../text/json-pointer.ts'
import { MessageFormatError } from './format-error.ts'
import type { MessageHeaderJson } from './section-schemas.ts'
import { parseMap } from './value-from-json.ts'
import { mapJson } from './value-to-json.ts'

/** The fields of the header section as a JSON member after others, `,"header":{...}`; '' when it has none. */
export function headerJson (header: AmqpHeader | undefined): string {
  if (header === undefined) return ''
  const text = JSON.stringify(header)
  return text === '{}' ? '' : `,"header":${text}`
}

/** The header section that a JSON object stands for. Its shape has been checked; undefined when it has no field. */
export function parseHeader (json: MessageHeaderJson | undefined): AmqpHeader | undefined {
  return json === undefined || Object.keys(json).length === 0 ? undefined : json
}

/** Annotations or a footer as a JSON member after others; '' when there are none. */
export function annotationsJson (name: string, map: AmqpMap | undefined): string {
  return map === undefined || map.length === 0 ? '' : `,"${name}":${mapJson(map, 'symbol')}`
}

/** Application properties as a JSON member after others; '' when there are none. */
export function applicationPropertiesJson ({ applicationProperties: map }: AmqpMessage): string {
  return map === undefined || map.length === 0 ? '' : `,"applicationProperties":${mapJson(map, 'string')}`
}

/**
 * Annotations or a footer: a map whose keys are symbols, or ulongs, which AMQP reserves (3.2.10).
 *
 * @throws MessageFormatError
 */
export function parseAnnotations (json: unknown, pointer: string): AmqpMap | undefined {
  if (json === undefined) return undefined
  const map = parseMap(json, 'symbol', pointer, 1)
  for (const [key] of map) {
    if (key.type !== 'symbol' && key.type !== 'ulong') {
      throw new MessageFormatError(pointer, `must have symbols as keys, not a ${key.type}`)
    }
  }
  return map
}

/**
 * Application properties: a map from strings to simple values (AMQP 1.0, 3.2.5). A client that meets another value may
 * refuse everything that was stored in the same chunk, so such a value is refused here; reading shows it.
 *
 * @throws MessageFormatError
 */
export function parseApplicationProperties (json: unknown, pointer: string): AmqpMap | undefined {
  if (json === undefined) return undefined
  const map = parseMap(json, 'string', pointer, 1)
  for (const [key, value] of map) {
    if (key.type !== 'string') throw new MessageFormatError(pointer, `must have strings as keys, not a ${key.type}`)
    if (!isSimple(value)) {
      throw new MessageFormatError(
        pointerTo(pointer, key.value),
        `must be a simple value such as a string, a number or a boolean, not ${KINDS[value.type]}: AMQP allows no ` +
          'other value in application properties, and clients stop at it. The body may have such a value'
      )
    }
  }
  return map
}

const KINDS = {
  list: 'a list',
  map: 'a map',
  array: 'an array',
  described: 'a described value'
} as const

type CompoundValue = Extract<AmqpValue, { type: keyof typeof KINDS }>

function isSimple (value: AmqpValue): value is Exclude<AmqpValue, CompoundValue> {
  return !Object.hasOwn(KINDS, value.type)
}
