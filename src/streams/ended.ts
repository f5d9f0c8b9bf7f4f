import { StreamsError, type SideEffects } from './errors.ts'

/** Why a publisher, a reader or a subscription is of no more use. */
export type Ended =
  /** The process is shutting down. */
  | { readonly how: 'stopping' }
  /** It was not used, and its place was wanted. */
  | { readonly how: 'idle' }
  /** This process has deleted the stream. */
  | { readonly how: 'deleted' }
  /** The connection or the stream's place on it is gone. */
  | { readonly how: 'lost', readonly error: StreamsError }

/** What those are told who still wait on it. */
export function errorOf (ended: Ended): StreamsError {
  switch (ended.how) {
    case 'stopping': return shuttingDown()
    case 'idle': return new StreamsError('stream_not_available', 'it was closed because it was not used')
    case 'deleted': return new StreamsError('stream_not_available', 'the stream was deleted')
    case 'lost': return ended.error
  }
}

/** What is answered while the process shuts down: the only place that makes an error with the code `draining`. */
export function shuttingDown (sideEffects: SideEffects = 'none'): StreamsError {
  return new StreamsError('draining', 'the gateway is shutting down', { sideEffects })
}
