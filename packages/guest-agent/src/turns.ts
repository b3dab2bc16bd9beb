import { Turns } from "@boxrun/core";

/**
 * How much of what guests say is worked off in one turn of the event loop, in frames (a bigger one counts for more), all boxes together. It
 * bounds how long anybody else waits: a frame that comes through gate, HTTP/2, body and exec costs some 10 µs.
 */
const framesPerTurn = 512;

/** The process has one event loop. */
export const turns = new Turns(framesPerTurn);
