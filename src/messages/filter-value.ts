import { FILTER_VALUE_ANNOTATION, sectionsOf, type AmqpMap, type OutgoingMessage } from '../streams/index.ts'
import { pointerTo } from '../text/json-pointer.ts'
import { MessageFormatError } from './format-error.ts'
import { expectUnicode } from './json-parts.ts'

/** Most bytes of a filter value. */
export const MAX_FILTER_VALUE_BYTES = 255

const BOUNDS = `must have 1 to ${MAX_FILTER_VALUE_BYTES} bytes of UTF-8`

/**
 * What the broker notes of a message for its chunk, so that readers of other values need not be sent the chunk. The
 * broker does not keep it with the message: it is written as an annotation too, as AMQP clients do.
 */
export class FilterValue {
  readonly bytes: Buffer
  readonly #text: string
  #annotation: AmqpMap | undefined
  readonly #sections = new Map<string | undefined, Buffer>()

  /** @throws MessageFormatError at `pointer` */
  constructor (text: string, pointer: string) {
    this.#text = expectUnicode(text, pointer)
    this.bytes = Buffer.from(text)
    if (this.bytes.length === 0 || this.bytes.length > MAX_FILTER_VALUE_BYTES) {
      throw new MessageFormatError(pointer, BOUNDS)
    }
  }

  /** The message with the annotation. */
  addedTo (message: OutgoingMessage): OutgoingMessage {
    const { messageAnnotations = [] } = message
    if (annotated(messageAnnotations) !== undefined) return message
    this.#annotation ??= [[{ type: 'symbol', value: FILTER_VALUE_ANNOTATION }, { type: 'string', value: this.#text }]]
    return { ...message, messageAnnotations: [...messageAnnotations, ...this.#annotation] }
  }

  /** The sections before the body of a message that has nothing else, apart from a content type. */
  sections (contentType?: string): Buffer {
    let sections = this.#sections.get(contentType)
    if (sections === undefined) {
      const { messageAnnotations } = this.addedTo({ body: NOTHING })
      sections = sectionsOf({ messageAnnotations, properties: { contentType } })
      this.#sections.set(contentType, sections)
    }
    return sections
  }
}

const NOTHING = Buffer.alloc(0)

/**
 * The filter value that a JSON message has itself: `filterValue`, or the annotation, which a message that was read has.
 *
 * @param pointer of the message
 * @throws MessageFormatError
 */
export function ownFilterValue (
  text: string | undefined, annotations: AmqpMap | undefined, pointer: string
): FilterValue | undefined {
  const annotation = annotations === undefined ? undefined : annotated(annotations)
  if (annotation === undefined) {
    return text === undefined ? undefined : new FilterValue(text, `${pointer}/filterValue`)
  }
  const annotationPointer = pointerTo(`${pointer}/messageAnnotations`, FILTER_VALUE_ANNOTATION)
  if (annotation.type !== 'string') throw new MessageFormatError(annotationPointer, 'must be a string')
  if (text !== undefined && text !== annotation.value) {
    throw new MessageFormatError(annotationPointer, 'must be the same as filterValue')
  }
  return new FilterValue(annotation.value, annotationPointer)
}

function annotated (annotations: AmqpMap) {
  return annotations.find(([key]) => key.type === 'symbol' && key.value === FILTER_VALUE_ANNOTATION)?.[1]
}
