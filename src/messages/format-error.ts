/**
 * A message that cannot be stored as it is written. `pointer` is the JSON pointer of the wrong field; it begins with
 * the pointer that was given for the message.
 */
export class MessageFormatError extends Error {
  override readonly name = 'MessageFormatError'
  readonly pointer: string

  constructor (pointer: string, message: string) {
    super(message)
    this.pointer = pointer
  }

  /** The same error, seen from outside: its pointer is below `pointer`. */
  within (pointer: string): MessageFormatError {
    return new MessageFormatError(pointer + this.pointer, this.message)
  }
}
