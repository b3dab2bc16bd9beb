import { z } from "zod";

const number = z.number().nullable();

/** How a box's own word is known: it has answered; it did nothing since it last did, and was not asked; it does not answer; its agent is too old. */
export const guestStates = ["answered", "idle", "unreachable", "unsupported"] as const;

/** What a running box uses. `null` where nobody knows: of a box that does not answer there is what the host sees of it. */
export const boxStatsSchema = z.object({
  box_id: z.string(),
  at: z.string(),
  guest: z.enum(guestStates),
  /** Why it does not answer. */
  guest_error: z.string().nullable(),
  /** 100 is one CPU, wholly; since the reading before. As the box sees it, else as the host does. */
  cpu_percent: number,
  cpus: z.int(),
  memory_bytes: number,
  memory_limit_bytes: z.number(),
  disk_bytes: number,
  disk_size_bytes: z.number(),
  /** Since the box was started; `null` without a network. */
  network_received_bytes: number,
  network_sent_bytes: number,
  processes: number,
  /** What its processes on the host take. */
  host_cpu_percent: number,
  host_memory_bytes: z.number(),
  /** With what it shares with others divided among them; `null` where the kernel doesn't say, or it wasn't asked. */
  host_proportional_memory_bytes: number,
});
export type BoxStats = z.infer<typeof boxStatsSchema>;

export const statsQuerySchema = z.strictObject({
  /** Answers with server-sent events, one every two seconds, until the box runs no more. */
  follow: z.stringbool().default(false),
});

const times = z.array(z.number());
const column = z.array(z.number().nullable());

/** The last hour of a running box, in columns of equal length, oldest first. */
export const statsHistorySchema = z.object({
  step_seconds: z.number(),
  /** Seconds since the epoch. */
  at: times,
  cpu_percent: column,
  memory_bytes: column,
  disk_bytes: column,
  network_received_per_second: column,
  network_sent_per_second: column,
  processes: column,
  host_cpu_percent: column,
  host_memory_bytes: column,
});
export type StatsHistory = z.infer<typeof statsHistorySchema>;

export const statsOverviewQuerySchema = z.strictObject({
  /** How many of the newest samples come along: 0 to 360. */
  points: z.coerce.number().pipe(z.int().min(0).max(360)).default(0),
  /** Answers with server-sent events: all boxes at first, then at every step those that use something else than before. */
  follow: z.stringbool().default(false),
});

export const statsOverviewSchema = z.object({
  ...boxStatsSchema.shape,
  /** With `points`. */
  recent: z.object({ at: times, cpu_percent: column, memory_bytes: column }).optional(),
});
export type StatsOverview = z.infer<typeof statsOverviewSchema>;

/** Follows what boxes use: 100 of them at most. One that was not in such an event before comes with its newest samples. */
export const statsOverviewsSchema = z.array(statsOverviewSchema).max(100);

/** All that has changed up to here was told: of other running boxes what was said last holds. */
export const statsStepSchema = z.object({
  /** Seconds since the epoch. */
  at: z.number(),
  /** How many boxes were read. */
  boxes: z.int(),
});
export type StatsStep = z.infer<typeof statsStepSchema>;

/** What comes of following all boxes. */
export type StatsOverviewEvent =
  | { readonly event: "stats"; readonly data: StatsOverview[] }
  | { readonly event: "step"; readonly data: StatsStep };
