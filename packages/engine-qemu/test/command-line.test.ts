import { expect, test } from "vitest";
import { macOf } from "../src/network/mac.ts";
import { boxDisks, maxVolumes, qemuArgs, type VmShape, volumeDevice } from "../src/vm/command-line.ts";

const shape: VmShape = {
  accelerator: "tcg",
  cpu: 2,
  memoryMb: 512,
  tscKhz: 2_596_146,
  kernel: "/cache/vmlinuz",
  initramfs: "/cache/initramfs",
  disks: boxDisks,
  network: undefined,
  volumes: undefined,
  name: "boxrun-box_1",
};

const optionOf = (args: readonly string[], option: string) => args[args.indexOf(option) + 1];
const optionsOf = (args: readonly string[], option: string) => args.filter((_, index) => args[index - 1] === option);

test("a box without a network has no network card, and one with has one", () => {
  expect(qemuArgs(shape).join(" ")).not.toMatch(/netdev|virtio-net/);
  const args = qemuArgs({ ...shape, network: { mac: "52:54:00:00:00:01" } });
  expect(optionsOf(args, "-netdev")).toHaveLength(1);
  expect(optionsOf(args, "-device")).toContain("virtio-net-device,netdev=net,mac=52:54:00:00:00:01");
});

test("an emulated CPU is told the clock's frequency; a real one finds it", () => {
  expect(optionOf(qemuArgs(shape), "-append")).toContain("tsc_early_khz=2596146 tsc=reliable");
  const kvm = qemuArgs({ ...shape, accelerator: "kvm" });
  expect(optionOf(kvm, "-append")).not.toContain("tsc");
  expect(optionOf(kvm, "-cpu")).toBe("host");
  expect(optionOf(qemuArgs({ ...shape, tscKhz: undefined }), "-append")).not.toContain("tsc_early_khz");
});

test("an emulated CPU does not promise fast strings, which it has not", () => {
  expect(optionOf(qemuArgs(shape), "-cpu")).toBe("max,erms=off,fsrm=off");
});

test("a box has a disk for transfers behind its own", () => {
  const disks = optionsOf(qemuArgs({ ...shape, disks: boxDisks }), "-device").filter((device) =>
    device.startsWith("virtio-blk"),
  );
  expect(disks.map((device) => /drive=(\w+)/.exec(device)?.[1])).toEqual(["image", "disk", "bulk"]);
});

test("memory is shared with other processes, and there are ports and lines for volumes, only where a box has some", () => {
  expect(optionsOf(qemuArgs(shape), "-object")).toEqual([]);
  expect(optionOf(qemuArgs(shape), "-machine")).toContain("pcie=off");
  expect(qemuArgs(shape).join(" ")).not.toMatch(/pcie-root-port|vol\d/);
  const args = qemuArgs({ ...shape, volumes: 2 });
  expect(optionsOf(args, "-object")).toEqual(["memory-backend-memfd,id=ram,size=512M,share=on"]);
  expect(optionOf(args, "-machine")).toMatch(/pcie=on.*memory-backend=ram/);
  expect(optionsOf(args, "-chardev").filter((chardev) => chardev.includes("id=vol"))).toEqual([
    "socket,id=vol0,path=s/vol0",
    "socket,id=vol1,path=s/vol1",
  ]);
  // A template has the ports of all that it may become.
  const ports = (volumes: number) =>
    optionsOf(qemuArgs({ ...shape, volumes }), "-device").filter((device) => device.startsWith("pcie-root-port"));
  expect(ports(0)).toEqual(ports(2));
});

test("no device of a command line is one that QEMU can't save, and each volume has a place of its own in a port", () => {
  expect(qemuArgs({ ...shape, volumes: maxVolumes }).join(" ")).not.toContain("vhost-user-fs");
  const ports = optionsOf(qemuArgs({ ...shape, volumes: 0 }), "-device").join(" ");
  const devices = Array.from({ length: maxVolumes }, (_, index) => volumeDevice(index));
  expect(new Set(devices.map(({ bus, addr }) => `${bus} ${addr}`)).size).toBe(maxVolumes);
  for (const { bus, addr } of devices) {
    expect(ports).toContain(`id=${bus},`);
    expect(addr).toMatch(/^0\.[0-7]$/);
  }
});

test("the image is read-only, and a full host disk is an error in the guest", () => {
  const args = qemuArgs(shape);
  expect(optionsOf(args, "-blockdev")[0]).toContain("read-only=on");
  for (const disk of optionsOf(args, "-device").filter((device) => device.startsWith("virtio-blk"))) {
    expect(disk).toContain("werror=report");
  }
});

test("nothing that a guest prints goes to a file, and QEMU may start nothing", () => {
  const args = qemuArgs(shape);
  expect(args.join(" ")).not.toMatch(/stdio|file:|logfile/);
  expect(optionOf(args, "-serial")).toBe("chardev:console");
  expect(optionsOf(args, "-chardev")[0]).toMatch(/^ringbuf,/);
  expect(optionOf(args, "-sandbox")).toContain("spawn=deny");
});

test("a resumed VM has its memory privately from a file that a template has written, and waits for the rest", () => {
  const memory = { path: "/fd/5", use: "private" } as const;
  const args = qemuArgs({ ...shape, memory, incoming: true });
  expect(optionsOf(args, "-object")).toEqual(["memory-backend-file,id=ram,size=512M,mem-path=/fd/5,share=off"]);
  expect(optionOf(args, "-machine")).toContain("memory-backend=ram");
  expect(optionOf(args, "-incoming")).toBe("defer");
  const own = qemuArgs({ ...shape, volumes: 1, memory: { ...memory, use: "own" }, incoming: true });
  expect(optionsOf(own, "-object")).toEqual(["memory-backend-file,id=ram,size=512M,mem-path=/fd/5,share=on"]);
  const written = qemuArgs({ ...shape, memory: { ...memory, use: "written" } });
  expect(optionsOf(written, "-object")).toEqual(optionsOf(own, "-object"));
  expect(written).not.toContain("-incoming");
});

test("a VM over whose memory a template's is mapped has memory that no file is behind, under the name of the template's", () => {
  const args = qemuArgs({ ...shape, memory: { use: "placed" }, incoming: true });
  expect(optionsOf(args, "-object")).toEqual(["memory-backend-ram,id=ram,size=512M,share=off"]);
  expect(optionOf(args, "-machine")).toContain("memory-backend=ram");
  expect(args.join(" ")).not.toContain("mem-path");
});

test("a guest can tell what memory is free, and may not rely on what it gets back", () => {
  const balloons = optionsOf(qemuArgs(shape), "-device").filter((device) => device.startsWith("virtio-balloon"));
  expect(balloons).toEqual(["virtio-balloon-device,free-page-reporting=on,page-poison=off"]);
  expect(optionOf(qemuArgs(shape), "-append")).toContain("page_reporting.page_reporting_order=5");
});

test("a template has a network card that leads nowhere", () => {
  const network = { mac: "02:00:00:00:00:01", line: "none" } as const;
  expect(optionOf(qemuArgs({ ...shape, network }), "-netdev")).toBe("hubport,id=net,hubid=0");
});

test("boxes have MAC addresses of their own, which are no vendor's and no group's", () => {
  const macs = Array.from({ length: 1000 }, (_, nth) => macOf(`box_${nth}`));
  expect(new Set(macs).size).toBe(macs.length);
  for (const mac of macs) expect(mac).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
  expect(macOf("box_1")).toBe(macs[1]);
});
