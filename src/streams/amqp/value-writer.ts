import { CODE, MAX_REPEATED_DESCRIPTOR_BYTES, MAX_ZERO_WIDTH_ELEMENTS } from './codes.ts'
import type { AmqpMap } from './message.ts'
import { elementCode, scalarCode, scalarLength, writeScalar } from './scalars.ts'
import type { AmqpValue } from './value.ts'

// A compound value needs its size before it is written, so the length of a value is counted once for each level above
// it. Values in messages are hardly nested, and never deeper than MAX_DEPTH, so sizes are not kept between the passes.

type Compound = Extract<AmqpValue, { type: 'list' | 'array' | 'map' }>

/** The size of the smallest encoding. */
export function valueLength (value: AmqpValue): number {
  switch (value.type) {
    case 'list':
      return value.value.length === 0 ? 1 : 1 + compoundLength(contentLength(value), value.value.length)
    case 'map': return mapLength(value.value)
    case 'array': return 1 + compoundLength(contentLength(value), value.value.length)
    case 'described': return 1 + valueLength(value.descriptor) + valueLength(value.value)
    default: {
      const code = scalarCode(value)
      return 1 + scalarLength(code, value)
    }
  }
}

/** Writes the smallest encoding. Returns the new position. */
export function writeValue (value: AmqpValue, target: Buffer, at: number): number {
  switch (value.type) {
    case 'list':
      if (value.value.length === 0) return target.writeUInt8(CODE.list0, at)
      return writeCompound(CODE.list8, value, target, at)
    case 'map': return writeCompound(CODE.map8, value, target, at)
    case 'array': return writeCompound(CODE.array8, value, target, at)
    case 'described':
      target[at] = CODE.described
      return writeValue(value.value, target, writeValue(value.descriptor, target, at + 1))
    default: {
      const code = scalarCode(value)
      target[at] = code
      return writeScalar(code, value, target, at + 1)
    }
  }
}

export function mapLength (entries: AmqpMap): number {
  return 1 + compoundLength(mapContentLength(entries), entries.length * 2)
}

/**
 * Why the values cannot be written as one array; undefined when they can. The elements of an array have one type and,
 * if they are described, one descriptor. The decoder's limits on elements that cost nothing hold here too.
 */
export function arrayFault (values: readonly AmqpValue[]): string | undefined {
  let elements = values
  let descriptorBytes = 0
  for (let first = elements[0]; first?.type === 'described'; first = elements[0]) {
    const descriptor = encoded(first.descriptor)
    const inner: AmqpValue[] = []
    for (const element of elements) {
      if (element.type !== 'described' || !encoded(element.descriptor).equals(descriptor)) {
        return 'the elements of an array must have the same descriptor'
      }
      inner.push(element.value)
    }
    descriptorBytes += 1 + descriptor.length
    elements = inner
  }
  const type = elements[0]?.type
  if (elements.some((element) => element.type !== type)) return 'the elements of an array must have the same type'
  if (type === 'null' && elements.length > MAX_ZERO_WIDTH_ELEMENTS) {
    return `an array may hold at most ${MAX_ZERO_WIDTH_ELEMENTS} nulls`
  }
  if (descriptorBytes * (elements.length - 1) > MAX_REPEATED_DESCRIPTOR_BYTES) {
    return 'too many elements with a long descriptor'
  }
  return undefined
}

function encoded (value: AmqpValue): Buffer {
  const target = Buffer.allocUnsafe(valueLength(value))
  writeValue(value, target, 0)
  return target
}

/** Whether size and count fit into one byte each. The size includes the count. */
function isSmall (content: number, count: number): boolean {
  return content < 0xff && count <= 0xff
}

function compoundLength (content: number, count: number): number {
  return content + (isSmall(content, count) ? 2 : 8)
}

