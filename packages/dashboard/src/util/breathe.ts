/** How long a page may work before whoever types or scrolls has to be heard. */
const workMs = 12;

/** Called again and again within long work: gives the browser a turn once the work has had its own. */
export function breather(): () => Promise<void> | undefined {
  let until = performance.now() + workMs;
  return () => {
    if (performance.now() < until) return undefined;
    return nextTask().then(() => {
      until = performance.now() + workMs;
    });
  };
}

/** A task of its own, and not one of the present one's: the browser draws and listens in between. A timer would be held back to 4 ms. */
function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
