/** A target of a request in two: its query is all behind the first `?`, as in a query another one is a character. */
export function urlParts (url: string | undefined): { readonly path: string, readonly query: string | undefined } {
  const [path = '', ...rest] = (url ?? '').split('?')
  return { path, query: rest.length === 0 ? undefined : rest.join('?') }
}
