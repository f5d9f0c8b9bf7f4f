/** A bad configuration. The message names variables, never their values: one of them is a password. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Thrown by a parser; the message follows the name of the variable and shows no value. */
export class BadValue extends Error {}
