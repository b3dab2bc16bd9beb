import { BoxRunClient, type Fetch, type Image } from "boxrun-sdk";
import { baseUrl } from "./client.ts";

type OnShare = (share: number) => void;

export function uploadImage(tar: File, onShare: OnShare): Promise<Image[]> {
  return uploadingClient(onShare).images.import(tar);
}

export function uploadFile(
  box: string,
  dest: string,
  content: Blob,
  onShare: OnShare,
  signal?: AbortSignal,
): Promise<void> {
  return uploadingClient(onShare).files.upload(box, dest, content, { signal });
}

/** A client that tells how much of what it sends is sent: `fetch` does not, an XMLHttpRequest does. */
function uploadingClient(onShare: OnShare): BoxRunClient {
  return new BoxRunClient({ baseUrl, fetch: fetchByXhr(onShare), isOwnPage: true });
}

function fetchByXhr(onShare: OnShare): Fetch {
  return (url, init) =>
    new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(init.method, url);
      for (const [name, value] of Object.entries(init.headers)) request.setRequestHeader(name, value);
      request.upload.onprogress = ({ loaded, total }) => onShare(total === 0 ? 1 : loaded / total);
      request.onload = () =>
        resolve({
          ok: request.status >= 200 && request.status < 300,
          status: request.status,
          headers: { get: (name) => request.getResponseHeader(name) },
          body: null,
          text: async () => request.responseText,
        });
      request.onerror = () => reject(new TypeError("the connection broke"));
      request.onabort = () => reject(init.signal?.reason ?? new TypeError("the request was given up"));
      init.signal?.addEventListener("abort", () => request.abort(), { once: true });
      if (init.body instanceof ReadableStream) reject(new TypeError("a stream cannot be sent from a page"));
      else request.send(init.body);
    });
}
