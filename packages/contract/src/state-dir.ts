/**
 * What is wrong with a state directory, for who is about to write there; `undefined` if it is this user's alone to write. Sockets, disks and the
 * programs' output lie in it, and whoever may put files of his own there has the server.
 */
export function stateDirFault(
  found: { readonly uid: number; readonly mode: number },
  uid: number | undefined,
): string | undefined {
  if (uid === undefined) return undefined;
  if (found.uid !== uid) return `it belongs to the user with uid ${found.uid}, and this is uid ${uid}`;
  if ((found.mode & 0o022) === 0) return undefined;
  return `others may write in it (mode ${(found.mode & 0o7777).toString(8)}); \`chmod go-w\` mends that`;
}
