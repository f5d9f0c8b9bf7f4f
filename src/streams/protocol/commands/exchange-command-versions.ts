import type { Request } from './command.ts'

export interface CommandVersions { readonly key: number, readonly min: number, readonly max: number }

/** Commands [Key uint16, MinVersion uint16, MaxVersion uint16] -> the same, of the broker */
export const exchangeCommandVersions: Request<{ commands: readonly CommandVersions[] }, CommandVersions[]> = {
  name: 'exchangeCommandVersions',
  write (writer, { commands }) { writer.array(commands, (to, { key, min, max }) => to.u16(key).u16(min).u16(max)) },
  read (reader) { return reader.array((from) => ({ key: from.u16(), min: from.u16(), max: from.u16() })) }
}