function writeCompound (smallCode: number, value: Compound, target: Buffer, at: number): number {
  const content = contentLength(value)
  const small = isSmall(content, elementCount(value))
  // The code of the wide form is 0x10 higher.
  target[at] = small ? smallCode : smallCode + 0x10
  return writeCompoundBody(value, content, small, target, at + 1)
}

function writeCompoundBody (value: Compound, content: number, small: boolean, target: Buffer, at: number): number {
  const count = elementCount(value)
  let position = small
    ? target.writeUInt8(count, target.writeUInt8(content + 1, at))
    : target.writeUInt32BE(count, target.writeUInt32BE(content + 4, at))
  switch (value.type) {
    case 'array': return writeArrayContent(arrayLayout(value.value), target, position)
    case 'list':
      for (const element of value.value) position = writeValue(element, target, position)
      return position
    case 'map':
      for (const [key, element] of value.value) {
        position = writeValue(element, target, writeValue(key, target, position))
      }
      return position
  }
}

function elementCount (value: Compound): number {
  return value.type === 'map' ? value.value.length * 2 : value.value.length
}

/** The number of bytes after size and count. */
function contentLength (value: Compound): number {
  if (value.type === 'map') return mapContentLength(value.value)
  if (value.type === 'array') return arrayLayout(value.value).length
  let length = 0
  for (const element of value.value) length += valueLength(element)
  return length
}

function mapContentLength (entries: AmqpMap): number {
  let length = 0
  for (const [key, value] of entries) length += valueLength(key) + valueLength(value)
  return length
}

interface ArrayLayout {
  /** Outermost first. */
  readonly descriptors: readonly AmqpValue[]
  /** The one constructor of all elements. */
  readonly code: number
  /** Without their descriptors. */
  readonly elements: readonly AmqpValue[]
  /** Constructor and elements. */
  readonly length: number
}

function arrayLayout (values: readonly AmqpValue[]): ArrayLayout {
  const descriptors: AmqpValue[] = []
  let elements = values
  let length = 1
  while (elements[0]?.type === 'described') {
    descriptors.push(elements[0].descriptor)
    length += 1 + valueLength(elements[0].descriptor)
    elements = elements.map(element => element.type === 'described' ? element.value : notUniform())
  }
  // An array without elements does not know their type, so any type will do.
  if (elements.length === 0) return { descriptors, code: CODE.null, elements, length }
  const code = commonCode(elements)
  for (const element of elements) length += elementLength(code, element)
  return { descriptors, code, elements, length }
}

/**
 * The constructor that fits all elements: of the two constructors of a type, the wider one has the higher code.
 * Compound elements always take the wide one; to choose, their sizes would have to be counted twice at every level of
 * nesting.
 */
function commonCode (elements: readonly AmqpValue[]): number {
  let common = 0
  for (const element of elements) {
    if (element.type !== elements[0]?.type) return notUniform()
    common = Math.max(common, arrayCode(element))
  }
  return common
}

function arrayCode (element: AmqpValue): number {
  switch (element.type) {
    case 'list': return CODE.list32
    case 'map': return CODE.map32
    case 'array': return CODE.array32
    case 'described': return notUniform()
    default: return elementCode(element)
  }
}

function elementLength (code: number, element: AmqpValue): number {
  switch (element.type) {
    case 'list': case 'map': case 'array': return contentLength(element) + 8
    case 'described': return notUniform()
    default: return scalarLength(code, element)
  }
}

function writeArrayContent (layout: ArrayLayout, target: Buffer, at: number): number {
  let position = at
  for (const descriptor of layout.descriptors) {
    target[position] = CODE.described
    position = writeValue(descriptor, target, position + 1)
  }
  target[position] = layout.code
  position++
  for (const element of layout.elements) {
    switch (element.type) {
      case 'list': case 'map': case 'array':
        position = writeCompoundBody(element, contentLength(element), false, target, position)
        break
      case 'described': return notUniform()
      default: position = writeScalar(layout.code, element, target, position)
    }
  }
  return position
}

function notUniform (): never {
  throw new TypeError('the elements of an array must have one type')
}
