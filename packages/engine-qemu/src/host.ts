import { requireTool } from "@boxrun/host";
import type { Guest } from "./guest-build/locate.ts";
import { locateGuest } from "./guest-build/locate.ts";
import { measureTscKhz } from "./host/tsc.ts";
import { BoxCgroups } from "./jail/cgroups.ts";
import { type Confinement, findConfinement } from "./jail/confinement.ts";
import { chooseAccelerator, type Verdict } from "./probe.ts";

/** What the engine knows of the machine that it runs on. What takes time to find out is found out once. */
export class Host {
  readonly #cacheDir: string;
  #verdict: Promise<Verdict> | undefined;
  #confinement: Promise<Confinement> | undefined;
  #tscKhz: Promise<number | undefined> | undefined;
  readonly #cgroup: string | undefined;
  #cgroups: Promise<BoxCgroups> | undefined;

  constructor(cacheDir: string, cgroup?: string) {
    this.#cacheDir = cacheDir;
    this.#cgroup = cgroup;
  }

  /** `undefined` where nobody has asked for them; RUNTIME_ERROR where they can't be had. */
  async cgroups(): Promise<BoxCgroups | undefined> {
    if (this.#cgroup === undefined) return undefined;
    this.#cgroups ??= BoxCgroups.open(this.#cgroup);
    try {
      return await this.#cgroups;
    } catch (error) {
      // It may have been delegated by the next time.
      this.#cgroups = undefined;
      throw error;
    }
  }

  /** RUNTIME_ERROR with the package to install if it is missing. */
  qemu(): string {
    return requireTool("qemu-system-x86_64", "run a box");
  }

  /** RUNTIME_ERROR with what to run if none was built. */
  guest(): Guest {
    return locateGuest(this.#cacheDir);
  }

  /** Takes seconds the first time on a host where KVM is there and doesn't work. */
  accelerator(): Promise<Verdict> {
    this.#verdict ??= this.#choose().catch((error: unknown) => {
      // Something is missing that may be there the next time.
      this.#verdict = undefined;
      throw error;
    });
    return this.#verdict;
  }

  /** Takes a tenth of a second the first time. */
  async confinement(): Promise<Confinement> {
    const [qemu, guest] = [this.qemu(), this.guest()];
    const { accelerator } = await this.accelerator();
    this.#confinement ??= findConfinement({ qemu, guest, accelerator, cacheDir: this.#cacheDir });
    const found = await this.#confinement;
    // What is missing may be there the next time.
    if (found.jail === undefined || found.jail.hostHelper !== guest.hostHelper) this.#confinement = undefined;
    return found;
  }

  tscKhz(): Promise<number | undefined> {
    this.#tscKhz ??= measureTscKhz(this.guest().hostHelper);
    return this.#tscKhz;
  }

  async #choose(): Promise<Verdict> {
    return await chooseAccelerator({ qemu: this.qemu(), guest: this.guest(), cacheDir: this.#cacheDir });
  }
}
