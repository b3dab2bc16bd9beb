import { baseImageReference, imageAliases } from "@boxrun/contract/plain";
import { useImages } from "../../api/images.ts";
import { Choice } from "../../ui/choice.tsx";
import { Field } from "../../ui/field.tsx";
import type { BoxForm, BoxFormErrors } from "./form.ts";
import "./box-form.css";

interface BoxFieldsProps {
  readonly form: BoxForm;
  readonly errors: BoxFormErrors;
  readonly onChange: (form: BoxForm) => void;
  /** Without a name: for a box that is gone before anybody could call it. */
  readonly isTemporary?: boolean;
}

export function BoxFields({ form, errors, onChange, isTemporary = false }: BoxFieldsProps) {
  const { data: images } = useImages();
  const set = (change: Partial<BoxForm>) => onChange({ ...form, ...change });
  const text = (name: TextName) => ({
    className: "input",
    value: form[name],
    onChange: (event: { readonly target: { readonly value: string } }) => set({ [name]: event.target.value }),
  });
  const known = [
    ...new Set([baseImageReference, ...Object.keys(imageAliases), ...(images ?? []).map(({ reference }) => reference)]),
  ];
  return (
    <div className="box-fields">
      <Field
        className="wide"
        label="Image"
        error={errors.image}
        hint="base ships with BoxRun; a short name like python, or any reference, is pulled first"
      >
        <input {...text("image")} list="known-images" autoCapitalize="off" spellCheck={false} autoComplete="off" />
      </Field>
      <datalist id="known-images">
        {known.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {!isTemporary && (
        <Field className="wide" label="Name" error={errors.name} hint="to call it by; without one it has its id alone">
          <input {...text("name")} autoCapitalize="off" spellCheck={false} autoComplete="off" />
        </Field>
      )}
      <Field label="CPUs" error={errors.cpu}>
        <input {...text("cpu")} type="number" min="1" inputMode="numeric" />
      </Field>
      <Field label="Memory, MB" error={errors.memory_mb}>
        <input {...text("memory_mb")} type="number" min="1" step="any" inputMode="numeric" />
      </Field>
      <Field label="Disk, GB" error={errors.disk_size_gb}>
        <input {...text("disk_size_gb")} type="number" min="1" inputMode="numeric" />
      </Field>
      <label className="check wide">
        <input type="checkbox" checked={form.network} onChange={(event) => set({ network: event.target.checked })} />
        <span>
          Network <span className="quiet">– without it the box has no network card</span>
        </span>
      </label>
      <details className="wide more" open={isGiven(form, inside) || undefined}>
        <summary>Directory, environment, volumes</summary>
        <div className="more-fields">
          <Field label="Working directory" error={errors.workdir} hint="default: the image's own, else /root">
            <input {...text("workdir")} spellCheck={false} autoCapitalize="off" />
          </Field>
          <Field label="Environment" error={errors.env} hint="NAME=VALUE, one a line">
            <textarea {...text("env")} className="input mono" spellCheck={false} autoCapitalize="off" />
          </Field>
          <Field
            label="Secret environment"
            error={errors.secret_env}
            hint="the same, with values that are shown nowhere"
          >
            <textarea {...text("secret_env")} className="input mono" spellCheck={false} autoCapitalize="off" />
          </Field>
          <Field
            label="Volumes"
            error={errors.volumes}
            hint="HOST:GUEST or HOST:GUEST:ro, one a line, of the server's machine"
          >
            <textarea {...text("volumes")} className="input mono" spellCheck={false} autoCapitalize="off" />
          </Field>
        </div>
      </details>
      {!isTemporary && (
        <details className="wide more" open={isGiven(form, outside) || undefined}>
          <summary>Labels, ports, lifetime</summary>
          <div className="more-fields">
            <Field label="Labels" error={errors.labels} hint="NAME=VALUE or NAME, one a line: to find it by">
              <textarea {...text("labels")} className="input mono" spellCheck={false} autoCapitalize="off" />
            </Field>
            <Field
              label="Ports"
              error={errors.ports}
              hint="PORT:BOX_PORT, one a line, of the server's machine; BOX_PORT alone takes any that is free"
            >
              <textarea {...text("ports")} className="input mono" spellCheck={false} autoCapitalize="off" />
            </Field>
            <Field label="Expires after" error={errors.ttl_seconds} hint="30m, 8h, 7d; empty: never">
              <input {...text("ttl_seconds")} spellCheck={false} autoCapitalize="off" />
            </Field>
            {form.ttl_seconds.trim() !== "" && (
              <div className="then">
                <span>Then it is</span>
                <Choice
                  label="What happens then"
                  names={["stop", "remove"]}
                  chosen={form.on_expiry}
                  onChoose={(on_expiry) => set({ on_expiry })}
                  show={(name) => (name === "stop" ? "stopped" : "removed")}
                />
              </div>
            )}
          </div>
        </details>
      )}
    </div>
  );
}

type TextName = Exclude<keyof BoxForm, "network" | "on_expiry">;
const inside: readonly TextName[] = ["workdir", "env", "secret_env", "volumes"];
const outside: readonly TextName[] = ["labels", "ports", "ttl_seconds"];

/** What is filled in is not hidden. */
function isGiven(form: BoxForm, names: readonly TextName[]): boolean {
  return names.some((name) => form[name] !== "");
}
