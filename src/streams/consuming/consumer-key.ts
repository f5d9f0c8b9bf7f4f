/** A consumer of a stream, as a key. No name has a NUL in it. */
export function consumerKey (stream: string, consumer: string): string {
  return `${stream}\0${consumer}`
}
