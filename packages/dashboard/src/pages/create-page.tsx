import { useMutation } from "@tanstack/react-query";
import type { CreateBoxInput } from "boxrun-sdk";
import { type FormEvent, useState } from "react";
import { useLocation } from "wouter";
import { createBox } from "../api/boxes.ts";
import { failureOf } from "../api/failure.ts";
import { provideImage } from "../api/images.ts";
import type { PullLayers } from "../api/pull-layers.ts";
import { BoxFields } from "../components/box-form/box-fields.tsx";
import { type BoxForm, emptyForm, readForm } from "../components/box-form/form.ts";
import { MakingAside } from "../components/box-form/making-aside.tsx";
import { SnippetsView } from "../components/box-form/snippets-view.tsx";
import { boxPath } from "../components/paths.ts";
import { Button } from "../ui/button.tsx";
import { Card, Page } from "../ui/page.tsx";

export function CreatePage() {
  const [, navigate] = useLocation();
  const [form, setForm] = useState<BoxForm>(emptyForm);
  const [layers, setLayers] = useState<PullLayers>();
  const creation = useMutation({
    mutationFn: async (input: CreateBoxInput) => {
      await provideImage(input.image, { onLayers: setLayers });
      return createBox(input);
    },
    onSuccess: (box) => navigate(boxPath(box)),
    onSettled: () => setLayers(undefined),
  });
  const read = readForm(form);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (read.ok) creation.mutate(read.input);
  };
  const failure = creation.error === null ? undefined : failureOf(creation.error);
  return (
    <Page title="Create a box">
      <div className="form-columns">
        <form className="card" onSubmit={onSubmit} noValidate>
          <BoxFields form={form} errors={read.ok ? {} : read.errors} onChange={setForm} />
          <div className="form-end">
            <Button type="submit" kind="primary" icon="plus" disabled={!read.ok} busy={creation.isPending}>
              {creation.isPending ? "Creating…" : "Create"}
            </Button>
            <span className="quiet small" role="status">
              {creation.isPending &&
                (layers === undefined ? "The box is being made and started." : "Its image is being pulled.")}
            </span>
          </div>
        </form>
        <div className="page-side">
          <MakingAside failure={failure} layers={layers} />
          <Card title="The same elsewhere">
            {read.ok ? <SnippetsView input={read.input} /> : <p className="quiet">Once the form is right.</p>}
          </Card>
        </div>
      </div>
    </Page>
  );
}
