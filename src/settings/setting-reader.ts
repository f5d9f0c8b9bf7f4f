/** Environment variables, as `process.env` holds them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Reads a text file; throws when it cannot. */
export type ReadFile = (path: string) => string

/** What the documentation says about a setting. */
export interface SettingDescription {
  name: string
  /** As it is written in the environment; null when the setting has no default. */
  default: string | null
  /** The accepted values, in words. */
  accepts: string
  /** Whether `<name>_FILE` may name a file that holds the value. */
  hasFile: boolean
  description: string
}

/** A file that may change while the gateway runs, as it was at the start. */
export interface ReloadedFile<T> {
  readonly path: string
  readonly content: string
  readonly value: T
}

/** A bad configuration. The message names variables, never their values: one of them is a password. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Thrown by a parser; the message follows the name of the variable and shows no value. */
export class BadValue extends Error {}

interface IntegerBounds { default: number, min: number, max: number }

/**
 * Reads settings one by one and remembers the bad ones. A bad setting yields its default, so that one message can name
 * all bad settings.
 */
export class SettingReader {
  readonly #env: Environment
  readonly #readFile: ReadFile
  readonly #problems: string[] = []
  readonly #descriptions: SettingDescription[] = []

  constructor (env: Environment, readFile: ReadFile) {
    this.#env = env
    this.#readFile = readFile
  }

  get descriptions (): readonly SettingDescription[] {
    return this.#descriptions
  }

  /** What is wrong, each with the name of its variable first. */
  get problems (): readonly string[] {
    return this.#problems
  }

  integer (name: string, bounds: IntegerBounds, description: string): number {
    const accepts = `integer, ${bounds.min} to ${bounds.max}`
    this.#describe({ name, default: String(bounds.default), accepts, hasFile: false, description })
    return this.#parse(name, this.#env[name], bounds.default, (text) => {
      const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN
      if (!(value >= bounds.min && value <= bounds.max)) throw new BadValue(`must be an ${accepts}`)
      return value
    })
  }

  choice<const T extends string>(name: string, choices: readonly T[], fallback: NoInfer<T>, description: string): T {
    this.#describe({
      name,
      default: fallback,
      accepts: choices.map((choice) => `\`${choice}\``).join(', '),
      hasFile: false,
      description
    })
    return this.#parse(name, this.#env[name], fallback, (text) => {
      const value = choices.find((choice) => choice === text)
      if (value === undefined) throw new BadValue(`must be one of ${choices.join(', ')}`)
      return value
    })
  }

  text (name: string, fallback: string, pattern: RegExp, accepts: string, description: string): string {
    this.#describe({ name, default: fallback, accepts, hasFile: false, description })
    return this.#parse(name, this.#env[name], fallback, (text) => {
      if (!pattern.test(text)) throw new BadValue(`must be ${accepts}`)
      return text
    })
  }

  /** A value with a form of its own; a parser throws `BadValue`. */
  parsed<T> (name: string, parse: (text: string) => T, fallback: T, accepts: string, description: string): T {
    this.#describe({ name, default: null, accepts, hasFile: false, description })
    return this.#parse(name, this.#env[name], fallback, parse)
  }

  optionalText (name: string, description: string): string | undefined {
    this.#describe({ name, default: null, accepts: 'text', hasFile: false, description })
    return this.#value(name)
  }

  /** A setting that names a file; its content is the value. */
  file (name: string, description: string): string | undefined {
    this.#describe({ name, default: null, accepts: 'path of a file', hasFile: false, description })
    const path = this.#value(name)
    return path === undefined ? undefined : this.#contentOf(name, path)
  }

  /** A setting that names a file which is read again while the gateway runs; a parser throws `BadValue`. */
  reloadedFile<T> (name: string, parse: (content: string) => T, description: string): ReloadedFile<T> | undefined {
    const content = this.file(name, description)
    const path = this.#value(name)
    if (content === undefined || path === undefined) return undefined
    // An empty file is not a setting that is left out.
    return this.#attempt(name, undefined, () => ({ path, content, value: parse(content) }))
  }

  /** A value that holds a password, so that it may also come from the file that `<name>_FILE` names. */
  secret<T> (name: string, parse: (text: string) => T, fallback: string, description: string): T {
    this.#describe({ name, default: fallback, accepts: 'URL', hasFile: true, description })
    return this.#parse(name, this.#secretText(name), parse(fallback), parse)
  }

  optionalSecret<T> (
    name: string,
    parse: (text: string) => T,
    description: string,
    accepts = 'URL'
  ): T | undefined {
    this.#describe({ name, default: null, accepts, hasFile: true, description })
    return this.#parse<T | undefined>(name, this.#secretText(name), undefined, parse)
  }

  /** Whether the environment has this variable. */
  isSet (name: string): boolean {
    return this.#value(name) !== undefined
  }

  /** Notes a setting that is bad in combination with another one. */
  reject (name: string, message: string): void {
    this.#problems.push(`${name} ${message}`)
  }

  throwIfAnyIsBad (): void {
    if (this.#problems.length > 0) throw new ConfigError(`Bad configuration: ${this.#problems.join('; ')}`)
  }

  #describe (description: SettingDescription): void {
    this.#descriptions.push(description)
  }

  // An empty variable counts as not set: `docker run -e NAME=` and compose files make such variables.
  #value (name: string): string | undefined {
    const text = this.#env[name]
    return text === '' ? undefined : text
  }

  #secretText (name: string): string | undefined {
    const path = this.#value(`${name}_FILE`)
    if (path === undefined) return this.#value(name)
    if (this.#value(name) !== undefined) this.reject(name, `and ${name}_FILE are both set; set one`)
    return this.#contentOf(`${name}_FILE`, path)?.trim()
  }

  #contentOf (name: string, path: string): string | undefined {
    try {
      return this.#readFile(path)
    } catch {
      this.reject(name, 'names a file that cannot be read')
      return undefined
    }
  }

  #parse<T> (name: string, text: string | undefined, fallback: T, parse: (text: string) => T): T {
    return text === undefined || text === '' ? fallback : this.#attempt(name, fallback, () => parse(text))
  }

  #attempt<T> (name: string, fallback: T, parse: () => T): T {
    try {
      return parse()
    } catch (error) {
      this.reject(name, error instanceof BadValue ? error.message : 'is malformed')
      return fallback
    }
  }
}
