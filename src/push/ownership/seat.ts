/**
 * The right to deliver what belongs to a slot: this process is the active consumer of the slot's group at the moment.
 * It is lost with the connection that the broker has given it on.
 */
export interface Seat {
  /** Aborts when the seat is lost: another process may have it already. Store nothing from then on. */
  readonly lost: AbortSignal
  /**
   * Whether the seat is held for certain: the connection is open, and something came on it within two heartbeats. A
   * process that was frozen finds its timers before its sockets, so ask this before every request and every store.
   */
  isFresh (): boolean
  /**
   * Stores an offset over the seat's own connection, so that a process that has lost the seat cannot store any more.
   * Settles when it is read back.
   *
   * @param stream the broker's name
   * @throws StreamsError
   */
  store (stream: string, consumer: string, offset: number): Promise<void>
  /** The offset that is stored, asked over the seat's own connection; undefined: no offset is. @throws StreamsError */
  stored (stream: string, consumer: string): Promise<number | undefined>
}
