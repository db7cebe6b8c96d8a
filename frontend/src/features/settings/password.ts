/** A password that nobody chose: 96 random bits, in letters that can be copied as one word. */
export function madePassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
