const names = ["B", "KB", "MB", "GB", "TB"];

/** 1024-based, three digits at most: `0 B`, `12.3 MB`, `512 MB`. */
export function bytesText(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 1023.5 && unit < names.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${names[unit]}`;
}

export function megabytesText(megabytes: number): string {
  return bytesText(megabytes * 1024 * 1024);
}
