export { AmqpDecodeError, AmqpTooLargeError } from './decode-error.ts'
export { MAX_DEPTH } from './codes.ts'
export { dataBodyOf, decodeMessage, loneDataStart } from './decode.ts'
export { longValueOf } from './long-value.ts'
export type { LongValue } from './long-value.ts'
export { dataSectionHeaderLength, encodedLength, encodeMessage, writeDataSectionHeader } from './encode.ts'
export { PROPERTY_INDEX, testText, textOf } from './section-text.ts'
export type { TextField, TextTest } from './section-text.ts'
export { arrayFault } from './value-writer.ts'
export type { AmqpValue } from './value.ts'
export type {
  AmqpBody, AmqpHeader, AmqpMap, AmqpMessage, AmqpProperties, OutgoingMessage, TypedBody
} from './message.ts'
