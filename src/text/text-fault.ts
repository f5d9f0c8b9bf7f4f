/**
 * Bytes or a text that are not as they should be. The message is the rest of a sentence ("is not valid JSON"): only the
 * caller knows whether its subject is a body, a line or a property.
 */
export class TextFault extends Error {
  override readonly name = 'TextFault'
}
