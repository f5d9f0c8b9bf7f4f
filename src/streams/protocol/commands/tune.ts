import type { Command, Push } from './command.ts'

export interface Tuning {
  /** Bytes; 0: no limit. */
  readonly frameMaxBytes: number
  /** 0: none. */
  readonly heartbeatSeconds: number
}

/**
 * FrameMax uint32, Heartbeat uint32
 *
 * The broker proposes, and the client answers with values that both accept. Neither frame has a correlation id, and
 * neither has the response bit.
 */
export const tune: Push<Tuning> & Command<Tuning> = {
  name: 'tune',
  read (reader) { return { frameMaxBytes: reader.u32(), heartbeatSeconds: reader.u32() } },
  write (writer, { frameMaxBytes, heartbeatSeconds }) { writer.u32(frameMaxBytes).u32(heartbeatSeconds) }
}
