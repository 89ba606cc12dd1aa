/** What went wrong, in words for whoever reads the page: what was given, what is allowed, what to do. */
export class PocketIqaError extends Error {
    name = "PocketIqaError";
}
