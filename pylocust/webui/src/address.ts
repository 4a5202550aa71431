/** Only what leads to a page: an address of a script must not become one that runs. */
export function safeAddress(address: string): string {
  // Browsers pass over white space and control characters there.
  const scheme = /^([^/?#]*?):/.exec(address.replace(/[\u0000-\u0020]/g, ""))?.[1].toLowerCase();
  return scheme === undefined || ["http", "https", "mailto"].includes(scheme) ? address : "#";
}
