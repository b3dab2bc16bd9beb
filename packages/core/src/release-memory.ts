/** In bytes: what is smaller V8 collects with the object that it belongs to, soon enough. And what is shared, as the end of every tar archive, is small. */
const leastBytes = 16 * 1024;

/**
 * Gives the memory of bytes back that nobody will look at again, if it is theirs alone. V8 would free it when it next looks through the heap, which is late where buffers of a megabyte come and go:
 * a hundred of them are nothing to a heap.
 */
export function releaseMemory(bytes: Uint8Array): void {
  const { buffer } = bytes;
  const isWhole = bytes.byteLength === buffer.byteLength && bytes.byteLength >= leastBytes;
  if (isWhole && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
