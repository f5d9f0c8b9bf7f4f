/** A field that is wrong: where (a JSON pointer into the body, or `/query/limit`) and why. */
export interface FieldError { readonly pointer: string, readonly message: string }

/** At most this many of them are named: a request can be wrong in a million places. */
export const MAX_FIELD_ERRORS = 20
