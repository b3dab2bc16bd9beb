import { ageText, dateText, useNow } from "../util/time.ts";

export function Age({ since }: { readonly since: string }) {
  return (
    <time dateTime={since} title={dateText(since)}>
      {ageText(since, useNow())}
    </time>
  );
}
