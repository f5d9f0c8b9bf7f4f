/**
 * Bytes or a text that are not what they should be. The message goes on where the name of the thing ends ("is not valid
 * JSON"): only the caller knows whether it is a body, a line or a property.
 */
export class TextFault extends Error {
  override readonly name = 'TextFault'
}
