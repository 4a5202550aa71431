import { Accordion, Alert, Autocomplete, Button, Checkbox, MultiSelect, NativeSelect, NumberInput, PasswordInput, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { post } from "./api";
import type { Field, PageArgs } from "./types";

function OptionField({ name, field, value, onChange }: { name: string; field: Field; value: string | string[]; onChange: (value: string | string[]) => void }) {
  const shared = { label: name, description: field.help_text ?? undefined, required: field.is_required };
  if (field.is_multiple && field.choices) {
    return <MultiSelect {...shared} data={field.choices.map(String)} value={[value].flat()} onChange={onChange} />;
  }
  if (field.choices) {
    return (
      <NativeSelect {...shared} data={field.choices.map(String)} value={String(value)} onChange={(event) => onChange(event.target.value)} />
    );
  }
  if (typeof field.default_value === "boolean") {
    return (
      <Checkbox {...shared} required={false} checked={value === "true"} onChange={(event) => onChange(String(event.target.checked))} />
    );
  }
  const Input = field.is_secret ? PasswordInput : TextInput;
  return <Input {...shared} value={[value].flat().join(",")} onChange={(event) => onChange(event.target.value)} />;
}

function initial(field: Field): string | string[] {
  const value = field.default_value;
  return Array.isArray(value) ? value.map(String) : value === null ? "" : String(value);
}

interface Props {
  args: PageArgs;
  isEdit: boolean;
  users: number | null;
  rate: number | null;
  host: string;
  workers: number;
  onDone: (users: number | null, rate: number | null, host: string) => void;
}

/** Starts a test, or changes the one that runs. */
export function TestForm({ args, isEdit, users, rate, host, workers, onDone }: Props) {
  const [userCount, setUserCount] = useState<string | number>(users ?? 1);
  const [spawnRate, setSpawnRate] = useState<string | number>(rate ?? 1);
  const [target, setTarget] = useState(host);
  const [runTime, setRunTime] = useState(String(args.run_time ?? ""));
  const [profile, setProfile] = useState(args.profile ?? "");
  const [classes, setClasses] = useState(args.available_user_classes ?? []);
  const [shape, setShape] = useState(args.available_shape_classes[0]);
  const [tasks, setTasks] = useState<Record<string, string[]>>({});
  const [fields, setFields] = useState(() =>
    Object.fromEntries(Object.entries(args.extra_options).map(([name, field]) => [name, initial(field)])),
  );
  const [refusal, setRefusal] = useState("");
  const [isSending, setSending] = useState(false);
  const hasUsers = !args.hide_common_options && (shape === "Default" || Boolean(args.shape_use_common_options));
  const looksOdd = target !== "" && !/^https?:\/\//.test(target);
  const lacksWorkers = args.is_distributed && workers === 0;

  async function submit(event: FormEvent) {
    event.preventDefault();
    setSending(true);
    setRefusal("");
    const body: [string, string][] = [];
    if (hasUsers) {
      body.push(["user_count", String(userCount)], ["spawn_rate", String(spawnRate)]);
    }
    if (!isEdit) {
      body.push(["host", target], ["run_time", runTime], ["profile", profile]);
      if (args.show_userclass_picker) {
        body.push(...classes.map((name): [string, string] => ["user_classes", name]), ["shape_class", shape]);
      }
    }
    for (const [name, value] of Object.entries(fields)) {
      body.push(...[value].flat().map((item): [string, string] => [name, item]));
    }
    try {
      for (const [name, chosen] of Object.entries(tasks)) {
        await post("user", JSON.stringify({ user_class_name: name, tasks: chosen }));
      }
      const answer = await (await post("swarm", new URLSearchParams(body))).json();
      if (answer.success) {
        onDone(hasUsers ? Number(userCount) : null, hasUsers ? Number(spawnRate) : null, answer.host ?? target);
      } else {
        setRefusal(answer.message);
      }
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
    setSending(false);
  }

  return (
    <form onSubmit={submit} aria-label={isEdit ? "Edit the running test" : "Start a test"}>
      <Stack gap="sm">
        {hasUsers ? (
          <>
            <NumberInput label="Number of users" description="How many run at the peak" min={0} allowDecimal={false} required value={userCount} onChange={setUserCount} data-autofocus />
            <NumberInput label="Ramp-up" description="Users started per second" min={0.01} decimalScale={2} required value={spawnRate} onChange={setSpawnRate} />
          </>
        ) : (
          <Alert color="blue">A load shape decides how many users run.</Alert>
        )}
        {!isEdit && (
          <>
            <TextInput
              label="Host"
              description={args.override_host_warning ? "The user classes have several hosts; this one would replace them all" : "What is tested"}
              placeholder="https://www.example.com"
              required={args.is_host_required}
              value={target}
              onChange={(event) => setTarget(event.target.value)}
            />
            {looksOdd && <Alert color="yellow">A host begins with http:// or https://</Alert>}
            {args.missing_host_warning && target === "" && <Alert color="yellow">Some user classes have no host.</Alert>}
            {args.show_userclass_picker && args.available_user_classes && (
              <fieldset>
                <legend>User classes</legend>
                <Stack gap="xs">
                  {args.available_user_classes.map((name) => {
                    const own = args.users?.[name];
                    const all = [...new Set(args.available_user_tasks?.[name] ?? [])];
                    return (
                      <div key={name}>
                        <Checkbox
                          label={name}
                          description={own && `${own.fixed_count ? `${own.fixed_count} users` : `weight ${own.weight}`}${own.host ? `, ${own.host}` : ""}`}
                          checked={classes.includes(name)}
                          onChange={(event) => setClasses(event.target.checked ? [...classes, name] : classes.filter((one) => one !== name))}
                        />
                        {all.length > 1 && (
                          <MultiSelect aria-label={`Tasks of ${name}`} size="xs" data={all} value={tasks[name] ?? [...new Set(own?.tasks ?? all)]} onChange={(chosen) => setTasks({ ...tasks, [name]: chosen })} />
                        )}
                      </div>
                    );
                  })}
                  {args.available_shape_classes.length > 1 && (
                    <NativeSelect label="Load shape" data={args.available_shape_classes} value={shape} onChange={(event) => setShape(event.target.value)} />
                  )}
                </Stack>
              </fieldset>
            )}
          </>
        )}
        {Object.entries(args.extra_options).map(([name, field]) => (
          <OptionField key={name} name={name} field={field} value={fields[name]} onChange={(value) => setFields({ ...fields, [name]: value })} />
        ))}
        {!isEdit && (
          <Accordion variant="contained">
            <Accordion.Item value="advanced">
              <Accordion.Control>Advanced options</Accordion.Control>
              <Accordion.Panel>
                <TextInput label="Run time" description="For example 20, 20s, 3m, 2h, 1h20m; empty: until it is stopped" value={runTime} onChange={(event) => setRunTime(event.target.value)} />
                <Autocomplete label="Profile" description="A name for this kind of test" data={args.all_profiles ?? []} value={profile} onChange={setProfile} />
              </Accordion.Panel>
            </Accordion.Item>
          </Accordion>
        )}
        {lacksWorkers && <Alert color="yellow">No worker has connected yet: there is nobody to run the users.</Alert>}
        {refusal && (
          <Alert color="red" role="alert">
            {refusal}
          </Alert>
        )}
        <Button type="submit" loading={isSending} disabled={lacksWorkers}>
          {isEdit ? "Change the test" : "Start"}
        </Button>
      </Stack>
    </form>
  );
}
